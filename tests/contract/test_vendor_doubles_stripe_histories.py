"""The double of Stripe over time: its own retries, keys that expire, answers that get lost, webhooks that come late, twice and mixed up."""

import hashlib
import hmac
import json
import threading
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.vendors.chassis_trouble import Trouble
from tests.vendors.stripe_stage import Stage, error_of, stage
from tests.vendors.stripe_state import Customer, Event, Invoice, Subscription, Version

DAY = timedelta(days=1)


@pytest.fixture
def served() -> Generator[Stage]:
    """A double of the newer version."""
    with stage() as it:
        yield it


def tried_on(served: Stage, invoice: Invoice) -> list[int]:
    """On which days after the bill an attempt was made."""
    return [(attempt.at - invoice.created).days for attempt in served.double.ledger() if attempt.invoice == invoice.id]


def test_the_platform_retries_by_itself_and_then_gives_up(served: Stage) -> None:
    invoice, _ = served.double.owed_invoice(*["insufficient_funds"] * 9)
    served.double.advance(30 * DAY)
    assert tried_on(served, invoice) == [0, 3, 8, 15]
    document = served.get(f"invoices/{invoice.id}")
    assert (document["attempt_count"], document["next_payment_attempt"], document["auto_advance"]) == (4, None, False)


def test_a_retry_that_works_ends_the_dunning(served: Stage) -> None:
    invoice, _ = served.double.owed_invoice("insufficient_funds", "do_not_honor", "ok")
    served.double.advance(30 * DAY)
    assert served.outcomes(invoice) == [("platform", "failed"), ("platform", "failed"), ("platform", "succeeded")]
    assert served.get(f"subscriptions/{invoice.subscription}")["status"] == "active"


def test_an_invoice_taken_over_is_left_alone_and_handed_back_without_an_extra_attempt(served: Stage) -> None:
    invoice, card = served.double.owed_invoice(*["insufficient_funds"] * 9)
    assert served.post(f"invoices/{invoice.id}", auto_advance="false").json()["next_payment_attempt"] is None
    served.double.advance(5 * DAY)
    error_of(served.pay(invoice, card), 402)
    assert served.outcomes(invoice) == [("platform", "failed"), ("merchant", "failed")]
    assert served.get(f"invoices/{invoice.id}")["attempt_count"] == 1
    handed_back = served.post(f"invoices/{invoice.id}", auto_advance="true").json()
    assert handed_back["next_payment_attempt"] == int((invoice.created + 10 * DAY).timestamp())
    served.double.advance(5 * DAY)
    assert tried_on(served, invoice) == [0, 5, 10]


def test_a_card_that_can_never_work_is_not_tried_again_until_there_is_another(served: Stage) -> None:
    invoice, _ = served.double.owed_invoice("lost_card")
    served.double.advance(4 * DAY)
    assert tried_on(served, invoice) == [0]
    assert served.get(f"invoices/{invoice.id}")["attempt_count"] == 2
    served.double.add_card(served.double.world.get(Customer, invoice.customer), "pm_card_mastercard")
    served.double.advance(5 * DAY)
    assert served.outcomes(invoice) == [("platform", "failed"), ("platform", "succeeded")]


def test_a_subscription_renews_pauses_and_ends(served: Stage) -> None:
    customer = served.double.add_customer()
    served.double.add_card(customer)
    subscription = served.double.add_subscription(customer)
    path = f"subscriptions/{subscription.id}"
    served.double.advance(30 * DAY)
    resumes_at = int((served.double.clock.now() + 40 * DAY).timestamp())
    pause: dict[str, Any] = {"pause_collection[behavior]": "mark_uncollectible", "pause_collection[resumes_at]": resumes_at}
    served.post(path, **pause).raise_for_status()
    served.double.advance(40 * DAY)
    assert served.get(path)["pause_collection"] is None
    served.post(path, cancel_at_period_end="true").raise_for_status()
    served.double.advance(60 * DAY)
    statuses = [document["status"] for document in served.get("invoices")["data"]]
    assert statuses == ["uncollectible", "paid"]
    assert served.get(path)["status"] == "canceled"
    assert error_of(served.client.delete(f"/v1/{path}"), 404)["code"] == "resource_missing"


def test_the_last_failure_does_what_the_merchant_has_set(served: Stage) -> None:
    invoice, _ = served.double.owed_invoice(*["insufficient_funds"] * 9)
    subscription = served.double.world.get(Subscription, str(invoice.subscription))
    subscription.final_action = "cancel"
    served.double.advance(16 * DAY)
    assert served.get(f"subscriptions/{subscription.id}")["cancellation_details"]["reason"] == "payment_failed"


