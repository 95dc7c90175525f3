"""Short names by which a model cites rows of one case: no id leaves us, and a row of another case has no name that could be said."""

from collections.abc import Iterable
from dataclasses import dataclass

from recoup.facts import CaseFacts


@dataclass(frozen=True)
class Citations:
    """``rows``: row ids by their short names, such as ``attempt-2``, in the order of the facts."""

    rows: dict[str, str]

    def name_of(self, row_id: str) -> str | None:
        """The short name of a row; None where it is not one that may be cited."""
        return next((name for name, row in self.rows.items() if row == row_id), None)

    def resolve(self, names: Iterable[str]) -> tuple[str, ...]:
        """The rows that these names stand for, each once. Raises KeyError with the first name that stands for none."""
        return tuple(dict.fromkeys(self.rows[name.strip().lower()] for name in names))

    def with_rows(self, kind: str, row_ids: Iterable[str]) -> "Citations":
        """The same with more rows of one kind, such as tickets that a search has found."""
        return Citations(rows=self.rows | _numbered(kind, row_ids))


def citations_of(facts: CaseFacts) -> Citations:
    """A name for every row that evidence may cite."""
    own = {attempt.id for attempt in facts.attempts}
    methods = [facts.credential.id] if facts.credential else []
    return Citations(
        rows={"case": facts.case.id, "invoice": facts.invoice.id, "account": facts.account.id}
        | _numbered("method", [*methods, *(backup.id for backup in facts.backups)])
        | _numbered("attempt", (attempt.id for attempt in facts.attempts))
        | _numbered("other-attempt", (entry.id for entry in facts.ledger if entry.id not in own))
        | _numbered("contact", (contact.id for contact in facts.contacts))
        | _numbered("open-invoice", (other.id for other in facts.other_open_invoices))
        | _numbered("text", (text.id for text in facts.texts))
    )


def _numbered(kind: str, row_ids: Iterable[str]) -> dict[str, str]:
    return {f"{kind}-{number}": row_id for number, row_id in enumerate(dict.fromkeys(row_ids), start=1)}
