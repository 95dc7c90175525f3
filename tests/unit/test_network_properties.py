"""Over all codes, dates and ledgers: never-codes are never tried again, waits are kept, and no window holds more than its cap."""

from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from recoup.category import Retry
from recoup.decline import decline_of, treat
from recoup.facts import CredentialFacts, LedgerEntry
from recoup.invoice import DeclineCodes, Rail
from recoup.ledger import Ledger
from recoup.network import Allowed, Denied, NotBefore, permit
from recoup.rule_data import Cap, load_rules
from tests.factories import credential_facts, invoice_facts, ledger_entry

RULES = load_rules()
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
LONG_AGO = datetime(2020, 6, 1, tzinfo=UTC)
WORDS = sorted({(table.speaker, code) for table in RULES.codes for code in table.reasons if table.speaker in RULES.speakers.codes})


def raw_codes(word: tuple[str, str], advice: str | None) -> DeclineCodes:
    return DeclineCodes(processor=word[0], decline_code=word[1], network_advice_code=advice)


moments = st.datetimes(datetime(2025, 3, 1), datetime(2026, 12, 31)).map(lambda at: at.replace(tzinfo=UTC, microsecond=0))
codes = st.builds(
    raw_codes,
    st.sampled_from(WORDS),
    st.sampled_from([None, None, None, *sorted({a for rule in RULES.permission for a in rule.advice})]),
)
cards = st.builds(
    credential_facts,
    rail=st.sampled_from([Rail.CARD, Rail.CARD, Rail.ACH, Rail.SEPA]),
    brand=st.sampled_from(["visa", "mastercard", "amex", "discover", None]),
    country=st.sampled_from(["US", "BR"]),
    changed_at=st.just(LONG_AGO),
    has_fingerprint=st.booleans(),
)


def declined(card: CredentialFacts, raw: DeclineCodes, at: datetime, name: str) -> LedgerEntry:
    meant = treat(decline_of(raw, card.brand, card.country, card.rail), at)
    return ledger_entry(id=name, at=at, codes=raw, category=meant.category, own_case=False)


@given(cards, st.lists(st.tuples(codes, moments), min_size=1, max_size=15), moments)
def test_after_a_never_code_nothing_but_another_number_helps(
    card: CredentialFacts, history: list[tuple[DeclineCodes, datetime]], now: datetime
) -> None:
    ledger = Ledger(declined(card, raw, at, f"att_{n}") for n, (raw, at) in enumerate(history))
    said = [treat(decline_of(raw, card.brand, card.country, card.rail), now) for raw, _ in history]
    for_good = any(s.retry is Retry.NEVER and s.lifted_by == "new_credential" for treatment in said for s in treatment.statements)
    permission = permit(ledger, card, invoice_facts(), now)
    if for_good:
        assert isinstance(permission, Denied)
        renewed = card.model_copy(update={"changed_at": max(at for _, at in history) + SECOND, "has_fingerprint": True})
        assert isinstance(permit(ledger, renewed, invoice_facts(), now), Denied), "newer data of the same number are no other number"
    if any(treatment.retry not in {Retry.ALLOWED, Retry.RECONCILE} for treatment in said):
        assert not isinstance(permission, Allowed)


@given(cards, codes, moments)
def test_a_wait_is_over_at_its_second_and_not_before(card: CredentialFacts, raw: DeclineCodes, at: datetime) -> None:
    ledger = Ledger([declined(card, raw, at, "att_1")])
    treatment = treat(decline_of(raw, card.brand, card.country, card.rail), at)
    if treatment.retry is Retry.ALLOWED and treatment.wait and treatment.wait.wait_hours:
        ready = at + HOUR * treatment.wait.wait_hours
        assert isinstance(permit(ledger, card, invoice_facts(), ready - SECOND), NotBefore | Denied)
        rules_are_the_same = treat(decline_of(raw, card.brand, card.country, card.rail), ready) == treatment
        if rules_are_the_same:
            assert isinstance(permit(ledger, card, invoice_facts(), ready), Allowed)


@given(
    cards,
    st.lists(st.tuples(st.sampled_from(range(720)), st.sampled_from([4900, 100])), max_size=30),
    st.lists(st.sampled_from([SECOND, HOUR, 5 * HOUR, DAY, 3 * DAY]), min_size=10, max_size=60),
    st.randoms(use_true_random=False),
)
def test_no_window_ever_holds_more_than_its_cap_whatever_the_order(
    card: CredentialFacts, others: list[tuple[int, int]], pauses: list[timedelta], random: Random
) -> None:
    """Whoever is allowed charges; every window is then counted anew by hand, from the reversed and shuffled books."""
    start = now = datetime(2026, 1, 1, tzinfo=UTC)
    entries = [
        ledger_entry(id=f"oth_{n}", at=start - hours * HOUR, amount_minor=amount, category=None, state="reversed")
        for n, (hours, amount) in enumerate(others)
    ]
    for n, pause in enumerate(pauses):
        now += pause
        random.shuffle(entries)
        permission = permit(Ledger(entries), card, invoice_facts(), now)
        if isinstance(permission, NotBefore) and n % 2:
            now = permission.at
            permission = permit(Ledger(entries), card, invoice_facts(), now)
        if isinstance(permission, Allowed):
            entries.append(ledger_entry(id=f"own_{n}", at=now, category=None, state="reversed"))
            for cap in RULES.cap:
                if _is_on(cap, card, now):
                    assert _held(cap, entries, now) <= cap.limit, cap.id


def _is_on(cap: Cap, card: CredentialFacts, now: datetime) -> bool:
    network = RULES.speakers.network(card.brand)
    in_scope = cap.scope.networks is None or network is None or network in cap.scope.networks
    issued = cap.scope.countries is None or card.country in cap.scope.countries
    return cap.scope.rail is card.rail and in_scope and issued and cap.holds_on(now.date()) and not cap.is_conditional


def _held(cap: Cap, entries: list[LedgerEntry], now: datetime) -> int:
    same = sorted(e.at for e in entries if cap.key == "credential" or e.amount_minor == 4900)
    counted = same[1:] if cap.counts == "reattempts" else same
    since = now.replace(hour=0, minute=0, second=0) - SECOND if cap.window == "calendar_day" else now - cap.hours * HOUR
    return sum(at > since for at in counted)
