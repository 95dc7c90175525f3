"""The closed list of what a message to a customer may say about them, and how each value becomes plain text."""

import re
from collections.abc import Sequence

from prompts.render import Template
from recoup.errors import Malformed
from recoup.money import format_money
from recoup.record import Record

MESSAGE_SLOTS = frozenset({"first_name", "company", "amount", "invoices", "update_link"})
# Who is greeted where no name is known, and how amounts in several currencies are joined.
NAMELESS = {"en": "there", "de": "liebe Kundin, lieber Kunde", "fr": "cher client", "es": "cliente", "pt": "cliente"}
AND = {"en": " and ", "de": " und ", "fr": " et ", "es": " y ", "pt": " e "}
NOT_IN_A_NAME = re.compile(r"(?:[^\w '’-]|[\d_])+")
NOT_IN_A_LINE = re.compile(r"[^\w .,&/#'’-]+")
LINK = re.compile(r"https?://[^\s<>\"{}]{1,2000}")


def is_for_customers(template: Template) -> bool:
    """Whether these are words of a message: those speak to somebody and of what they owe, and of nothing else."""
    return bool(template.slots) and template.slots <= MESSAGE_SLOTS


class OwedInvoice(Record):
    """One line of what a message lists. ``number`` is what the customer knows the invoice by."""

    number: str
    amount_minor: int
    currency: str


def message_slots(
    *, first_name: str | None, company: str, update_link: str | None, invoices: Sequence[OwedInvoice], locale: str = "en"
) -> dict[str, str]:
    """Values for all MESSAGE_SLOTS; without a link ``update_link`` is left out, and only templates that do without it can be filled.

    Amounts are totalled per currency, never across. Raises Malformed for a link that is not one.
    """
    if update_link is not None and not LINK.fullmatch(update_link):
        raise Malformed("the payment link is not a web address")
    totals: dict[str, int] = {}
    for invoice in invoices:
        totals[invoice.currency] = totals.get(invoice.currency, 0) + invoice.amount_minor
    lines = [f"- {_plain(i.number, NOT_IN_A_LINE)}: {format_money(i.amount_minor, i.currency, locale)}" for i in invoices]
    values = {
        "first_name": _plain(first_name or "", NOT_IN_A_NAME) or NAMELESS.get(re.split("[-_]", locale)[0].lower(), NAMELESS["en"]),
        "company": _plain(company, NOT_IN_A_LINE),
        "amount": AND.get(re.split("[-_]", locale)[0].lower(), AND["en"]).join(
            format_money(total, currency, locale) for currency, total in sorted(totals.items())
        ),
        "invoices": "\n".join(lines),
    }
    return values | ({"update_link": update_link} if update_link is not None else {})


def _plain(text: str, unwanted: re.Pattern[str]) -> str:
    """A customer writes their own name: whatever cannot be part of one is left out, addresses of web pages among it."""
    return " ".join(unwanted.sub(" ", text).split())[:80]
