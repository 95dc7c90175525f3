"""What takes a case off the ordinary plan and to a person: one closed list, who gets it, and what they are told."""

from datetime import timedelta
from enum import StrEnum

from agents.failure_pattern import PatternKind, all_tried, failure_pattern, newest_evidence
from agents.history import is_with_people, spoken_for
from agents.method import standing, unsuccessful
from recoup.actions import ActionName, Queue
from recoup.case import CaseStatus, Hold
from recoup.category import Category, Retry
from recoup.decline import Treatment
from recoup.facts import ActionFacts, CaseFacts
from recoup.invoice import AttemptStatus
from recoup.meaning import treatment_of
from recoup.record import Record
from recoup.texts import Signal, TextFacts

Task = ActionName.CREATE_TASK


class Trouble(StrEnum):
    """Why a case goes to people. ``plan_over`` is no exception: the ordinary plan itself ends with it."""

    OVERPAID = "overpaid"
    DECEASED = "deceased"
    DISPUTE = "dispute"
    REVERSAL = "reversal"
    REPLY = "reply"
    UNKNOWN_ATTEMPT = "unknown_attempt"
    UNKNOWN_OUTCOME = "unknown_outcome"
    SUSPECTED_FRAUD = "suspected_fraud"
    MANDATE_STOPPED = "mandate_stopped"
    POLICY = "policy"
    TOLD = "told"
    UNREACHABLE = "unreachable"
    PLAN_OVER = "plan_over"


class HandOff(Record):
    """What is done about a trouble. ``look_again``: when the case is looked at next; None: when something happens.

    ``goes_on``: once people know, the ordinary plan continues beside their work.
    """

    queue: Queue
    title: str
    why: str
    next_step: str
    ask: str
    signals: tuple[str, ...] = ()
    look_again: timedelta | None = None
    goes_on: bool = False
    action: ActionName = Task


SAY_NOTHING = "Do not ask for a payment. Ask only what you need to know, and offer to write."
ASK_FOR_METHOD = '"Would you like to choose another payment method? I can send you the link."'

