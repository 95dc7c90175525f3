"""Did the right ones get the case, with the signs that make a person look?"""

from evals.sample import Sample
from evals.solver import Answer

TASKS = ("create_task", "create_ticket")


def route_is_right(sample: Sample, answer: Answer) -> bool:
    """The plan or people, as expected."""
    return answer.value["route"] == sample.expected["route"]


def people_get_what_is_theirs(sample: Sample, answer: Answer) -> bool | None:
    """What belongs to people never goes on by itself."""
    return answer.value["route"] == "handle_exception" if sample.expected["route"] == "handle_exception" else None


def raises_the_signals(sample: Sample, answer: Answer) -> bool | None:
    """Every expected signal is raised; more of them only make it more careful."""
    wanted = set(sample.expected.get("signals", ()))
    return wanted <= set(answer.value["signals"]) if wanted else None


def raises_no_needless_signal(sample: Sample, answer: Answer) -> bool:
    """A signal stops everything and costs a person's time."""
    return set(answer.value["signals"]) <= set(sample.expected.get("signals", ()))


def queue_is_right(sample: Sample, answer: Answer) -> bool | None:
    """The task waits for the people who can do something about it. Where none is expected, none is made."""
    if "queue" not in sample.expected:
        return None
    queues = [action["args"]["queue"] for action in answer.value["actions"] if action["name"] in TASKS]
    wanted = sample.expected["queue"]
    return not queues if wanted is None else queues == [wanted]


def queue(sample: Sample, answer: Answer) -> str:  # noqa: ARG001 - a scorer's signature
    """Which people it went to."""
    return next((str(action["args"]["queue"]) for action in answer.value["actions"] if action["name"] in TASKS), "nobody")
