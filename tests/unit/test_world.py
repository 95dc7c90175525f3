"""The home world: banks and customers as pure functions, bands of the field, and causes that show in nothing but their traces."""

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from statistics import fmean, stdev

import pytest

from tools.sandbox.banks import Banks
from tools.sandbox.causes import Card, Cause, Code, Pay
from tools.sandbox.customers import FITS, Customers, Heard
from tools.sandbox.draws import Dice
from tools.sandbox.parameters import parameters_of
from tools.sandbox.paydays import DAY, EPOCH_SECONDS, HOUR
from tools.sandbox.protocol import COSTS, WINDOW, FailedInvoice
from tools.sandbox.world import HomeWorld
from tools.sandbox.worlds import FACTORIES

START = datetime(2026, 1, 9, 12, tzinfo=UTC).timestamp()
CARD = Card(fingerprint="fp", cause=Cause.FUNDS, code=Code(decline="insufficient_funds"), pay=Pay.MONTHLY, pay_day=3)
DAYS = timedelta(days=1)
LADDER_DAYS, MESSAGE_DAYS = (1.0, 3.0, 5.0, 7.0), (0.0, 3.0, 7.0, 14.0)
NOT_RETRIED = {"expired_card", "invalid_account", "lost_card", "stolen_card", "fraudulent", "authentication_required"}


def banks(seed: int = 3, **sections: dict[str, float]) -> Banks:
    return Banks(Dice(seed), parameters_of(seed).but(**sections))


def cards(**changes: object) -> Iterator[Card]:
    return (replace(CARD, fingerprint=f"fp_{n}", **changes) for n in range(400))


# Banks


def test_asking_twice_whether_a_charge_goes_through_gives_the_same_answer() -> None:
    one, other = banks(), banks()
    answers = [one.approves(CARD, START + n * DAY) for n in range(60)]
    assert answers == [other.approves(CARD, START + n * DAY) for n in reversed(range(60))][::-1]
    assert {True, False} == set(answers)


def test_what_was_drawn_long_ago_is_drawn_again_the_same() -> None:
    asked = banks()
    first = [asked.approves(card, START) for card in cards()]
    assert [asked.approves(card, START) for card in cards()] == first


