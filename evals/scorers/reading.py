"""Was a text understood: what its writer wants, what must stop everything, and where it says so?"""

from evals.sample import Sample
from evals.solver import Answer

# Fields whose answer is one word of a closed list, or nothing.
FIELDS = ("intent", "language", "opt_out", "promised_on")


def intent_is_right(sample: Sample, answer: Answer) -> bool:
    """The main one, or another that the sample accepts."""
    return answer.value.get("intent") in {sample.expected["intent"], *sample.expected.get("also_right", ())}


def hears_every_signal(sample: Sample, answer: Answer) -> bool | None:
    """A dispute, a lawyer, fraud or a person in need is never missed."""
    wanted = set(sample.expected.get("signals", ()))
    return wanted <= set(answer.value.get("signals", ())) if wanted else None


def hears_no_needless_signal(sample: Sample, answer: Answer) -> bool:
    """Nor made up."""
    return set(answer.value.get("signals", ())) <= set(sample.expected.get("signals", ()))


def hears_an_opt_out(sample: Sample, answer: Answer) -> bool | None:
    """Whoever asks for silence gets it."""
    return bool(answer.value.get("opt_out")) if sample.expected.get("opt_out") else None


def fields_agree(sample: Sample, answer: Answer) -> float:
    """The share of fields that are as expected."""
    return sum(answer.value.get(field) == sample.expected.get(field) for field in FIELDS) / len(FIELDS)


def points_to_its_source(sample: Sample, answer: Answer) -> bool | None:
    """What it quotes stands in the text."""
    quotes = answer.value.get("quotes")
    return all(quote in sample.input["text"] for quote in quotes) if quotes is not None else None


def answers_within_the_list(sample: Sample, answer: Answer) -> bool:  # noqa: ARG001 - a scorer's signature
    """Enums only: a free word is a way for a text to reach the agents that propose."""
    return answer.value.get("intent") in INTENTS and set(answer.value.get("signals", ())) <= SIGNALS


SIGNALS = {"fraud", "dispute", "legal", "vulnerable"}
INTENTS = {
    "already_paid",
    "will_pay",
    "update_method",
    "cannot_pay",
    "cancel",
    "disputes_charge",
    "wants_refund",
    "asks_question",
    "complains",
    "wrong_person",
    "auto_reply",
    "reports_death",
    "reports_fraud",
    "legal_threat",
    "opt_out",
    "other",
}
