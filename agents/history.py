"""What has already been done, or refused by a person, in this case: read from the facts, so that nothing is proposed twice."""

from datetime import datetime, timedelta

from recoup.actions import RECEIPT_TEMPLATE, ActionName, RiskClass
from recoup.facts import ActionFacts, CaseFacts

# ``void`` and ``denied`` came to nothing. ``waiting`` too: a new decision supersedes the one whose actions wait for an answer, so
# whoever asks now is the one to propose them again.
SPOKEN_FOR = frozenset({"ready", "started", "done", "failed", "unknown", "dead", "rejected", "shadowed"})
REACHED_THE_CUSTOMER = frozenset({"ready", "started", "done", "unknown"})
ON_ITS_WAY = frozenset({"ready", "started", "unknown"})
RESULT_IS_AWAITED_FOR = timedelta(days=1)


def spoken_for(facts: CaseFacts, *names: ActionName, since: datetime | None = None) -> list[ActionFacts]:
    """Earlier actions of these names that were carried out, are being carried out, or were refused by a person."""
    return [
        action for action in facts.actions if action.name in names and action.state in SPOKEN_FOR and (since is None or action.at >= since)
    ]


def step_is_taken(facts: CaseFacts, step: int, channel: str) -> bool:
    """Whether this step's message on this channel has been sent, is on its way, or was refused by a person."""
    return any(
        action.risk is RiskClass.CONTACT
        and action.state in SPOKEN_FOR
        and (action.step, action.channel) == (step, channel)
        and action.template != RECEIPT_TEMPLATE
        for action in facts.actions
    )


def was_written_to(facts: CaseFacts) -> bool:
    """Whether the customer has, or may have, had a message of this case."""
    return any(
        action.risk is RiskClass.CONTACT and action.state in REACHED_THE_CUSTOMER and action.template != RECEIPT_TEMPLATE
        for action in facts.actions
    )


def has_receipt(facts: CaseFacts) -> bool:
    """Whether the receipt of this case is spoken for."""
    return any(action.template == RECEIPT_TEMPLATE and action.state in SPOKEN_FOR for action in facts.actions)


def charge_awaiting_result(facts: CaseFacts) -> ActionFacts | None:
    """A charge of ours that is on its way, or whose attempt has not appeared among the facts yet."""
    newest_attempt = max((a.occurred_at for a in facts.attempts), default=None)
    for action in reversed(facts.actions):
        charges = action.risk is RiskClass.CHARGE or action.name is ActionName.USE_BACKUP_METHOD
        unseen = newest_attempt is None or newest_attempt < action.at
        recently_done = action.state == "done" and facts.now - action.at < RESULT_IS_AWAITED_FOR
        if charges and unseen and (action.state in ON_ITS_WAY or recently_done):
            return action
    return None


def is_with_people(facts: CaseFacts, name: ActionName, queue: str) -> bool:
    """Whether a task in this queue was made after the newest attempt: people know all that there is to know."""
    newest_attempt = max((a.occurred_at for a in facts.attempts), default=None)
    return any(action.queue in {queue, None} for action in spoken_for(facts, name, since=newest_attempt))
