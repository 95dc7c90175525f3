"""The double of Recurly pages, limits, authenticates, refuses unknown input and tells its webhooks as Recurly does."""

import json
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from recoup.errors import SignatureRefused
from tests.vendors.chassis_trouble import Trouble
from tests.vendors.recurly import READ_ONLY_KEY, RecurlyDouble, headers_for
from tests.vendors.recurly_client import checked_client, collect, declined, error_of, outcomes
from tests.vendors.recurly_records import Invoice
from tests.vendors.recurly_webhooks import signature
from tools.billing.signatures import verify_recurly

MINUTE = timedelta(minutes=1)


@pytest.fixture
def recurly() -> RecurlyDouble:
    return RecurlyDouble(seed=5)


@pytest.fixture
def api(recurly: RecurlyDouble) -> Generator[httpx.Client]:
    with checked_client(recurly) as client:
        yield client


def pages(api: httpx.Client, path: str, **query: Any) -> list[list[str]]:
    """The ids on every page, following ``next`` as it is given."""
    found: list[list[str]] = []
    response = api.get(path, params=query)
    while True:
        page = response.json()
        found.append([record["id"] for record in page["data"]])
        assert page["has_more"] == (page["next"] is not None)
        if not page["has_more"]:
            return found
        response = api.get(page["next"])


def test_a_cursor_goes_through_all_records_once_in_the_order_of_their_change(recurly: RecurlyDouble, api: httpx.Client) -> None:
    account = recurly.account(recurly.card())
    made: list[str] = []
    for _ in range(5):
        recurly.advance(MINUTE)
        made.append(recurly.invoice(account).id)
    assert pages(api, "/invoices", sort="updated_at", order="asc", limit=2) == [made[:2], made[2:4], made[4:]]
    assert pages(api, "/invoices", limit=3) == [made[:1:-1], made[1::-1]]
    begin = recurly.store.invoices[made[3]].updated_at.isoformat()
    assert pages(api, "/invoices", sort="updated_at", order="asc", begin_time=begin, limit=1) == [[made[3]], [made[4]]]
    assert sorted(pages(api, "/invoices", ids=f"{made[4]},{made[0]},unknown")[0]) == sorted([made[0], made[4]])


def test_what_changes_while_paging_comes_again_in_ascending_order_and_is_lost_in_descending(
    recurly: RecurlyDouble, api: httpx.Client
) -> None:
    made: list[Invoice] = []
    for _ in range(3):
        recurly.advance(MINUTE)
        made.append(declined(recurly))
    first, middle, last = made
    ascending = api.get("/invoices", params={"sort": "updated_at", "order": "asc", "limit": 2}).json()
    descending = api.get("/invoices", params={"sort": "updated_at", "order": "desc", "limit": 1}).json()
    recurly.advance(MINUTE)
    api.put(f"/invoices/{first.id}/mark_failed")
    assert [invoice["id"] for invoice in api.get(ascending["next"]).json()["data"]] == [last.id, first.id]
    assert [invoice["id"] for invoice in api.get(descending["next"]).json()["data"]] == [middle.id]


def test_lists_are_filtered_and_counted(recurly: RecurlyDouble, api: httpx.Client) -> None:
    owing, paid = declined(recurly), recurly.invoice(recurly.account(recurly.card()))
    assert pages(api, "/invoices", state="past_due", type="charge") == [[owing.id]]
    assert pages(api, "/accounts", past_due="true") == [[owing.account_id]]
    assert pages(api, f"/accounts/{paid.account_id}/invoices") == [[paid.id]]
    assert [len(page) for page in pages(api, "/transactions", success="true", type="payment")] == [1]
    counted = api.head("/invoices", params={"state": "past_due"})
    assert (counted.headers["recurly-total-records"], counted.content) == ("1", b"")


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("/invoices?status=open", "status"),
        ("/invoices?limit=201", "limit"),
        ("/invoices?sort=number", "sort"),
        ("/invoices?state=overdue", "state"),
        ("/invoices?begin_time=yesterday", "begin_time"),
        ("/invoices?ids=a&limit=5", "ids"),
        ("/invoices?cursor=nonsense", "cursor"),
        ("/transactions?success=false", "success"),
        ("/accounts?since=2026", "since"),
        ("/dunning_campaigns?limit=5", "limit"),
    ],
)
def test_unknown_and_wrong_query_parameters_are_refused_by_name(api: httpx.Client, path: str, wrong: str) -> None:
    assert error_of(api.get(path)) == (400, "bad_request", [wrong])


