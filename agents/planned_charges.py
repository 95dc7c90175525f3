"""The plan's charges: a retry of the method in use, and late in the plan the proposal to try another one on file.

None is proposed that networks, schemes or processors forbid at that moment, whoever made the attempts that they count.
"""

from datetime import datetime, timedelta

from agents.history import spoken_for
from agents.method import Standing, unsuccessful
from agents.planning import Part, Planner
from agents.schedule import day, platform_busy_until, retry_slots
from recoup.actions import ActionName, ChargeArgs
from recoup.category import Category, Retry
from recoup.facts import CredentialFacts
from recoup.meaning import treatment_of
from recoup.network import ATTEMPTS_KEPT, Allowed, Denied, NotBefore, permission
from recoup.proposal import RuleHit

# How often a retry of this kind is the right thing to do, before anything is learnt; an unknown code stays under the threshold
# at which policy asks a person.
CONFIDENCE = {Category.FUNDS: 0.8, Category.TECHNICAL: 0.85, Category.GENERIC: 0.6}
CONFIDENCE_FRESH_METHOD = 0.85
CONFIDENCE_UNKNOWN_CODE = 0.45
CONFIDENCE_BACKUP = 0.6
# An invoice is read again within hours; what was unclear about it is known then.
RECONCILED_WITHIN = timedelta(hours=6)

WHY_RETRY = {
    Category.FUNDS: "The account had too little money; it is often there some days later.",
    Category.TECHNICAL: "The bank or processor was away for a moment; the same charge usually works a little later.",
    Category.GENERIC: "The bank gave no reason; a later try often works.",
}


def retry(planner: Planner, method: Standing) -> Part:
    """A retry where one is due and permitted; else when the next one is, or why there is none."""
    facts, credential, barred = planner.facts, planner.facts.credential, hindrance(planner, method)
    if credential is None or barred is not None:
        return barred or Part()
    slots = retry_slots(method, facts, planner.policy)
    coming = slots.after(facts.now)
    if slots.due(facts.now) is None:
        has_come = any(slot <= facts.now for slot in slots.planned)
        because = "this slot of the plan was used" if has_come else "the first slot of the plan has not come yet"
        return _later(planner, credential, coming, f"{because}; banks answer better to fewer tries")
    answer = permission(credential, facts, facts.now)
    if not isinstance(answer, Allowed):
        return forbidden(answer, coming)
    action = planner.act(
        ActionName.RETRY_PAYMENT,
        ChargeArgs(credential_id=credential.id, amount_minor=facts.invoice.remaining_minor, currency=facts.invoice.currency),
        why(method),
        confidence=confidence(method),
        evidence=(credential.id,),
        wait_for_the_next_slot="a slot of the plan has come and nothing speaks against using it",
    )
    return Part(says="A retry is due.", actions=(action,), wakes=(coming,) if coming else ())


def hindrance(planner: Planner, method: Standing) -> Part | None:
    """What keeps the method in use from being charged at all, however the days are chosen."""
    facts, why_not = planner.facts, method.why_not
    if facts.credential is None or why_not is not None:
        because = why_not or "no payment method is on file"
        wakes = (facts.now + RECONCILED_WITHIN,) if method.retry is Retry.RECONCILE else ()
        return Part(says=f"No retry: {because}.", wakes=wakes, refused={"retry the same method": because})
    busy_until = platform_busy_until(facts)
    if busy_until is None:
        return None
    says = "The platform is going to charge by itself; we charge nothing beside it and look again afterwards."
    return Part(says=says, wakes=(busy_until,), refused={"retry now": "two charges of one invoice could both succeed"})