def test_a_key_answers_once_and_then_replays_for_a_day(served: Stage) -> None:
    invoice, card = served.double.owed_invoice("insufficient_funds", "do_not_honor", "ok")
    served.post(f"invoices/{invoice.id}", auto_advance="false").raise_for_status()
    first, again = served.pay(invoice, card, "key-1"), served.pay(invoice, card, "key-1")
    assert (first.status_code, again.status_code) == (402, 402)
    assert first.json() == again.json()
    assert (first.headers.get("Idempotent-Replayed"), again.headers.get("Idempotent-Replayed")) == (None, "true")
    assert error_of(served.pay(invoice, card, "key-1", off_session="false"), 400)["type"] == "idempotency_error"
    served.double.advance(DAY - timedelta(seconds=1))
    assert served.pay(invoice, card, "key-1").status_code == 402
    served.double.advance(timedelta(seconds=1))
    assert served.pay(invoice, card, "key-1").status_code == 200
    assert len(served.outcomes(invoice)) == 3


def test_what_was_not_executed_is_not_kept_under_its_key(served: Stage) -> None:
    invoice, card = served.double.owed_invoice("insufficient_funds", "ok")
    error_of(served.pay(invoice, card, "key-1", nonsense="1"), 400)
    for trouble in (Trouble.RATE_LIMITED, Trouble.SERVER_ERROR, Trouble.UNAVAILABLE, Trouble.REVOKED_KEY):
        served.double.misbehaviours.add(trouble, "POST")
        assert served.pay(invoice, card, "key-1").status_code in {401, 429, 500, 503}
    assert served.pay(invoice, card, "key-1").status_code == 200


def test_an_event_names_the_key_that_caused_it(served: Stage) -> None:
    invoice, card = served.double.owed_invoice("insufficient_funds", "ok")
    answer = served.pay(invoice, card, "action-7")
    events = served.get("events", **{"types[]": ["invoice.paid", "invoice.payment_failed"]})["data"]
    told = [(event["type"], event["request"]["idempotency_key"]) for event in events]
    assert told == [("invoice.paid", "action-7"), ("invoice.payment_failed", None)]
    assert events[0]["request"]["id"] == answer.headers["Request-Id"]


def test_events_are_kept_for_thirty_days(served: Stage) -> None:
    served.double.owed_invoice("ok")
    served.double.advance(30 * DAY)
    assert served.get("events", type="invoice.paid")["data"]
    served.double.advance(DAY)
    assert not served.get("events", type="invoice.paid")["data"]


def test_a_lost_answer_was_processed_and_its_key_tells(served: Stage) -> None:
    invoice, card = served.double.owed_invoice("insufficient_funds", "ok")
    served.double.misbehaviours.add(Trouble.RESET_AFTER, "POST", "/v1/invoices")
    with pytest.raises(httpx.TransportError):
        served.pay(invoice, card, "key-1")
    assert served.outcomes(invoice)[-1] == ("merchant", "succeeded")
    assert served.pay(invoice, card, "key-1").json()["status"] == "paid"
    assert len(served.outcomes(invoice)) == 2


def test_a_lost_request_was_not_processed(served: Stage) -> None:
    invoice, card = served.double.owed_invoice("insufficient_funds", "ok")
    served.double.misbehaviours.add(Trouble.RESET_BEFORE, "POST", "/v1/invoices")
    with pytest.raises(httpx.TransportError):
        served.pay(invoice, card, "key-1")
    assert served.outcomes(invoice) == [("platform", "failed")]


@pytest.mark.parametrize(("trouble", "attempts"), [(Trouble.STORED_SERVER_ERROR, 2), (Trouble.LOST_SERVER_ERROR, 1)])
def test_a_stored_failure_is_replayed_whether_or_not_money_moved(served: Stage, trouble: Trouble, attempts: int) -> None:
    invoice, card = served.double.owed_invoice("insufficient_funds", "ok")
    served.double.misbehaviours.add(trouble, "POST", "/v1/invoices")
    assert error_of(served.pay(invoice, card, "key-1"), 500)["type"] == "api_error"
    replayed = served.pay(invoice, card, "key-1")
    assert (replayed.status_code, replayed.headers["Idempotent-Replayed"]) == (500, "true")
    assert len(served.outcomes(invoice)) == attempts


def test_a_key_in_use_is_a_conflict(served: Stage) -> None:
    invoice, card = served.double.owed_invoice("insufficient_funds", "ok")
    released = threading.Event()
    served.double.misbehaviours.add(Trouble.HELD, "POST", until=released)
    first: list[httpx.Response] = []
    held = threading.Thread(target=lambda: first.append(served.pay(invoice, card, "key-1")))
    with served.double.changed:
        held.start()
        assert served.double.changed.wait_for(lambda: served.double.is_in_flight("key-1"), timeout=5)
    assert error_of(served.pay(invoice, card, "key-1"), 409)["code"] == "idempotency_key_in_use"
    released.set()
    held.join()
    assert first[0].json()["status"] == "paid"


