"""What a message needs at the moment it is written: the one place where a person's name and address are read in order to be sent."""

from memory.database import Read
from recoup.actions import Channel
from recoup.errors import NotFound
from recoup.record import Record


class LetterInvoice(Record):
    """One invoice that the message lists. ``number`` is what the customer knows it by."""

    number: str
    currency: str
    remaining_minor: int
    paid_minor: int


class Letter(Record):
    """Personal data: never logged, never audited, never in a job's arguments."""

    entity: str
    first_name: str | None
    email: str | None
    phone: str | None
    payment_link: str | None
    invoices: tuple[LetterInvoice, ...]

    def address(self, channel: Channel) -> str | None:
        """Where the channel reaches the person."""
        match channel:
            case Channel.EMAIL:
                return self.email
            case Channel.SMS:
                return self.phone
            case Channel.IN_APP | Channel.PUSH:
                return None


LETTER = """
SELECT a.entity, p.first_name, p.email, p.phone, i.snapshot ->> 'payment_link' AS payment_link,
       coalesce((
           SELECT jsonb_agg(jsonb_build_object(
               'number', coalesce(o.snapshot ->> 'number', o.vendor_id), 'currency', o.currency,
               'remaining_minor', coalesce(o.remaining_minor, 0), 'paid_minor', coalesce(o.paid_minor, 0)) ORDER BY o.id <> i.id, o.id)
           -- Only what this very account owes: a message never shows another customer's invoice.
           FROM invoices o WHERE o.id = ANY(%(invoice_ids)s) AND o.account_id = c.account_id AND o.currency IS NOT NULL
       ), '[]') AS invoices
  FROM cases c
  JOIN invoices i ON i.id = c.invoice_id
  JOIN accounts a ON a.id = c.account_id
  LEFT JOIN contacts p ON p.account_id = a.id
 WHERE c.id = %(case_id)s
"""


async def letter_for(session: Read, case_id: str, invoice_ids: tuple[str, ...]) -> Letter:
    """The case's person and the listed invoices as they stand, the case's own first; raises NotFound."""
    letter = await session.one(Letter, LETTER, {"case_id": case_id, "invoice_ids": list(invoice_ids)})
    if letter is None:
        raise NotFound(f"there is no case {case_id}")
    return letter
