"""What the answer to one attempt means today, with all that the case knows of the credential it was made on."""

from recoup.category import Category
from recoup.decline import Treatment, decline_of, treat, treat_category
from recoup.facts import AttemptFacts, CaseFacts, CredentialFacts, LedgerEntry
from recoup.invoice import AttemptStatus
from recoup.rule_data import load_rules
from recoup.words import Decline

UNSUCCESSFUL = frozenset({AttemptStatus.FAILED, AttemptStatus.REQUIRES_ACTION})


def treatment_of(attempt: AttemptFacts | LedgerEntry, facts: CaseFacts) -> Treatment | None:
    """By the rules in force at ``facts.now``; None where nobody has answered, or the answer was no refusal.

    An attempt that does not tell its credential counts as one on the case's own: the careful reading.
    """
    state = attempt.status if isinstance(attempt, AttemptFacts) else attempt.state
    if state not in UNSUCCESSFUL:
        return None
    credential = _credential(attempt.credential_id, facts)
    if state == AttemptStatus.REQUIRES_ACTION:
        return treat_category(Category.CUSTOMER_ACTION, unsaid(credential), facts.now)
    if attempt.codes is not None:
        brand, country, rail = (credential.brand, credential.country, credential.rail) if credential else (None, None, None)
        return treat(decline_of(attempt.codes, brand, country, rail), facts.now)
    return treat_category(attempt.category or Category.GENERIC, unsaid(credential), facts.now)


def unsaid(credential: CredentialFacts | None) -> Decline:
    """A decline of which only the credential is known."""
    if credential is None:
        return Decline(processor="")
    network = load_rules().speakers.network(credential.brand)
    return Decline(processor="", network=network, country=credential.country, rail=credential.rail)


def _credential(credential_id: str | None, facts: CaseFacts) -> CredentialFacts | None:
    if credential_id is None:
        return facts.credential
    return next((c for c in (facts.credential, *facts.backups) if c and c.id == credential_id), None)