HAND_OFFS: dict[Trouble, HandOff] = {
    Trouble.OVERPAID: HandOff(
        queue=Queue.BILLING_OPS,
        title="Paid too much: give it back",
        why="More was paid on this invoice than was due, so one payment is one too many.",
        next_step="Compare the payments with the platform and refund the one that came last.",
        ask='"We received one payment too many from you and are giving it back."',
    ),
    Trouble.DECEASED: HandOff(
        queue=Queue.LEGAL,
        title="Customer reported deceased: stop",
        why="The bank or a person told us that the customer has died. Everything has stopped.",
        next_step="Decide about the subscription and the debt. Nobody is to be contacted about the payment.",
        ask=SAY_NOTHING,
        signals=("vulnerable",),
    ),
    Trouble.DISPUTE: HandOff(
        queue=Queue.DISPUTES,
        title="Payment disputed: answer it on the platform",
        why="The customer disputes a payment with their bank. Messages and charges have stopped.",
        next_step="Answer the dispute on the platform in time. The case goes on when it is decided.",
        ask=SAY_NOTHING,
        signals=("dispute",),
    ),
    Trouble.REVERSAL: HandOff(
        queue=Queue.DISPUTES,
        title="Payment taken back: find out why",
        why="A payment that had arrived was taken back by the bank, so the invoice is owed again.",
        next_step="Find out why it was taken back, then release the hold or end the case.",
        ask='"A payment was returned to you by your bank. May I ask whether you wanted that?"',
        signals=("dispute",),
    ),
    Trouble.REPLY: HandOff(
        queue=Queue.COLLECTIONS,
        title="The customer wrote: answer them",
        why="The customer has written to us, and nobody has answered yet.",
        next_step="Read what they wrote, answer it, and release the hold.",
        ask='"You wrote to us. How can I help?"',
        action=ActionName.CREATE_TICKET,
    ),
    Trouble.UNKNOWN_ATTEMPT: HandOff(
        queue=Queue.BILLING_OPS,
        title="An attempt with unknown outcome: look on the platform",
        why="An attempt was made whose outcome we do not know. Until it is known no other may start.",
        next_step="Look the attempt up on the platform and tell whether the money moved.",
        ask=SAY_NOTHING,
        look_again=timedelta(hours=6),
    ),
    Trouble.UNKNOWN_OUTCOME: HandOff(
        queue=Queue.BILLING_OPS,
        title="The processor's answer leaves the outcome open: reconcile",
        why="The processor answered in a way that leaves open whether the money moved. Charging again could take it twice.",
        next_step="Compare the processor's records with the invoice before anything is charged.",
        ask=SAY_NOTHING,
        look_again=timedelta(hours=6),
    ),
    Trouble.SUSPECTED_FRAUD: HandOff(
        queue=Queue.FRAUD,
        title="Signs of misuse: look before anyone writes or charges",
        why="The account shows signs of misuse. Collection has stopped: a charge or a message now could end in a chargeback.",
        next_step="Check the account. If it is misuse, end the case. Once this task is done the plan goes on, and each step is asked.",
        ask=SAY_NOTHING,
        signals=("fraud",),
        look_again=timedelta(hours=6),
    ),
    Trouble.MANDATE_STOPPED: HandOff(
        queue=Queue.COLLECTIONS,
        title="Permission to charge withdrawn: ask the customer",
        why="The customer told their bank to stop these charges. Nothing may be charged, not on another method either.",
        next_step="Ask whether they want to go on and how they want to pay, or cancel the subscription.",
        ask='"Would you like to keep the subscription? If so, how would you like to pay?"',
    ),
    Trouble.POLICY: HandOff(
        queue=Queue.BILLING_OPS,
        title="This kind of payment is not accepted: check our set-up",
        why="The processor or bank does not accept this kind of payment: the card type, the currency or the merchant set-up.",
        next_step="Check the set-up with the processor. The customer is asked for another method meanwhile.",
        ask=ASK_FOR_METHOD,
        look_again=timedelta(minutes=15),
        goes_on=True,
    ),
    Trouble.TOLD: HandOff(
        queue=Queue.COLLECTIONS,
        title="Somebody wrote about this: answer them",
        why="Somebody wrote something about this account that a person must answer.",
        next_step="Read what they wrote and answer it. Once this is done the plan goes on.",
        ask='"You wrote to us. How can I help?"',
        look_again=timedelta(hours=6),
        action=ActionName.CREATE_TICKET,
    ),
    Trouble.UNREACHABLE: HandOff(
        queue=Queue.COLLECTIONS,
        title="Nobody can be written to: call the customer",
        why="Only the customer can mend this, and we have no address to write to.",
        next_step="Call the customer and ask for another payment method and an e-mail address.",
        ask=ASK_FOR_METHOD,
        look_again=timedelta(minutes=15),
        goes_on=True,
    ),
    Trouble.PLAN_OVER: HandOff(
        queue=Queue.COLLECTIONS,
        title="The plan ends without a payment: decide about the debt",
        why="All retries and reminders have passed, and the case is about to end without the money.",
        next_step="Decide what becomes of the debt: a payment plan, writing it off, or an agency; and of the subscription.",
        ask='"Can we find a way together? You could pay in parts."',
    ),
}

# Whoever knows most about a sign gets it; of several the first.
QUEUE_OF = (
    (Signal.FRAUD, Queue.FRAUD),
    (Signal.DISPUTE, Queue.DISPUTES),
    (Signal.LEGAL, Queue.LEGAL),
    (Signal.VULNERABLE, Queue.COLLECTIONS),
)
HOLDS = (
    (Hold.DECEASED, Trouble.DECEASED),
    (Hold.DISPUTE, Trouble.DISPUTE),
    (Hold.REVERSAL, Trouble.REVERSAL),
    (Hold.REPLY, Trouble.REPLY),
)


def find_trouble(facts: CaseFacts) -> Trouble | None:
    """The most serious trouble that people do not know of, else the most serious that still stands; None where the plan goes on."""
    if facts.case.overpaid_minor > 0 and not is_known(facts, Trouble.OVERPAID):
        return Trouble.OVERPAID
    if facts.case.status is not CaseStatus.OPEN:
        return None
    held = next((trouble for hold, trouble in HOLDS if hold in facts.case.holds), None)
    if held is not None:
        return held
    found = _of_attempts(facts) or _of_texts(facts) or _of_reach(facts)
    news = next((trouble for trouble in found if not is_known(facts, trouble)), None)
    return news or next((trouble for trouble in found if not HAND_OFFS[trouble].goes_on), None)


