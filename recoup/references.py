"""Whether an action's arguments point at rows of its own case and stay within what is owed; for agents and for people's edits."""

from recoup.actions import Action, ActionName, ChargeArgs, ExtendGraceArgs, MessageArgs, RefundArgs, WriteOffArgs
from recoup.facts import CaseFacts


def broken_reference(action: Action, facts: CaseFacts) -> str | None:
    """What the action names that the case does not have or owe; None where all of it holds."""
    match action.name:
        case ActionName.RETRY_PAYMENT | ActionName.USE_BACKUP_METHOD:
            return _charge(ChargeArgs.model_validate(action.args), action.name, facts)
        case ActionName.SEND_MESSAGE | ActionName.REQUEST_METHOD_UPDATE:
            return _message(MessageArgs.model_validate(action.args), facts)
        case ActionName.REFUND_DUPLICATE:
            return _refund(RefundArgs.model_validate(action.args), facts)
        case ActionName.WRITE_OFF:
            args = WriteOffArgs.model_validate(action.args)
            return _owed(args.amount_minor, args.currency, facts)
        case ActionName.EXTEND_GRACE:
            until = ExtendGraceArgs.model_validate(action.args).until
            return None if until > facts.now else f"grace until {until:%Y-%m-%d} is already over"
        case _:
            return None


def _charge(args: ChargeArgs, name: ActionName, facts: CaseFacts) -> str | None:
    if name is ActionName.USE_BACKUP_METHOD:
        known = {backup.id for backup in facts.backups}
    else:
        known = {facts.credential.id} if facts.credential else set[str]()
    if args.credential_id not in known:
        return f"credential {args.credential_id} is not one that {name} may charge for this case"
    return _owed(args.amount_minor, args.currency, facts)


def _owed(amount_minor: int, currency: str, facts: CaseFacts) -> str | None:
    if currency != facts.invoice.currency:
        return f"the invoice is in {facts.invoice.currency}, not {currency}"
    if amount_minor > facts.invoice.remaining_minor:
        return f"{amount_minor} is more than the {facts.invoice.remaining_minor} minor units that remain"
    return None


def _message(args: MessageArgs, facts: CaseFacts) -> str | None:
    known = {facts.invoice.id} | {other.id for other in facts.other_open_invoices}
    strangers = sorted(set(args.invoice_ids) - known)
    if strangers or not args.invoice_ids:
        return f"invoices {', '.join(strangers) or '(none)'} are not open invoices of this account"
    return None


def _refund(args: RefundArgs, facts: CaseFacts) -> str | None:
    attempt = next((a for a in facts.attempts if a.id == args.attempt_id), None)
    if attempt is None:
        return f"attempt {args.attempt_id} is not one of this invoice"
    if args.currency != attempt.currency or args.amount_minor > min(attempt.amount_minor, facts.case.overpaid_minor):
        return "the refund is more than was paid too much"
    return None
