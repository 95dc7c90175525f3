"""The sandbox's population is seeded, order-free, varied, and as recoverable as real failures are."""

from datetime import datetime, timedelta

import pytest

from tools.sandbox.behaviour import Doing, move_after_message, moves_after_failure
from tools.sandbox.causes import Cause
from tools.sandbox.customers import Customers, Heard
from tools.sandbox.draws import Dice
from tools.sandbox.parameters import parameters_of
from tools.sandbox.population import APART, DEFAULT_START, Bill, Person, Population, Role, instant, on_grid

LADDER_DAYS = (1, 3, 5, 7)
MESSAGE_DAYS = (0, 3, 7, 14)
SOFT = (Cause.FUNDS, Cause.ISSUER, Cause.LIMIT, Cause.OUTAGE)


def world(seed: int = 1, cases: int = 60, days: float = 30) -> Population:
    return Population(seed=seed, cases=cases, days=days)


def owing(people: list[Person]) -> list[tuple[Person, Bill]]:
    return [
        (person, bill)
        for person in people
        for bill in person.bills
        if person.role not in {Role.SENT_INVOICE, Role.MANUAL, Role.FIRST_PAYMENT, Role.HEALTHY}
    ]


def plain(population: Population) -> list[tuple[Person, Bill]]:
    """Those whose story has only the turns that chance brings."""
    return [(person, bill) for person, bill in owing(population.people()) if person.role is Role.PLAIN]


def test_one_seed_gives_one_population_and_another_gives_another() -> None:
    assert world(seed=5).people() == world(seed=5).people()
    assert world(seed=5).people() != world(seed=6).people()


def test_a_larger_world_keeps_the_people_of_the_smaller_one() -> None:
    smaller = [person for person in world(cases=20).people() if person.role is Role.PLAIN]
    larger = world(cases=90).people()
    assert all(person in larger for person in smaller)


def test_draws_do_not_depend_on_their_order() -> None:
    dice = Dice(3)
    words = [("a", n) for n in range(50)]
    forwards = {about: dice.draw(*about) for about in words}
    assert {about: dice.draw(*about) for about in reversed(words)} == forwards
    assert len(set(forwards.values())) == len(words)
    assert dice.order(words, "x") != words


@pytest.mark.parametrize("cases", [1, 8, 60, 61])
def test_as_many_invoices_fail_as_were_asked_for(cases: int) -> None:
    assert len(owing(world(cases=cases).people())) == cases


def test_sixty_cases_hold_every_turn_that_a_story_can_take() -> None:
    people = world().people()
    assert {person.role for person in people} == set(Role)
    shared = [person.method.card.fingerprint for person in people if person.role is Role.SHARES_CARD]
    assert len(shared) == 2 * len(set(shared)) > 0
    assert any(person.tier == "premium" for person in people)
    assert any(person.backup for person in people)
    assert len({person.place.timezone for person in people}) > 4


def test_everything_happens_on_the_grid_and_after_the_start() -> None:
    population = world()
    for person, bill in owing(population.people()):
        assert DEFAULT_START < bill.charged_at < DEFAULT_START + timedelta(days=30)
        for move in moves_after_failure(population.customers, person, bill, bill.charged_at):
            assert move.at == on_grid(move.at) > bill.charged_at
    assert on_grid(instant(5)) == instant(5)
    assert on_grid(instant(5) + timedelta(seconds=1)) == instant(6)


def test_two_bills_on_one_card_never_compete_for_it_at_one_instant() -> None:
    pairs: dict[str, list[datetime]] = {}
    for person, bill in owing(world(seed=4).people()):
        pairs.setdefault(person.method.card.fingerprint, []).append(bill.charged_at)
    apart = [max(times) - min(times) for times in pairs.values() if len(times) == 2]
    assert set(apart) == {APART}
    assert len(apart) == 4


def test_banks_send_new_cards_for_those_that_expired_or_were_lost_and_for_no_others() -> None:
    population = world(cases=600)
    replaced: set[Cause] = set()
    for person, bill in plain(population):
        moves = moves_after_failure(population.customers, person, bill, bill.charged_at)
        replaced |= {person.method.card.cause for move in moves if move.doing is Doing.REPLACE_CARD}
    assert replaced == {Cause.EXPIRED, Cause.STOLEN}