def test_unknown_and_wrong_bodies_are_refused_by_name(recurly: RecurlyDouble, api: httpx.Client) -> None:
    invoice = declined(recurly)
    account = f"/accounts/{invoice.account_id}"
    assert error_of(collect(api, invoice, card="4111")) == (400, "bad_request", ["card"])
    assert error_of(api.put(account, json={"metadata": {}})) == (400, "bad_request", ["metadata"])
    assert error_of(api.put(account, json={"email": 5})) == (422, "validation", ["email"])
    assert error_of(api.post(f"{account}/notes", json={})) == (422, "validation", ["message"])
    assert error_of(api.post(f"{account}/notes", content=b"{"))[1] == "invalid_content_type"
    assert error_of(api.post(f"{account}/notes", content=b"{", headers={"content-type": "application/json"}))[1] == "bad_request"
    assert error_of(api.put(f"/invoices/{invoice.id}", json={"auto_advance": False})) == (422, "validation", ["auto_advance"])
    assert error_of(api.put("/invoices/number-9/collect")) == (404, "not_found", [])
    assert error_of(collect(api, invoice, "k" * 256)) == (400, "bad_request", ["Idempotency-Key"])
    assert outcomes(recurly) == [("platform", "failed")]


def test_custom_fields_change_only_what_is_named_and_notes_are_kept(recurly: RecurlyDouble, api: httpx.Client) -> None:
    account = f"/accounts/{recurly.account().id}"
    unknown = {"custom_fields": [{"name": "recoup_state", "value": "open"}]}
    assert error_of(api.put(account, json=unknown)) == (422, "validation", ["custom_fields"])
    for name in ("recoup_state", "recoup_case"):
        recurly.custom_field(name)
        api.put(account, json={"custom_fields": [{"name": name, "value": "open"}]})
    told = api.put(account, json={"custom_fields": [{"name": "recoup_case", "value": ""}]}).json()
    assert [(field["name"], field["value"]) for field in told["custom_fields"]] == [("recoup_state", "open")]
    note = api.post(f"{account}/notes", json={"message": "asked for another card"})
    assert note.status_code == 201
    assert [kept["message"] for kept in api.get(f"{account}/notes").json()["data"]] == ["asked for another card"]
    assert api.delete(f"{account}/notes/{note.json()['id']}").status_code == 204
    assert error_of(api.get(f"{account}/notes/{note.json()['id']}"))[0] == 404


def test_a_backup_card_is_tried_by_recurly_and_any_card_can_be_chosen(recurly: RecurlyDouble, api: httpx.Client) -> None:
    invoice = declined(recurly)
    wallet = f"/accounts/{invoice.account_id}/billing_infos"
    second = api.post(wallet, json={"token_id": recurly.token(recurly.card("declined")), "backup_payment_method": True}).json()
    third = api.post(wallet, json={"token_id": recurly.token(recurly.card("declined"))}).json()
    assert (second["primary_payment_method"], second["backup_payment_method"]) == (False, True)
    assert api.put(f"{wallet}/{third['id']}", json={"backup_payment_method": True}).json()["backup_payment_method"] is True
    assert api.get(f"{wallet}/{second['id']}").json()["backup_payment_method"] is False
    recurly.advance(timedelta(days=2))
    collect(api, invoice, billing_info_id=second["id"])
    cards = [recurly.store.billing_infos[told["id"]].card.fingerprint for told in (third, second)]
    assert [attempt.fingerprint for attempt in recurly.ledger()][2:] == cards
    assert error_of(collect(api, invoice, billing_info_id="nobodys")) == (422, "validation", ["billing_info_id"])
    recurly.site.has_wallet = False
    assert error_of(collect(api, invoice, billing_info_id=second["id"]))[1] == "missing_feature"


def test_keys_versions_and_permissions_are_checked(recurly: RecurlyDouble, api: httpx.Client) -> None:
    reader = headers_for(READ_ONLY_KEY)
    assert error_of(api.get("/sites", headers={"authorization": ""}))[:2] == (401, "unauthorized")
    assert api.get("/sites", headers=reader).status_code == 200
    assert error_of(api.put(f"/accounts/{recurly.account().id}", json={}, headers=reader))[:2] == (403, "invalid_permissions")
    recurly.entrance.keys.pop(READ_ONLY_KEY)
    assert error_of(api.get("/sites", headers=reader))[:2] == (401, "invalid_api_key")
    assert api.get("/sites").headers["recurly-version"] == "recurly.v2021-02-25"
    wrong = api.get("/nothing-known", headers={"accept": "application/json"})
    assert error_of(wrong)[:2] == (406, "invalid_api_version")
    recurly.log.pop()  # the specification knows no such path


