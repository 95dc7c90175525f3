"""Is everything that was proposed of the closed set, allowed where it stands, and nothing that the sample rules out?"""

from evals.sample import Sample
from evals.solver import Answer

INTERNAL = {"write_note", "tag_account", "create_task", "create_ticket", "open_incident"}
CONTACT = {"send_message", "request_method_update"}
CHARGE = {"retry_payment"}
ACCOUNT = {
    "use_backup_method",
    "take_over_collection",
    "hand_back_collection",
    "extend_grace",
    "offer_payment_plan",
    "offer_discount",
    "suspend_service",
    "reinstate_service",
    "cancel_subscription",
    "write_off",
    "refer_to_agency",
    "refund_duplicate",
}


def proposes_known_actions_only(sample: Sample, answer: Answer) -> bool:  # noqa: ARG001 - a scorer's signature
    """Nothing beyond the closed set."""
    return {action["name"] for action in answer.value["actions"]} <= INTERNAL | CONTACT | CHARGE | ACCOUNT


def account_actions_wait_for_a_person(sample: Sample, answer: Answer) -> bool:  # noqa: ARG001 - a scorer's signature
    """In every mode, and whoever proposed it."""
    return all(action["gate"] != "run" for action in answer.value["actions"] if action["name"] in ACCOUNT)


def does_nothing_ruled_out(sample: Sample, answer: Answer) -> bool | None:
    """No action that the sample names under ``never`` runs."""
    if "never" not in sample.expected:
        return None
    ran = {action["name"] for action in answer.value["actions"] if action["gate"] == "run"}
    return not ran & set(sample.expected["never"])


def does_what_is_due(sample: Sample, answer: Answer) -> bool | None:
    """The actions that the sample names under ``actions`` are proposed, and no others."""
    if "actions" not in sample.expected:
        return None
    return sorted(action["name"] for action in answer.value["actions"]) == sorted(sample.expected["actions"])


def gate_denies_nothing(sample: Sample, answer: Answer) -> bool:  # noqa: ARG001 - a scorer's signature
    """A proposal that the gate must turn down is harmless, and still a mistake."""
    return all(action["gate"] != "deny" for action in answer.value["actions"])
