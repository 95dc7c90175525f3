"""Does every reason rest on rows of this case?"""

from evals.sample import Sample
from evals.solver import Answer


def cites_rows_of_the_case(sample: Sample, answer: Answer) -> bool:  # noqa: ARG001 - a scorer's signature
    """At least one, and none that is not there."""
    cited = set(answer.value["evidence"])
    return bool(cited) and cited <= set(answer.value["rows"])


def cites_what_it_rests_on(sample: Sample, answer: Answer) -> bool | None:
    """The rows that the sample names under ``evidence`` are among them."""
    if "evidence" not in sample.expected:
        return None
    return set(sample.expected["evidence"]) <= set(answer.value["evidence"])
