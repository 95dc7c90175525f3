"""A crowd of Stripe events for the volume suite: drawn by number, so that each id, and what it must come to, can be told again."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.stripe_samples import CUSTOMER, DECLINED, INVOICE, event

# What happens to an invoice, in the order in which the platform would tell it; the last three are for the other ends.
STORY = ("invoice.created", "invoice.finalized", "charge.failed", "invoice.payment_failed", "customer.updated", "invoice.paid")
IGNORED, UNKNOWN, BROKEN = "coupon.created", "moon.landed", "invoice.updated"
EVENTS_AN_INVOICE = len(STORY) + 3
DUPLICATE_SHARE, SHUFFLED_WITHIN = 0.2, 200


@dataclass(frozen=True)
class Post:
    """One delivery: the vendor's event id, what it must end as, and its body."""

    event_id: str
    ends: str
    body: bytes


def posts(count: int, seed: int) -> Iterator[Post]:
    """``count`` deliveries: a fifth repeats an earlier one, and a fifth of the others is moved out of its order."""
    dice, window, number = random.Random(seed), list[Post](), 0
    told: list[int] = []
    for _ in range(count):
        if told and dice.random() < DUPLICATE_SHARE:
            window.append(_post(dice.choice(told)))
        else:
            window.append(_post(number))
            told.append(number)
            number += 1
        if len(window) >= SHUFFLED_WITHIN:
            yield window.pop(dice.randrange(len(window)) if dice.random() < 0.2 else 0)
    yield from window


def _post(number: int) -> Post:
    invoice_number, step = divmod(number, EVENTS_AN_INVOICE)
    created, event_id = int(time.time()) - 86_400 + step, f"evt_volume_{number:07d}"
    invoice = f"in_{invoice_number}"
    kind, subject, ends = _told(step, invoice_number)
    whose = {"customer": f"cus_{invoice_number}", **subject}
    named = {"id": invoice, "object": "invoice"} if kind.startswith("invoice") else {}
    body = event(kind, {**whose, **named, **({"id": 7} if ends == "dead" else {})}, id=event_id, created=created, livemode=False)
    return Post(event_id, ends, body.encode())


def _told(step: int, number: int) -> tuple[str, dict[str, object], str]:
    if step >= len(STORY):
        kind = (IGNORED, UNKNOWN, BROKEN)[step - len(STORY)]
        return kind, {"object": "coupon"} if kind != BROKEN else dict(INVOICE), "dead" if kind == BROKEN else "ignored"
    kind = STORY[step]
    if kind == "charge.failed":
        return kind, {**DECLINED, "id": f"ch_{number}", "invoice": f"in_{number}", "payment_intent": f"pi_{number}"}, "processed"
    if kind == "customer.updated":
        return kind, {**CUSTOMER, "id": f"cus_{number}"}, "processed"
    if kind == "invoice.paid" and number % 2:
        kind = "invoice.updated"
    paid = {"status": "paid", "amount_paid": 4900, "amount_remaining": 0} if kind == "invoice.paid" else {}
    return kind, {**INVOICE, **paid, "attempt_count": 1 if step >= 2 else 0}, "processed"