def test_whom_a_message_annoys_they_leave_now_or_later_or_opt_out_and_answers_in_words_reach_no_platform() -> None:
    population, always = world(), {"annoyed_share": 1e9, "replies_share": 1.0, "moves_share": 0.0}
    annoyed = Customers(population.dice, parameters_of(1).but(messages=always))
    chatty = Customers(population.dice, parameters_of(1).but(messages={**always, "annoyed_share": 0.0}))
    heard = [Heard(0.0, ordinal, 0.0, None) for ordinal in range(30)]
    person = population.people()[0]
    moves = [move_after_message(annoyed, person, Cause.FUNDS, message) for message in heard]
    assert {move.doing for move in moves if move} == {Doing.CANCEL_NOW, Doing.CANCEL_AT_PERIOD_END, Doing.OPT_OUT}
    assert not any(move_after_message(chatty, person, Cause.FUNDS, message) for message in heard)


def test_who_is_healthy_pays_at_the_first_charge_and_nearly_nobody_else_would_have() -> None:
    population = world(cases=300)
    people = population.people()
    healthy = [person for person in people if person.role is Role.HEALTHY]
    assert all(population.banks.approves(p.method.card, p.bills[0].charged_at.timestamp()) for p in healthy)
    failing = [(p, b) for p, b in plain(population) if p.method.card.cause is not Cause.OUTAGE]
    would_have_paid = [population.banks.approves(p.method.card, b.charged_at.timestamp()) for p, b in failing]
    assert sum(would_have_paid) / len(failing) < 0.02


def test_first_retries_succeed_as_often_as_in_the_field() -> None:
    population = world(seed=11, cases=2000)
    soft = [(p, b) for p, b in plain(population) if p.method.card.cause in SOFT]
    paid = [retry(population, p, b.charged_at + timedelta(days=LADDER_DAYS[0]), [b.charged_at.timestamp()]) for p, b in soft]
    assert 0.25 <= sum(paid) / len(paid) <= 0.35


def test_a_fixed_ladder_with_messages_recovers_as_much_as_in_the_field() -> None:
    population = world(seed=11, cases=2000)
    debts = plain(population)
    ways = [way_paid(population, person, bill) for person, bill in debts]
    paid = [way for way in ways if way is not None]
    assert 0.50 <= len(paid) / len(debts) <= 0.65
    assert 0.50 <= paid.count("retry") / len(paid) <= 0.70


def retry(population: Population, person: Person, at: datetime, tried: list[float]) -> bool:
    return population.banks.approves(person.method.card, at.timestamp(), tried)


def way_paid(population: Population, person: Person, bill: Bill) -> str | None:
    """How a ladder of retries and messages gets the bill paid, if at all: the engine's work in miniature."""
    start, cause = bill.charged_at, person.method.card.cause
    happenings: list[tuple[datetime, str, int]] = []
    happenings += [(start + timedelta(days=day), "retry", n) for n, day in enumerate(LADDER_DAYS)]
    happenings += [(start + timedelta(days=day), "message", n) for n, day in enumerate(MESSAGE_DAYS)]
    happenings += [(move.at, move.doing, 0) for move in moves_after_failure(population.customers, person, bill, start)]
    tried = [start.timestamp()]
    while happenings:
        happenings.sort()
        at, what, ordinal = happenings.pop(0)
        days = (at - start) / timedelta(days=1)
        if what in {Doing.UPDATE_METHOD, Doing.REPLACE_CARD, Doing.PAY_LINK}:
            return "customer"
        if what in {Doing.CANCEL_NOW, Doing.DISPUTE}:
            return None
        if what == "retry":
            if retry(population, person, at, tried):
                return "retry"
            tried.append(at.timestamp())
        if what == "message":
            heard = Heard(at.timestamp(), ordinal, days, 72.0 if ordinal else None, kind="reminder")
            move = move_after_message(population.customers, person, cause, heard)
            happenings += [(move.at, move.doing, 0)] if move else []
    return None