def test_only_reading_is_limited_in_production_over_five_minutes_that_slide(recurly: RecurlyDouble, api: httpx.Client) -> None:
    recurly.site.mode, recurly.entrance.per_minute = "production", 1
    account = recurly.account()
    left = [api.get("/sites").headers["x-ratelimit-remaining"] for _ in range(5)]
    assert left == ["4", "3", "2", "1", "0"]
    refused = api.get("/sites")
    assert error_of(refused)[:2] == (429, "rate_limited")
    reset = int(refused.headers["x-ratelimit-reset"])
    assert reset == recurly.clock.timestamp() + 300
    assert api.post(f"/accounts/{account.id}/notes", json={"message": "still written"}).status_code == 201
    recurly.advance(5 * MINUTE)
    assert api.get("/sites").status_code == 200


@pytest.mark.parametrize(
    ("trouble", "status", "kind"),
    [
        (Trouble.RATE_LIMITED, 429, "rate_limited"),
        (Trouble.SERVER_ERROR, 500, "internal_server_error"),
        (Trouble.REVOKED_KEY, 401, "invalid_api_key"),
        (Trouble.UNAVAILABLE, 503, "service_not_available"),
    ],
)
def test_troubles_are_told_in_recurlys_words_and_charge_nothing(
    recurly: RecurlyDouble, api: httpx.Client, trouble: Trouble, status: int, kind: str
) -> None:
    invoice = declined(recurly, "ok")
    recurly.misbehaviours.add(trouble, "PUT", "/invoices/", seconds=7)
    refused = collect(api, invoice, "k")
    assert error_of(refused)[:2] == (status, kind)
    assert refused.headers.get("retry-after") == ("7" if status in {429, 503} else None)
    assert len(recurly.ledger()) == 1
    assert collect(api, invoice, "k").status_code == 200


@pytest.mark.parametrize("held", ["new", "old"])
def test_a_delivery_is_signed_with_every_secret_that_lives(held: str) -> None:
    at, body = RecurlyDouble().clock.now(), b'{"id":"rjxwmwedwqug","object_type":"account"}'
    verify_recurly(body, signature(body, ["new", "old"], at), (held,), at.timestamp())
    with pytest.raises(SignatureRefused):
        verify_recurly(body, signature(body, ["new", "old"], at), ("older",), at.timestamp())


async def test_webhooks_are_thin_signed_anew_and_delivered_when_the_test_says(recurly: RecurlyDouble) -> None:
    received: list[httpx.Request] = []

    def receive(request: httpx.Request) -> httpx.Response:
        received.append(request)
        return httpx.Response(500 if len(received) == 1 else 204)

    recurly.send_webhooks_to("http://recoup.test/hook", "secret", "older", events=frozenset({"charge_invoice.past_due"}))
    invoice = declined(recurly)
    async with httpx.AsyncClient(transport=httpx.MockTransport(receive)) as client:
        await recurly.courier.deliver(client)
        recurly.advance(MINUTE)
        await recurly.courier.deliver(client)
    first, second = received
    assert json.loads(second.content) == {
        "id": invoice.id,
        "object_type": "charge_invoice",
        "site_id": recurly.site.id,
        "event_type": "past_due",
        "event_time": "2026-11-02T09:00:00Z",
        "invoice_number": int(invoice.number),
    }
    assert second.headers["recurly-signature"] == signature(second.content, ["secret", "older"], recurly.clock.now())
    assert first.headers["recurly-signature"] != second.headers["recurly-signature"]
    assert first.headers["recurly-notification-id"] == second.headers["recurly-notification-id"]


def test_every_change_is_announced(recurly: RecurlyDouble, api: httpx.Client) -> None:
    recurly.send_webhooks_to("http://recoup.test/hook", "secret")
    invoice = declined(recurly, "ok")
    collect(api, invoice)
    api.post(f"/invoices/{invoice.id}/refund", json={"type": "percentage", "percentage": 50})
    api.put(f"/accounts/{invoice.account_id}", json={"first_name": "Grace"})
    assert [parcel.event_type for parcel in recurly.courier.waiting] == [
        "account.created",
        "billing_info.created",
        "charge_invoice.created",
        "payment.failed",
        "charge_invoice.past_due",
        "dunning_event.created",
        "payment.succeeded",
        "charge_invoice.paid",
        "credit_invoice.created",
        "payment.refunded",
        "account.updated",
    ]
