"""The plan's charges: a retry of the method in use, and late in the plan the proposal to try another one on file."""

from agents.history import spoken_for
from agents.method import Standing, unsuccessful
from agents.planning import Part, Planner
from agents.schedule import day, due_slot, next_slot, platform_busy_until, retry_slots
from recoup.actions import ActionName, ChargeArgs
from recoup.decline import Category
from recoup.facts import CredentialFacts

# How often a retry of this kind is the right thing to do, before anything is learnt; an unknown code stays under the threshold
# at which policy asks a person.
CONFIDENCE = {Category.FUNDS: 0.8, Category.TECHNICAL: 0.85, Category.GENERIC: 0.6}
CONFIDENCE_FRESH_METHOD = 0.85
CONFIDENCE_UNKNOWN_CODE = 0.45
CONFIDENCE_BACKUP = 0.6

WHY_RETRY = {
    Category.FUNDS: "The account had too little money; it is often there some days later.",
    Category.TECHNICAL: "The bank or processor was away for a moment; the same charge usually works a little later.",
    Category.GENERIC: "The bank gave no reason; a later try often works.",
}
WHY_NO_RETRY = {
    Category.NEVER: "the bank refused this method for good",
    Category.MANDATE_STOPPED: "the customer withdrew the permission to charge",
    Category.NEW_DATA: "the details on file are wrong or out of date, and nobody has corrected them",
    Category.CUSTOMER_ACTION: "the bank wants the customer to confirm the payment themselves",
    Category.POLICY: "this kind of payment is not accepted",
    Category.UNKNOWN_OUTCOME: "the outcome of the last attempt is not known",
}


def retry(planner: Planner, method: Standing) -> Part:
    """A retry where one is due; else when the next one is, or why there is none."""
    facts, credential = planner.facts, planner.facts.credential
    if credential is None or not method.may_retry:
        why = (
            WHY_NO_RETRY.get(method.category, "no usable payment method is on file")
            if method.is_chargeable
            else "no usable method is on file"
        )
        return Part(says=f"No retry: {why}.", refused={"retry the same method": why})
    slots = retry_slots(method, facts, planner.policy)
    coming = next_slot(slots, facts)
    wakes = (coming,) if coming else ()
    busy_until = platform_busy_until(facts)
    if busy_until is not None:
        says = "The platform is going to charge by itself; we charge nothing beside it and look again afterwards."
        return Part(says=says, wakes=(busy_until,), refused={"retry now": "two charges of one invoice could both succeed"})
    slot = due_slot(slots, facts)
    if slot is None:
        says = f"The next retry is planned for {coming:%Y-%m-%d %H:%M} UTC." if coming else "No retry is left in the plan."
        why = "this slot of the plan was used" if any(s <= facts.now for s in slots) else "the first slot of the plan has not come yet"
        return Part(says=says, wakes=wakes, refused={"retry now": f"{why}; banks answer better to fewer tries"})
    action = planner.act(
        ActionName.RETRY_PAYMENT,
        ChargeArgs(credential_id=credential.id, amount_minor=facts.invoice.remaining_minor, currency=facts.invoice.currency),
        _why(method),
        confidence=_confidence(method),
        evidence=(credential.id,),
        wait_for_the_next_slot="a slot of the plan has come and nothing speaks against using it",
    )
    return Part(says="A retry is due.", actions=(action,), wakes=wakes)


def backup(planner: Planner, method: Standing) -> Part:
    """Another method on file, late and only with a person's consent, where the one in use can never work."""
    facts, policy = planner.facts, planner.policy
    candidate = _untried(planner)
    if not method.is_dead or candidate is None or not planner.can(ActionName.USE_BACKUP_METHOD) or not policy.steps.message_days:
        return Part()
    opens = day(facts, policy.steps.message_days[-1])
    if facts.now < opens:
        return Part(wakes=(opens,), refused={"charge another method on file now": "the customer is asked first"})
    if spoken_for(facts, ActionName.USE_BACKUP_METHOD) or platform_busy_until(facts):
        return Part()
    action = planner.act(
        ActionName.USE_BACKUP_METHOD,
        ChargeArgs(credential_id=candidate.id, amount_minor=facts.invoice.remaining_minor, currency=facts.invoice.currency),
        "The method in use can never work, the customer has not reacted, and another usable method is on file.",
        confidence=CONFIDENCE_BACKUP,
        evidence=(candidate.id,),
        retry_the_same_method=WHY_NO_RETRY.get(method.category, "it is not usable"),
    )
    return Part(says="Another method on file could be charged, if a person agrees.", actions=(action,))


def _untried(planner: Planner) -> CredentialFacts | None:
    tried = {attempt.credential_id for attempt in unsuccessful(planner.facts)}
    return next((backup for backup in planner.facts.backups if backup.id not in tried), None)


def _why(method: Standing) -> str:
    if method.fresh_since is not None:
        return "The payment method was changed since the last failure, so a charge has a new chance."
    return WHY_RETRY.get(method.category, WHY_RETRY[Category.GENERIC])


def _confidence(method: Standing) -> float:
    if method.fresh_since is not None:
        return CONFIDENCE_FRESH_METHOD
    if method.failure is not None and not method.failure.code_known:
        return CONFIDENCE_UNKNOWN_CODE
    return CONFIDENCE.get(method.category, CONFIDENCE[Category.GENERIC])