def test_the_other_troubles_look_as_they_do_in_life(served: Stage) -> None:
    trouble = served.double.misbehaviours
    trouble.add(Trouble.RATE_LIMITED, seconds=7)
    assert served.client.get("/v1/account").headers["Retry-After"] == "7"
    trouble.add(Trouble.WRONG_CONTENT_TYPE)
    assert served.client.get("/v1/account").headers["Content-Type"] == "text/html"
    trouble.add(Trouble.SLOW_BODY, seconds=60.0)
    with pytest.raises(httpx.ReadTimeout):
        served.client.get("/v1/account", timeout=0.2)
    outage = trouble.add(Trouble.UNAVAILABLE, "GET", "/v1/charges", times=None)
    assert [served.client.get(f"/v1/{path}").status_code for path in ("charges", "charges", "account")] == [503, 503, 200]
    trouble.lift(outage)
    assert served.client.get("/v1/charges").status_code == 200
    trouble.add(Trouble.SERVER_ERROR, skip=1)
    assert [served.client.get("/v1/account").status_code for _ in range(3)] == [200, 500, 200]


def test_a_customer_who_pays_in_the_last_moment_is_not_charged_again(served: Stage) -> None:
    invoice, card = served.double.owed_invoice("insufficient_funds", "ok")
    served.double.before_next("POST", f"/v1/invoices/{invoice.id}/pay", lambda: served.double.customer_pays(invoice, card))
    assert error_of(served.pay(invoice, card), 400)["message"] == "Invoice is already paid"
    assert served.double.customer_pays(invoice, card) is None
    assert served.outcomes(invoice) == [("platform", "failed"), ("customer", "succeeded")]


def test_a_payment_beside_the_platforms_own_overpays(served: Stage) -> None:
    invoice, card = served.double.owed_invoice("ok")
    charge = served.double.customer_pays(invoice, card, separately=True)
    assert charge is not None
    assert served.get(f"invoices/{invoice.id}")["amount_overpaid"] == 4900
    assert [p["is_default"] for p in served.get("invoice_payments", invoice=invoice.id)["data"]] == [False, True]


class Receiver:
    """Takes webhooks; refuses the first ``refusals`` of them."""

    def __init__(self, refusals: int = 0) -> None:
        self.requests: list[httpx.Request] = []
        self.refusals = refusals

    def client(self) -> httpx.AsyncClient:
        """What a courier delivers with."""
        return httpx.AsyncClient(transport=httpx.MockTransport(self._take))

    def ids(self) -> list[str]:
        """Ids of the events that came, in the order of their coming."""
        return [json.loads(request.content)["id"] for request in self.requests]

    def _take(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(503 if len(self.requests) <= self.refusals else 204)


async def test_webhooks_come_late_twice_and_out_of_order_but_all_of_them(served: Stage) -> None:
    receiver = Receiver()
    served.double.add_endpoint("http://receiver.test/stripe")
    for _ in range(4):
        served.double.owed_invoice("ok")
    sent = [parcel.event_id for parcel in served.double.courier.waiting]
    async with receiver.client() as client:
        await served.double.courier.deliver(client, late=0.5, twice=0.5, shuffled=True)
        early = receiver.ids()
        await served.double.courier.deliver(client)
    assert set(early) < set(sent)
    assert len(early) > len(set(early))
    assert [sent.index(event) for event in early] != sorted(sent.index(event) for event in early)
    assert set(receiver.ids()) == set(sent)


async def test_what_a_receiver_refuses_is_delivered_again_and_signed_anew(served: Stage) -> None:
    receiver = Receiver(refusals=1)
    endpoint = served.double.add_endpoint("http://receiver.test/stripe", ["invoice.paid"])
    endpoint.secrets.append("whsec_rolled")
    served.double.owed_invoice("ok")
    async with receiver.client() as client:
        await served.double.courier.deliver(client)
        served.double.advance(timedelta(hours=1))
        await served.double.courier.deliver(client)
    first, second = receiver.requests
    assert first.content == second.content
    stamp = int(served.double.clock.now().timestamp())
    signed = f"{stamp}.".encode() + second.content
    marks = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in endpoint.secrets]
    assert second.headers["Stripe-Signature"] == f"t={stamp},v1={marks[0]},v1={marks[1]}"


@pytest.mark.parametrize(("version", "names"), [(Version.OLD, "subscription"), (Version.NEW, "parent")])
def test_an_endpoint_gets_the_shape_of_its_own_version(served: Stage, version: Version, names: str) -> None:
    served.double.add_endpoint("http://receiver.test/stripe", ["invoice.paid"], version=version)
    served.double.owed_invoice("ok")
    (parcel,) = served.double.courier.waiting
    event: dict[str, Any] = json.loads(parcel.body)
    assert event["api_version"] == version.value
    assert names in event["data"]["object"]


def test_history_that_nobody_was_told_of_leaves_no_events(served: Stage) -> None:
    with served.double.untold():
        invoice, _ = served.double.owed_invoice("insufficient_funds")
    assert served.get("events")["data"] == []
    assert served.get("invoices")["data"][0]["id"] == invoice.id
    served.double.add_customer()
    assert [event["type"] for event in served.get("events")["data"]] == ["customer.created"]


def test_a_double_is_the_same_for_the_same_history() -> None:
    def history() -> Any:
        with stage() as it:
            invoice, card = it.double.owed_invoice("insufficient_funds", "do_not_honor")
            it.pay(invoice, card, "key-1")
            it.double.advance(20 * DAY)
            return it.double.ledger(), [event.bodies for event in it.double.world.newest_first(Event)]

    assert history() == history()
