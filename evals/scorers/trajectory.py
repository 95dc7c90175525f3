"""Was the expected way taken, with no more model calls than it is worth?"""

from evals.sample import Sample
from evals.solver import Answer


def takes_the_expected_way(sample: Sample, answer: Answer) -> bool | None:
    """The very steps, in their order."""
    return list(answer.trajectory) == list(sample.expected["trajectory"]) if "trajectory" in sample.expected else None


def makes_the_expected_calls(sample: Sample, answer: Answer) -> bool | None:
    """Exactly so many model calls."""
    return answer.usage.calls == sample.expected["calls"] if "calls" in sample.expected else None


def makes_no_more_calls_than_allowed(sample: Sample, answer: Answer) -> bool | None:
    """At most so many."""
    return answer.usage.calls <= sample.expected["calls_at_most"] if "calls_at_most" in sample.expected else None


def uses_the_expected_tokens(sample: Sample, answer: Answer) -> bool | None:
    """Exactly so many tokens, where a recording makes them certain."""
    return answer.usage.tokens == sample.expected["tokens"] if "tokens" in sample.expected else None