@pytest.mark.parametrize(
    ("pay", "pay_day", "at", "expected"),
    [
        (Pay.WEEKLY, 4, "2026-01-09", 0),
        (Pay.WEEKLY, 4, "2026-01-15", 6),
        (Pay.SEMI_MONTHLY, 0, "2026-01-14", 13),
        (Pay.SEMI_MONTHLY, 0, "2026-01-15", 0),
        # The first of February and of March 2026 are Sundays, so pay comes on the Friday before.
        (Pay.SEMI_MONTHLY, 0, "2026-01-30", 0),
        (Pay.MONTHLY, 24, "2026-03-01", 28 - 24 + 1),
    ],
)
def test_days_since_the_last_payday(pay: Pay, pay_day: int, at: str, expected: int) -> None:
    noon = datetime.fromisoformat(f"{at}T12:00:00+00:00").timestamp()
    since, payday = banks().since_pay(replace(CARD, pay=pay, pay_day=pay_day), noon)
    assert int(since) == expected
    assert payday == int((noon - EPOCH_SECONDS) // DAY) - expected


def test_money_is_there_right_after_pay_and_gone_before_the_next() -> None:
    always = {"outage_chance": 0.0, "good_approves_share": 1.0, "worst_hour_loses": 0.0}
    asked = banks(issuer=always, balance={"missed_share": 0.0, "chance_per_day": 0.0, "lasting_share_median": 0.4})
    paydays = [START - asked.since_pay(card, START)[0] * DAY for card in cards()]
    soon = fmean(asked.approves(card, paid + HOUR) for card, paid in zip(cards(), paydays, strict=True))
    late = fmean(asked.approves(card, paid + 26 * DAY) for card, paid in zip(cards(), paydays, strict=True))
    assert soon == 1
    assert late < 0.3


def test_an_outage_declines_every_card_of_the_issuer_and_is_said_while_it_lasts() -> None:
    asked = banks(issuer={"outage_chance": 1.0})
    card = replace(CARD, cause=Cause.GOOD)
    period = int((START - EPOCH_SECONDS) // (2 * DAY))
    begins, ends = asked.outage(asked.lasting(card).issuer, period) or (0.0, 0.0)
    assert not asked.approves(card, begins)
    assert asked.says(card, begins).decline == "issuer_not_available"
    assert asked.says(card, ends + 48 * HOUR if asked.approves(card, ends) else ends - 1).decline in {
        "issuer_not_available",
        CARD.code.decline,
    }


def test_punishing_issuers_take_repeated_tries_amiss_until_they_are_forgotten() -> None:
    asked = banks(issuer={"punishing_share": 1.0, "punished_times": 0.5, "recent_days": 5.0})
    tried = [START - hours * HOUR for hours in (30, 20, 10)]
    fresh = asked.lets_through(CARD, START, [])
    assert asked.lets_through(CARD, START, tried[-1:]) == fresh
    assert asked.lets_through(CARD, START, tried) == pytest.approx(fresh / 4)
    assert asked.lets_through(CARD, START + 5 * DAY, tried) == fresh


def test_only_a_present_customer_confirms_and_a_dead_card_pays_nobody() -> None:
    asked = banks()
    wants = replace(CARD, cause=Cause.CUSTOMER_PRESENT)
    assert [asked.approves(wants, START, customer_present=present) for present in (False, True)] == [False, True]
    assert not any(asked.approves(card, START, customer_present=True) for card in cards(cause=Cause.DEAD))


# Customers


def moved(customers: Customers, cause: Cause = Cause.FUNDS, **heard: object) -> float:
    message = replace(Heard(START, 0, 0.0, None), **heard)
    return fmean(customers.moved(f"who_{n}", cause, message) for n in range(200))


def test_messages_move_less_the_more_and_the_later_they_come_and_more_where_they_say_what_is_needed() -> None:
    customers = Customers(Dice(3), parameters_of(3))
    first = moved(customers)
    assert moved(customers, ordinal=1) < first
    assert moved(customers, after_days=15.0) < first / 2
    assert moved(customers, channel="sms") > first > moved(customers, channel="in_app")
    needed = moved(customers, Cause.EXPIRED, kind=FITS[Cause.EXPIRED])
    assert needed > first > moved(customers, Cause.EXPIRED, kind="confirm_payment")


def test_messages_annoy_more_the_more_and_the_sooner_they_come() -> None:
    customers = Customers(Dice(3), parameters_of(3))
    calm, often, soon = Heard(START, 0, 0.0, None), Heard(START, 4, 8.0, 72.0), Heard(START, 4, 8.0, 10.0)
    assert customers.annoyed("who", calm) < customers.annoyed("who", often) < customers.annoyed("who", soon)


# What is shown


def only(cause: str) -> HomeWorld:
    """The world in which every failure has one cause and its code."""
    return HomeWorld(lambda seed: parameters_of(seed).but(causes={**dict.fromkeys(parameters_of(seed).causes, 0.0), cause: 1.0}))


@pytest.mark.parametrize("other", ["issuer_unsaid", "dead_unsaid"])
def test_behind_one_code_the_cause_shows_in_no_field(other: str) -> None:
    """What differs is when a charge failed, whether the issuer was out just then, and how earlier charges went."""
    traces = {"failed_at", "customer_since", "history", "decline"}
    shown = [field.name for field in fields(FailedInvoice) if field.name not in traces]
    for one, another in zip(only("funds_unsaid").open(300, 5), only(other).open(300, 5), strict=True):
        assert {one.decline.code, another.decline.code} <= {"do_not_honor", "issuer_not_available"}
        assert all(getattr(one, name) == getattr(another, name) for name in shown)
        assert one.failed_at.time() == another.failed_at.time()


def test_behind_one_code_every_later_decline_has_it_too() -> None:
    for cause in ("funds_unsaid", "issuer_unsaid", "dead_unsaid"):
        world = only(cause)
        codes = set[str]()
        for invoice in world.open(100, 5):
            result = world.attempt(invoice.case, invoice.failed_at + 2 * DAYS, invoice.credential.id)
            codes |= {result.decline.code} if result.decline else set()
        assert codes - {"issuer_not_available"} == {"do_not_honor"}


# Bands of DOMAIN.md, section 7


def test_a_fixed_ladder_with_messages_recovers_as_much_as_in_the_field() -> None:
    world = HomeWorld()
    ways = [ladder(world, invoice) for invoice in world.open(2000, 1)]
    paid = [way for way in ways if way]
    by_retry = [days for how, days in paid if how == "retry"]
    assert 0.45 <= len(paid) / len(ways) <= 0.60
    assert 0.50 <= len(by_retry) / len(paid) <= 0.70
    assert sum(2 <= days <= 12 for _, days in paid) / len(paid) > 0.5


def test_first_retries_of_soft_declines_succeed_as_often_as_in_the_field() -> None:
    world = HomeWorld()
    soft = [invoice for invoice in world.open(2000, 1) if invoice.decline.code not in NOT_RETRIED]
    first = [world.attempt(i.case, i.failed_at + LADDER_DAYS[0] * DAYS, i.credential.id).approved for i in soft]
    assert 0.15 <= fmean(first) <= 0.35


def ladder(world: HomeWorld, invoice: FailedInvoice) -> tuple[str, float] | None:
    """How a fixed ladder gets the invoice paid, and after how many days, if at all."""
    credential, is_hopeful = invoice.credential.id, invoice.decline.code not in NOT_RETRIED
    for day in sorted({*LADDER_DAYS, *MESSAGE_DAYS, *range(28)}):
        at, is_fresh = invoice.failed_at + day * DAYS, False
        for event in world.advance(invoice.case, at):
            if event.kind == "paid_by_link":
                return "customer", (event.at - invoice.failed_at) / DAYS
            if event.kind in {"cancelled", "disputed"}:
                return None
            if event.credential is not None:
                credential, is_hopeful, is_fresh = event.credential.id, True, True
        if day in MESSAGE_DAYS:
            world.contact(invoice.case, at, "email", "reminder")
        if (is_fresh or (is_hopeful and day in LADDER_DAYS)) and world.attempt(invoice.case, at, credential).approved:
            return ("customer" if is_fresh else "retry"), day
    return None


# The oracle


@pytest.mark.parametrize("name", FACTORIES)
def test_who_peeks_at_the_cause_does_no_better_than_the_oracle(name: str) -> None:
    world = FACTORIES[name]()
    invoices = world.open(1500, 9)
    bounds = [world.oracle(invoice.case).expected_net_minor / invoice.amount_minor for invoice in invoices]
    gained = [peeking(world, invoice) / invoice.amount_minor for invoice in invoices]
    differences = [bound - gain for bound, gain in zip(bounds, gained, strict=True)]
    assert fmean(differences) > -2 * stdev(differences) / len(differences) ** 0.5
    # And it is a bound of some use: not everything is to be had.
    assert fmean(bounds) < 0.9
    assert fmean(gained) > 0.8 * fmean(bounds)


def peeking(world: HomeWorld, invoice: FailedInvoice) -> float:
    """What one who sees the card's cause, paydays and bank nets by a plan of his own."""
    credential, net, end = invoice.credential.id, 0.0, invoice.failed_at + WINDOW
    card = behind(world, invoice)[1]
    writes = [(day, "write") for day in (0.1, 3.1, 6.2, 9.3, 13.0, 19.0)]
    for day, deed in sorted([*writes, *((day, "charge") for day in good_days(world, invoice)), (28.0, "wait")]):
        at, is_fresh = min(invoice.failed_at + day * DAYS, end), False
        for event in world.advance(invoice.case, at):
            if event.kind in {"paid_by_link", "cancelled", "disputed"}:
                return net + (invoice.amount_minor if event.kind == "paid_by_link" else 0)
            credential, is_fresh = (event.credential.id, True) if event.credential else (credential, is_fresh)
        if deed == "write":
            net -= COSTS.message_minor["email"]
            world.contact(invoice.case, at, "email", FITS.get(card.cause, "reminder"))  # type: ignore[arg-type]
        if is_fresh or deed == "charge":
            net -= COSTS.attempt_minor
            if world.attempt(invoice.case, at, credential).approved:
                return net + invoice.amount_minor
    return net


def behind(world: HomeWorld, invoice: FailedInvoice) -> tuple[Banks, Card]:
    """What nobody sees."""
    return world._banks, world._openings[invoice.case].card  # pyright: ignore[reportPrivateUsage]


def good_days(world: HomeWorld, invoice: FailedInvoice) -> list[float]:
    """When to charge, in days after the failure: twice soon after pay, spaced where only the bank is asked, never where it is vain."""
    (asked, card), start = behind(world, invoice), invoice.failed_at.timestamp()
    match card.cause:
        case Cause.FUNDS if card.pay is not Pay.NONE and not card.is_short:
            paid = {day - asked.since_pay(card, start + day * DAY)[0] for day in range(28)}
            return sorted(after + later for after in paid for later in (0.1, 0.6) if after > 0)
        case Cause.FUNDS:
            return [2.6 * n for n in range(1, 11)] if not card.is_short or invoice.amount_minor > 5000 else []
        case Cause.ISSUER if asked.lasting(card).is_blocked:
            return []
        case Cause.LIMIT | Cause.ISSUER:
            return [2.6 * n for n in range(1, 11)]
        case Cause.OUTAGE:
            return [0.5, 1.2, 2.1, 3.5]
        case _:
            return []
