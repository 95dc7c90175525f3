"""Room under the caps for what is about to run: locked, looked at again, then reserved, since caps span cases."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from memory import ledger, messages
from memory.database import Write
from memory.ledger import AttemptReservation, ContactReservation
from recoup.actions import MOVES_MONEY, ChargeArgs, MessageArgs, RiskClass, typed_args
from recoup.errors import Busy
from recoup.facts import CaseFacts
from recoup.proposal import Proposed

LedgerKeys = Mapping[str, str]


def needs_room(ready: Sequence[Proposed]) -> bool:
    """Whether any of them counts towards a cap that other cases share."""
    return any(_is_charge(proposed) or _is_contact(proposed) for proposed in ready)


async def lock_ledgers(tx: Write, ready: Sequence[Proposed]) -> LedgerKeys:
    """Locks the ledgers of the credentials to be charged, and gives their keys. The caller holds the account, which is the lock of
    its contacts; after this call what the facts say of both is final."""
    credentials = {typed_args(proposed.action, ChargeArgs).credential_id for proposed in ready if _is_charge(proposed)}
    return await ledger.lock_credentials(tx, sorted(credentials)) if credentials else {}


async def reserve(tx: Write, ready: Sequence[Proposed], keys: LedgerKeys, facts: CaseFacts, at: datetime) -> None:
    """Reserves the attempts and contacts of committed actions, and plans their messages. Raises Busy where a step turns out to be
    written already."""
    wanted: list[AttemptReservation | ContactReservation] = []
    for proposed in ready:
        if _is_charge(proposed):
            charge = typed_args(proposed.action, ChargeArgs)
            key = keys[charge.credential_id]
            wanted.append(
                AttemptReservation(action_id=proposed.id, ledger_key=key, amount_minor=charge.amount_minor, currency=charge.currency)
            )
        elif _is_contact(proposed):
            channel = typed_args(proposed.action, MessageArgs).channel
            wanted.append(ContactReservation(action_id=proposed.id, account_id=facts.account.id, channel=channel))
    if wanted:
        await ledger.reserve(tx, wanted, case_id=facts.case.id, at=at)
    written = [(proposed.id, proposed.action) for proposed in ready if proposed.action.risk is RiskClass.CONTACT]
    lost = await messages.plan(tx, written, case_id=facts.case.id, account_id=facts.account.id, at=at)
    if lost:
        raise Busy(f"the message of {', '.join(lost)} is already written")


def _is_charge(proposed: Proposed) -> bool:
    return proposed.action.name in MOVES_MONEY


def _is_contact(proposed: Proposed) -> bool:
    """A receipt asks for nothing: it takes none of the room for outreach."""
    return proposed.action.risk is RiskClass.CONTACT and not proposed.action.is_receipt
