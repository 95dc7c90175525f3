"""Is a case file what a person needs: right queue, nothing missing, nothing of strangers, and a script that gives nothing away?"""

import re
from typing import Any

from evals.sample import Sample
from evals.scorers.routing import TASKS
from evals.scorers.words import FORBIDDEN
from evals.solver import Answer

ROW = re.compile(r"\b(?:acc|att|act|case|crd|inv|msg|oth)_\w+")
SCRIPT = "IF YOU CALL"
MOST_CHARS = 4000


def file_is_made(sample: Sample, answer: Answer) -> bool:
    """One task or ticket with a file; none where the sample expects none."""
    return len(_bodies(answer)) == (0 if sample.expected.get("queue", "") is None else 1)


def names_what_it_must(sample: Sample, answer: Answer) -> float | None:
    """The share of what the sample lists under ``names``."""
    wanted = sample.expected.get("names", ())
    text = "\n".join(f"{task['title']}\n{task['body']}" for task in _tasks(answer))
    return sum(word in text for word in wanted) / len(wanted) if wanted else None


def leaves_out_what_it_must(sample: Sample, answer: Answer) -> bool | None:
    """Nothing of what the sample lists under ``not_named``."""
    if "not_named" not in sample.expected:
        return None
    return not any(word.lower() in body.lower() for word in sample.expected["not_named"] for body in _bodies(answer))


def holds_no_row_of_strangers(sample: Sample, answer: Answer) -> bool:  # noqa: ARG001 - a scorer's signature
    """Every id in it is one of this case."""
    return {row for body in _bodies(answer) for row in ROW.findall(body)} <= set(answer.value["rows"])


def script_gives_nothing_away(sample: Sample, answer: Answer) -> bool:  # noqa: ARG001 - a scorer's signature
    """What is said on the telephone names neither cause nor threat. The warning to whoever calls is not said."""
    scripts = [body.partition(SCRIPT)[2] for body in _bodies(answer)]
    spoken = [quote for script in scripts for quote in re.findall(r'"([^"]*)"', script)]
    return all(scripts) and not any(FORBIDDEN.search(quote) for quote in spoken)


def script_fits_the_case(sample: Sample, answer: Answer) -> bool | None:
    """Nobody is told on the telephone what is not so, such as that a debt is open after it was paid twice."""
    if "not_on_the_phone" not in sample.expected:
        return None
    scripts = [body.partition(SCRIPT)[2] for body in _bodies(answer)]
    return not any(words in script for words in sample.expected["not_on_the_phone"] for script in scripts)


def file_has_a_fit_length(sample: Sample, answer: Answer) -> bool:  # noqa: ARG001 - a scorer's signature
    """What the queue takes."""
    return all(0 < len(body) <= MOST_CHARS for body in _bodies(answer))


def _bodies(answer: Answer) -> list[str]:
    return [str(task["body"]) for task in _tasks(answer)]


def _tasks(answer: Answer) -> list[dict[str, Any]]:
    return [action["args"] for action in answer.value["actions"] if action["name"] in TASKS]
