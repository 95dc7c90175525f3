"""Rules that no person, mode or policy lifts: law, schemes, consent, holds, and what keeps anyone from being charged twice."""

from collections.abc import Callable
from datetime import datetime, timedelta

from recoup.actions import MOVES_MONEY, Action, ActionName, ChargeArgs, MessageArgs, RiskClass
from recoup.case import SETTLED, CaseStatus, Hold
from recoup.facts import CaseFacts, CredentialFacts
from recoup.invoice import AttemptStatus, Initiator, InvoiceStatus
from recoup.network import Allowed, permission
from recoup.proposal import RuleHit
from recoup.references import broken_reference
from recoup.rule_book import hold_rule, speaks
from recoup.rule_data import load_rules

Check = Callable[[Action, CaseFacts], RuleHit | None]

# What may still be done where nothing is owed.
FOR_SETTLED = frozenset({ActionName.REFUND_DUPLICATE, ActionName.REINSTATE_SERVICE})
# Under these even a receipt would be an unwelcome letter.
SILENCING = frozenset({Hold.DISPUTE, Hold.REVERSAL, Hold.DECEASED})
# States of an action that was never committed to be done.
NEVER_COMMITTED = frozenset({"denied", "shadowed", "waiting", "rejected", "void"})
IN_FLIGHT_RESERVATION = frozenset({"reserved", "unknown"})


def hard_rules(action: Action, facts: CaseFacts) -> tuple[RuleHit, ...]:
    """Every absolute rule that denies the action on these facts; none: it may be done as far as they go."""
    if action.risk is RiskClass.INTERNAL:
        return ()
    hits = [hit for check in CHECKS if (hit := check(action, facts))]
    return (*hits, *_network(action, facts))


def moves_money(action: Action) -> bool:
    """Whether a payment method is charged, with or without an approval."""
    return action.name in MOVES_MONEY


def _kill_switch(_: Action, facts: CaseFacts) -> RuleHit | None:
    return speaks("kill-switch", "the kill switch is on") if facts.kill_switch else None


def _live_and_simulated(_: Action, facts: CaseFacts) -> RuleHit | None:
    mixed = facts.connection.livemode and facts.connection.simulated
    return speaks("live-simulated-mixed", f"connection {facts.connection.name} is both live and simulated") if mixed else None


def _closed(action: Action, facts: CaseFacts) -> RuleHit | None:
    if facts.case.status is CaseStatus.OPEN or action.is_receipt or action.name in FOR_SETTLED:
        return None
    return speaks("case-closed", f"the case is {facts.case.status}")


def _not_owed(action: Action, facts: CaseFacts) -> RuleHit | None:
    owed = facts.invoice.status is InvoiceStatus.OPEN and facts.invoice.remaining_minor > 0
    if owed or action.is_receipt or action.name in FOR_SETTLED:
        return None
    return speaks("invoice-not-owed", f"the invoice is {facts.invoice.status} with {facts.invoice.remaining_minor} remaining")


def _receipt_too_early(action: Action, facts: CaseFacts) -> RuleHit | None:
    """A receipt is asked of nobody and counts towards no cap, so it must be what it says it is."""
    is_paid = facts.case.status in SETTLED and facts.invoice.remaining_minor == 0
    if is_paid or not action.is_receipt:
        return None
    return speaks("receipt-too-early", f"the case is {facts.case.status} with {facts.invoice.remaining_minor} remaining")


def _held(action: Action, facts: CaseFacts) -> RuleHit | None:
    """An agency is one more way to write to the customer, a backup method one more way to charge."""
    reaches = action.risk is RiskClass.CONTACT or moves_money(action) or action.name is ActionName.REFER_TO_AGENCY
    holds = [hold for hold in facts.case.holds if hold in SILENCING or not action.is_receipt]
    return speaks(hold_rule(holds[0]), f"on hold: {', '.join(holds)}") if reaches and holds else None


def _reachable(action: Action, facts: CaseFacts) -> RuleHit | None:
    if action.risk is not RiskClass.CONTACT:
        return None
    channel = MessageArgs.model_validate(action.args).channel
    if channel in facts.account.suppressed or "all" in facts.account.suppressed:
        return speaks("suppressed", f"no {channel}: opted out or suppressed")
    return None if channel in facts.account.reachable else speaks("no-address", f"no address for {channel}")


