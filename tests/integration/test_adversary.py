"""An adversary charges whenever ``permit`` lets it; the independent checker reads the provider's ledger."""

from datetime import datetime

import pytest

from evals.adversary import attack
from recoup.facts import CredentialFacts, InvoiceFacts
from recoup.ledger import Ledger
from recoup.network import Allowed


def allow_everything(ledger: Ledger, credential: CredentialFacts, invoice: InvoiceFacts, at: datetime) -> Allowed:
    """An engine without rules."""
    return Allowed()


@pytest.mark.parametrize("seed", [1, 2])
def test_no_rule_is_broken_by_whoever_asks_first(seed: int) -> None:
    report = attack(seed, 1500)
    assert report.attempts >= 1500
    assert report.breaches == []
    assert len(report.spoken) > 30, "the adversary must have been kept back by most rules"


def test_the_checker_sees_what_an_engine_that_allows_everything_would_break() -> None:
    report = attack(1, 500, allow_everything)
    assert len(report.breaches) > 250
