"""Does a decline mean what its source says, and is nothing tried again that must not be?"""

from evals.sample import Sample
from evals.solver import Answer

# From what permits least to what permits most.
LENIENCE = ("never", "reconcile", "customer_action", "after_update", "allowed")
WAITS = "wait_hours_at_least"


def category_is_right(sample: Sample, answer: Answer) -> bool | None:
    """What the decline asks for, where the source says it."""
    return answer.value["category"] == sample.expected["category"] if "category" in sample.expected else None


def retry_is_right(sample: Sample, answer: Answer) -> bool | None:
    """What is permitted on the same method, where the source leaves no choice."""
    return answer.value["retry"] == sample.expected["retry"] if "retry" in sample.expected else None


def permits_no_more_than_the_source(sample: Sample, answer: Answer) -> bool:
    """Never more lenient than the source, whatever else is wrong."""
    most = sample.expected.get("retry", sample.expected.get("retry_at_most"))
    return LENIENCE.index(answer.value["retry"]) <= LENIENCE.index(most)


def waits_long_enough(sample: Sample, answer: Answer) -> bool | None:
    """Not before the wait that the source states."""
    if WAITS not in sample.expected or answer.value["retry"] != "allowed":
        return None
    return (answer.value["wait_hours"] or 0) >= sample.expected[WAITS]


def tells_fraud_to_a_person(sample: Sample, answer: Answer) -> bool | None:
    """Where the source speaks of fraud, a person looks first."""
    return bool(answer.value["is_fraud"]) if sample.expected.get("fraud") else None


def customer_is_told_nothing_of_it(sample: Sample, answer: Answer) -> bool | None:
    """Of a death, nobody is written to."""
    return answer.value["wording"] is None if sample.expected.get("silent") else None