def _sent_before(action: Action, facts: CaseFacts) -> RuleHit | None:
    if action.risk is not RiskClass.CONTACT:
        return None
    args = MessageArgs.model_validate(action.args)
    committed = [a for a in facts.actions if a.risk is RiskClass.CONTACT and a.state not in NEVER_COMMITTED]
    if action.is_receipt:
        sent = any(a.template == args.template for a in committed)
    else:
        place = (args.step, args.channel)
        sent = any((a.step, a.channel) == place for a in committed) or any(
            (c.case_id, c.step, c.channel) == (facts.case.id, *place) for c in facts.contacts if c.state not in {"released", "void"}
        )
    return speaks("message-already-sent", f"step {args.step} by {args.channel}") if sent else None


def _capable(action: Action, facts: CaseFacts) -> RuleHit | None:
    if action.risk is RiskClass.CONTACT or action.name in facts.connection.capabilities:
        return None
    return speaks("capability-missing", f"capability missing: {action.name}")


def _own_rows(action: Action, facts: CaseFacts) -> RuleHit | None:
    broken = broken_reference(action, facts)
    return speaks("not-of-this-case", broken) if broken else None


def _whole_amount(action: Action, facts: CaseFacts) -> RuleHit | None:
    if not moves_money(action):
        return None
    asked, remaining = ChargeArgs.model_validate(action.args).amount_minor, facts.invoice.remaining_minor
    return None if asked == remaining else speaks("amount-not-remaining", f"{asked} minor units where {remaining} remain")


def _usable(action: Action, facts: CaseFacts) -> RuleHit | None:
    credential = charged_credential(action, facts)
    return speaks("credential-unusable", f"{credential.id} cannot be used") if credential and not credential.is_usable else None


def _in_flight(action: Action, facts: CaseFacts) -> RuleHit | None:
    reserved = any(entry.own_case and entry.state in IN_FLIGHT_RESERVATION for entry in facts.ledger)
    if moves_money(action) and (facts.has_open_attempt or reserved):
        return speaks("attempt-in-flight", "an attempt on this invoice is pending, processing, reserved or unknown")
    return None


def _being_confirmed(action: Action, facts: CaseFacts) -> RuleHit | None:
    """On the method that waits for it nothing is charged without the customer; on another it could be paid twice."""
    waiting = [a.occurred_at for a in facts.attempts if a.status is AttemptStatus.REQUIRES_ACTION]
    if not waiting or not moves_money(action):
        return None
    until = max(waiting) + timedelta(minutes=load_rules().confirmation_guard_minutes)
    if facts.now >= until:
        return None
    return speaks("confirmation-open", f"a payment waits for the customer's confirmation since {max(waiting):%Y-%m-%d %H:%M} UTC", until)


def _platform_retries(action: Action, facts: CaseFacts) -> RuleHit | None:
    """Whoever can be asked for its plan is left to it: the invoice is taken over first, or we wait."""
    at = facts.invoice.next_platform_attempt_at
    guard = timedelta(minutes=load_rules().platform_retry_guard_minutes)
    if at is None or not moves_money(action) or facts.now >= at + guard:
        return None
    return speaks("platform-retry-planned", f"the platform charges by itself at {at:%Y-%m-%d %H:%M} UTC", not_before=at + guard)


def tried_meanwhile(action: Action, facts: CaseFacts, decided_at: datetime) -> RuleHit | None:
    """A charge rests on the attempts that its decision knew: somebody else's that came since may have used its slot."""
    # Platforms tell whole seconds.
    since = decided_at.replace(microsecond=0)
    others = [a for a in facts.attempts if a.initiator is not Initiator.RECOUP and a.occurred_at >= since]
    if not others or not moves_money(action):
        return None
    return speaks("tried-meanwhile", f"an attempt by the {others[-1].initiator} at {others[-1].occurred_at:%Y-%m-%d %H:%M} UTC")


def _network(action: Action, facts: CaseFacts) -> tuple[RuleHit, ...]:
    credential = charged_credential(action, facts)
    if credential is None:
        return ()
    answer = permission(credential, facts, facts.now)
    return () if isinstance(answer, Allowed) else answer.rules


def charged_credential(action: Action, facts: CaseFacts) -> CredentialFacts | None:
    """The payment method that the action would charge; None where it charges none, or none that the account has."""
    if not moves_money(action):
        return None
    wanted = ChargeArgs.model_validate(action.args).credential_id
    return next((c for c in (facts.credential, *facts.backups) if c and c.id == wanted), None)


CHECKS: tuple[Check, ...] = (
    _kill_switch,
    _live_and_simulated,
    _closed,
    _not_owed,
    _receipt_too_early,
    _held,
    _reachable,
    _sent_before,
    _capable,
    _own_rows,
    _whole_amount,
    _usable,
    _in_flight,
    _being_confirmed,
    _platform_retries,
)