def is_known(facts: CaseFacts, trouble: Trouble) -> bool:
    """Whether people have been told of it since the newest attempt; of suspected fraud once, while nobody has answered."""
    if trouble is Trouble.OVERPAID and spoken_for(facts, ActionName.REFUND_DUPLICATE):
        return True
    if trouble is Trouble.SUSPECTED_FRAUD:
        return any(task.settled_at is None for task in _fraud_tasks(facts))
    if trouble is Trouble.TOLD:
        return bool(_open_tickets(facts)) and not _unanswered(facts)
    hand_off = HAND_OFFS[trouble]
    return is_with_people(facts, hand_off.action, hand_off.queue)


def hand_off_of(trouble: Trouble, facts: CaseFacts) -> HandOff:
    """The hand-off of this case: what somebody wrote goes to those who know about it, with the signs that it shows."""
    hand_off = HAND_OFFS[trouble]
    signals = signs_of_texts(facts)
    if trouble is not Trouble.TOLD or not signals:
        return hand_off
    queue = next(queue for signal, queue in QUEUE_OF if signal in signals)
    return hand_off.model_copy(update={"queue": queue, "signals": tuple(str(signal) for signal in signals)})


def signs_of_texts(facts: CaseFacts) -> tuple[Signal, ...]:
    """Every sign that a reader saw in what was written about the account."""
    seen = {signal for text in facts.texts if text.reading for signal in text.reading.signals}
    return tuple(signal for signal in Signal if signal in seen)


def _of_attempts(facts: CaseFacts) -> list[Trouble]:
    """Most serious first. What is unclear about money is told beside a suspicion; all else waits until that is cleared up."""
    if any(_has_died(tried.treatment) for tried in all_tried(facts) if tried.treatment):
        return [Trouble.DECEASED]
    newest = next(reversed(unsuccessful(facts)), None)
    told = treatment_of(newest, facts) if newest else None
    unclear = [Trouble.UNKNOWN_ATTEMPT] if any(a.status is AttemptStatus.UNKNOWN for a in facts.attempts) else []
    if not unclear and told and (told.retry is Retry.RECONCILE or Category.UNKNOWN_OUTCOME in told.categories):
        unclear = [Trouble.UNKNOWN_OUTCOME]
    if _is_suspected(facts):
        return [*unclear, Trouble.SUSPECTED_FRAUD]
    if unclear or told is None:
        return unclear
    if Category.MANDATE_STOPPED in told.categories:
        return [Trouble.MANDATE_STOPPED]
    return [Trouble.POLICY] if told.category is Category.POLICY and standing(facts).needs_customer else []


def _of_reach(facts: CaseFacts) -> list[Trouble]:
    # Only e-mail carries our words yet: an SMS may not name a debt.
    return [Trouble.UNREACHABLE] if standing(facts).needs_customer and "email" not in facts.account.reachable else []


def _of_texts(facts: CaseFacts) -> list[Trouble]:
    """Until a person has finished the ticket that was made of it."""
    return [Trouble.TOLD] if _unanswered(facts) or _open_tickets(facts) else []


def _unanswered(facts: CaseFacts) -> list[TextFacts]:
    """What a person must answer and was given to nobody since."""
    given = max((ticket.at for ticket in spoken_for(facts, ActionName.CREATE_TICKET)), default=None)
    return [text for text in facts.texts if text.reading and text.reading.is_for_people and (given is None or text.at > given)]


def _open_tickets(facts: CaseFacts) -> list[ActionFacts]:
    """Tickets about what was written that nobody has finished. Where nothing was written, a ticket is about something else."""
    first = min((text.at for text in facts.texts), default=None)
    tickets = spoken_for(facts, ActionName.CREATE_TICKET)
    return [t for t in tickets if first is not None and t.at >= first and t.settled_at is None and t.state != "rejected"]


def _has_died(treatment: Treatment) -> bool:
    """Of all declines only this one leaves nothing that the customer could be told."""
    return treatment.retry is Retry.NEVER and treatment.wording is None


def _is_suspected(facts: CaseFacts) -> bool:
    """Whether there are signs of fraud that no person has looked at: whoever finishes the task has seen what there was until then."""
    pattern = failure_pattern(facts)
    if pattern.kind is not PatternKind.SUSPECTED_FRAUD:
        return False
    looked_at = [task.settled_at for task in _fraud_tasks(facts) if task.settled_at]
    return not looked_at or max(looked_at) < newest_evidence(pattern, facts)


def _fraud_tasks(facts: CaseFacts) -> list[ActionFacts]:
    return [task for task in spoken_for(facts, Task) if task.queue in {Queue.FRAUD, None}]
