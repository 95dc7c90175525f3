"""What people do at the platforms in random histories is taken by the doubles: a refused call would leave the histories without it."""

import random
from collections import Counter
from datetime import timedelta

from tests.merchants.life import Life
from tests.merchants.recurly_life import RecurlyLife
from tests.merchants.stripe_life import StripeLife
from tests.vendors.chassis import Answer, Request
from tests.vendors.chassis_trouble import Misbehaviour
from tests.vendors.recurly import RecurlyDouble
from tests.vendors.stripe import StripeDouble
from tests.vendors.stripe_state import Version

SEEDS, TURNS = range(40), 40
# What is lost to the state of things, such as a second refund of the same money.
SHARE_REFUSED_AT_MOST = 0.1

STRIPE_MOVES = {
    "POST /v1/invoices/*",
    "POST /v1/invoices/*/void",
    "POST /v1/invoices/*/mark_uncollectible",
    "POST /v1/invoices/*/pay",
    "POST /v1/refunds",
    "DELETE /v1/subscriptions/*",
}
RECURLY_MOVES = {
    "PUT /accounts/*/billing_info",
    "POST /accounts/*/billing_infos",
    "PUT /invoices/*/mark_failed",
    "PUT /invoices/*/mark_successful",
    "POST /invoices/*/refund",
    "PUT /subscriptions/*/cancel",
    "DELETE /subscriptions/*",
}


Told = list[tuple[Request, Answer]]


class WatchedStripe(StripeDouble):
    """Tells what was answered."""

    told: Told

    def handle(self, request: Request, order: Misbehaviour | None) -> Answer:
        answer = super().handle(request, order)
        self.told.append((request, answer))
        return answer


class WatchedRecurly(RecurlyDouble):
    """Tells what was answered."""

    told: Told

    def handle(self, request: Request, order: Misbehaviour | None) -> Answer:
        answer = super().handle(request, order)
        self.told.append((request, answer))
        return answer


def test_every_move_at_the_desk_happens_at_stripe() -> None:
    told: Told = []
    for seed in SEEDS:
        double = WatchedStripe(account_version=random.Random(seed).choice(list(Version)), seed=seed)
        double.told = told
        live(StripeLife(double), double, seed)
    assert accepted(told, id_at=3) == STRIPE_MOVES


def test_every_move_at_the_desk_happens_at_recurly() -> None:
    told: Told = []
    for seed in SEEDS:
        double = WatchedRecurly(seed=seed)
        double.told = told
        live(RecurlyLife(double), double, seed)
    assert accepted(told, id_at=2) == RECURLY_MOVES


def live(life: Life, double: StripeDouble | RecurlyDouble, seed: int) -> None:
    """A life without Recoup."""
    chance = random.Random(seed)
    life.begin(chance)
    for _ in range(TURNS):
        verbs = (life.customer_pays, life.customer_changes_card, life.merchant_acts, life.merchant_acts, life.bill, life.platform_tries)
        chance.choice(verbs)(chance)
        double.advance(timedelta(hours=chance.choice((1, 24))))


def accepted(told: Told, *, id_at: int) -> set[str]:
    """The kinds of moves that were answered 2xx; raises AssertionError where many were not."""
    times: Counter[tuple[str, bool]] = Counter()
    for request, answer in told:
        path = request.path.split("/")
        words = "/".join([*path[:id_at], *["*"] * (len(path) > id_at), *path[id_at + 1 :]])
        times[f"{request.method} {words}", 200 <= answer.status < 300] += 1
    refused = sum(count for (_, is_taken), count in times.items() if not is_taken)
    assert refused <= SHARE_REFUSED_AT_MOST * times.total(), times
    return {move for move, is_taken in times if is_taken}