def backup(planner: Planner, method: Standing) -> Part:
    """Another method on file, late and only with a person's consent, where the one in use can never work."""
    facts, policy = planner.facts, planner.policy
    untried = _untried(planner)
    if not method.is_dead or not untried or not planner.can(ActionName.USE_BACKUP_METHOD) or not policy.steps.message_days:
        return Part()
    if any(Category.MANDATE_STOPPED in told.categories for a in unsuccessful(facts) if (told := treatment_of(a, facts))):
        return _no_backup("the customer withdrew the permission to charge")
    opens = day(facts, policy.steps.message_days[-1])
    if facts.now < opens:
        return Part(wakes=(opens,), refused={"charge another method on file now": "the customer is asked first"})
    if spoken_for(facts, ActionName.USE_BACKUP_METHOD) or platform_busy_until(facts):
        return Part()
    answers = [(other, permission(other, facts, facts.now)) for other in untried]
    candidate = next((other for other, answer in answers if isinstance(answer, Allowed)), None)
    if candidate is None:
        rules = dict.fromkeys(_decisive(answer).says for _, answer in answers if not isinstance(answer, Allowed))
        wakes = tuple(answer.at for _, answer in answers if isinstance(answer, NotBefore))
        return _no_backup("; ".join(rules), wakes)
    action = planner.act(
        ActionName.USE_BACKUP_METHOD,
        ChargeArgs(credential_id=candidate.id, amount_minor=facts.invoice.remaining_minor, currency=facts.invoice.currency),
        "The method in use can never work, the customer has not reacted, and another usable method is on file.",
        confidence=CONFIDENCE_BACKUP,
        evidence=(candidate.id,),
        retry_the_same_method=method.why_not or "it is not usable",
    )
    return Part(says="Another method on file could be charged, if a person agrees.", actions=(action,))


def _no_backup(why: str, wakes: tuple[datetime, ...] = ()) -> Part:
    return Part(says=f"No other method on file is charged: {why}.", wakes=wakes, refused={"charge another method on file now": why})


def _later(planner: Planner, credential: CredentialFacts, coming: datetime | None, because: str) -> Part:
    """When the next retry is made: in the next slot, or when the rules let it be."""
    if coming is None:
        return Part(says="No retry is left in the plan.", refused={"retry now": because})
    answer = permission(credential, planner.facts, coming)
    if not isinstance(answer, Allowed):
        return forbidden(answer, coming)
    return Part(says=f"The next retry is planned for {coming:%Y-%m-%d %H:%M} UTC.", wakes=(coming,), refused={"retry now": because})


def forbidden(answer: NotBefore | Denied, coming: datetime | None) -> Part:
    """No charge now: which rule says so, and when it will be silent."""
    because = _decisive(answer).says
    if isinstance(answer, Denied) and all(hit.not_before or hit.rule == ATTEMPTS_KEPT for hit in answer.rules):
        # Not time but the platform's own end frees the room: whether it has come is seen when the next slot does.
        return Part(says=f"No retry now: {because}.", wakes=(coming,) if coming else (), refused={"retry now": because})
    if isinstance(answer, Denied):
        return Part(says=f"No retry: {because}.", refused={"retry the same method": because})
    says = f"The next retry waits until {answer.at:%Y-%m-%d %H:%M} UTC: {because}."
    return Part(says=says, wakes=(answer.at,), refused={"retry now": because})


def _decisive(answer: NotBefore | Denied) -> RuleHit:
    """The rule that forbids longest."""
    until = answer.at if isinstance(answer, NotBefore) else None
    return next(hit for hit in answer.rules if hit.not_before == until)


def _untried(planner: Planner) -> list[CredentialFacts]:
    tried = {attempt.credential_id for attempt in unsuccessful(planner.facts)}
    return [backup for backup in planner.facts.backups if backup.id not in tried]


def why(method: Standing) -> str:
    """Why a retry of the method makes sense."""
    if method.fresh_since is not None:
        return "The payment method was changed since the last failure, so a charge has a new chance."
    return WHY_RETRY.get(method.treatment.category, WHY_RETRY[Category.GENERIC])


def confidence(method: Standing) -> float:
    """How sure it is that a retry is the right thing to do, 0 to 1: not how likely it goes through."""
    if method.fresh_since is not None:
        return CONFIDENCE_FRESH_METHOD
    if method.failure is not None and not method.failure.code_known:
        return CONFIDENCE_UNKNOWN_CODE
    return CONFIDENCE.get(method.treatment.category, CONFIDENCE[Category.GENERIC])
