"""The double of Recurly answers as its specification says, keeps its keys for an hour, retries by itself and refuses what it must."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest

from tests.vendors.chassis_trouble import Trouble
from tests.vendors.contract import Contract
from tests.vendors.recurly import RecurlyDouble
from tests.vendors.recurly_client import checked_client, collect, declined, error_of, outcomes

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def recurly() -> RecurlyDouble:
    return RecurlyDouble(seed=4)


@pytest.fixture
def api(recurly: RecurlyDouble) -> Generator[httpx.Client]:
    with checked_client(recurly) as client:
        yield client


def test_every_record_is_told_as_the_specification_says(recurly: RecurlyDouble, api: httpx.Client) -> None:
    contract = Contract.required("recurly")
    account = recurly.account(recurly.card("expired_card"))
    recurly.billing_info(account, recurly.card(kind="bank_account_info"), backup=True)
    subscription = recurly.subscription(account, currency="JPY", amount=900)
    invoice = recurly.invoice(account, 900, "JPY", subscription)
    recurly.custom_field("recoup_case")
    here = f"/accounts/{account.id}"
    paths = ["/accounts", "/invoices", "/subscriptions", "/transactions", "/sites", "/dunning_campaigns", "/custom_field_definitions"]
    parts = ["", "/balance", "/billing_info", "/billing_infos", "/invoices", "/transactions", "/subscriptions", "/notes"]
    paths += [here + part for part in parts] + [f"/accounts/code-{account.code}", f"/invoices/number-{invoice.number}"]
    paths += [f"/subscriptions/uuid-{subscription.uuid}", f"/subscriptions/{subscription.id}/invoices"]
    paths += [f"/dunning_campaigns/{recurly.default_campaign.id}", f"/sites/subdomain-{recurly.site.subdomain}"]
    for path in paths:
        assert api.get(path).status_code == 200, path
    assert len(recurly.log) == len(paths)
    for exchange in recurly.log:
        contract.check_exchange(exchange)
    assert len(api.get(here).json()["hosted_login_token"]) == 32
    told = api.get(f"/invoices/{invoice.id}").json()
    assert (told["state"], told["total"], [t["status_code"] for t in told["transactions"]]) == ("paid", 900.0, ["expired_card", None])
    assert [t["backup_payment_method_used"] for t in told["transactions"]] == [False, True]


def test_a_decline_tells_its_codes_and_its_transaction(recurly: RecurlyDouble, api: httpx.Client) -> None:
    invoice = declined(recurly, "cardholder_requested_stop", "three_d_secure_action_required", "gateway_timeout")
    told = [collect(api, invoice).json()["error"] for _ in range(3)]
    assert {error["type"] for error in told} == {"transaction"}
    errors = [error["transaction_error"] for error in told]
    assert [error["category"] for error in errors] == ["hard", "three_d_secure_action_required", "communication"]
    assert [error["decline_code"] for error in errors] == ["cardholder_requested_stop", "requires_3d_secure", None]
    assert [bool(error["three_d_secure_action_token_id"]) for error in errors] == [False, True, False]
    last = api.get(f"/transactions/{errors[2]['transaction_id']}").json()
    assert (last["status"], last["origin"], last["initiator"], last["merchant_reason_code"]) == (
        "error",
        "api_force_collect",
        "merchant",
        "resubmission",
    )


def test_a_key_replays_its_answer_for_an_hour_and_then_charges_again(recurly: RecurlyDouble, api: httpx.Client) -> None:
    invoice = declined(recurly)
    first, again = collect(api, invoice, "k"), collect(api, invoice, "k", billing_info_id="whatever")
    assert (first.json(), "idempotency-prior" in first.headers) == (again.json(), False)
    assert again.headers["idempotency-prior"] == "true"
    recurly.advance(HOUR - timedelta(seconds=1))
    assert collect(api, invoice, "k").headers["idempotency-prior"] == "true"
    assert len(recurly.ledger()) == 2
    recurly.advance(timedelta(seconds=1))
    assert "idempotency-prior" not in collect(api, invoice, "k").headers
    assert [attempt.idempotency_key for attempt in recurly.ledger()] == [None, "k", "k"]


def test_a_key_is_bound_to_its_path_and_may_be_used_for_another(recurly: RecurlyDouble, api: httpx.Client) -> None:
    one, other = declined(recurly, "ok"), declined(recurly, "ok")
    assert collect(api, one, "k").json()["id"] == one.id
    assert collect(api, other, "k").json()["id"] == other.id


def test_of_two_requests_at_once_under_a_key_one_is_told_to_wait(recurly: RecurlyDouble, api: httpx.Client) -> None:
    invoice = declined(recurly, "ok")
    recurly.misbehaviours.add(Trouble.HELD, "PUT", "/invoices/", seconds=2.0)
    with ThreadPoolExecutor() as pool:
        answers = [pool.submit(collect, api, invoice, "k") for _ in range(2)]
        done, refused = sorted((answer.result() for answer in answers), key=lambda answer: answer.status_code)
    assert (done.status_code, refused.status_code) == (200, 409)
    assert (refused.headers["recurly-should-retry"], refused.headers["retry-after"]) == ("true", "1")
    assert collect(api, invoice, "k").headers["idempotency-prior"] == "true"
    assert outcomes(recurly) == [("platform", "failed"), ("merchant", "succeeded")]


def test_an_answer_lost_on_the_way_is_found_among_the_transactions(recurly: RecurlyDouble, api: httpx.Client) -> None:
    invoice = declined(recurly, "ok")
    known = {t["id"] for t in api.get(f"/accounts/{invoice.account_id}/transactions").json()["data"]}
    recurly.misbehaviours.add(Trouble.RESET_AFTER, "PUT", "/invoices/")
    with pytest.raises(httpx.TransportError):
        collect(api, invoice, "k")
    found = api.get(f"/accounts/{invoice.account_id}/transactions", params={"type": "payment", "success": "true"}).json()["data"]
    assert [(t["invoice"]["number"], t["id"] in known) for t in found] == [(invoice.number, False)]
    assert collect(api, invoice, "k").headers["idempotency-prior"] == "true"
    assert len(recurly.ledger()) == 2


@pytest.mark.parametrize(("trouble", "attempts"), [(Trouble.STORED_SERVER_ERROR, 2), (Trouble.LOST_SERVER_ERROR, 1)])
def test_a_stored_500_is_replayed_whether_or_not_money_moved(
    recurly: RecurlyDouble, api: httpx.Client, trouble: Trouble, attempts: int
) -> None:
    invoice = declined(recurly, "ok")
    recurly.misbehaviours.add(trouble, "PUT")
    answers = [collect(api, invoice, "k") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [500, 500, 500]
    assert len(recurly.ledger()) == attempts


def test_recurly_retries_by_itself_whatever_is_collected_beside_it(recurly: RecurlyDouble, api: httpx.Client) -> None:
    invoice = declined(recurly)
    collect(api, invoice)
    recurly.advance(4 * DAY)
    assert outcomes(recurly) == [("platform", "failed"), ("merchant", "failed"), ("platform", "failed"), ("platform", "failed")]
    recurly.advance(30 * DAY)
    told = api.get(f"/invoices/{invoice.id}").json()
    assert (told["state"], told["final_dunning_event"], told["dunning_events_sent"]) == ("failed", True, 5)
    assert len(recurly.ledger()) == 7, "seven declines are the most, and those that the merchant asked for count"


def test_a_hard_decline_is_not_retried_until_the_card_is_new(recurly: RecurlyDouble, api: httpx.Client) -> None:
    account = recurly.account(recurly.card("expired_card"))
    invoice = recurly.invoice(account)
    recurly.advance(10 * DAY)
    assert outcomes(recurly) == [("platform", "failed")]
    token = recurly.token(recurly.card("ok"))
    assert api.put(f"/accounts/{account.id}/billing_info", json={"token_id": token}).status_code == 200
    assert error_of(api.put(f"/accounts/{account.id}/billing_info", json={"token_id": token}))[:2] == (422, "invalid_token")
    recurly.advance(HOUR)
    assert (outcomes(recurly)[1:], invoice.state) == ([("platform", "succeeded")], "paid")


def test_a_write_off_ends_the_dunning_and_opening_again_does_not_begin_it(recurly: RecurlyDouble, api: httpx.Client) -> None:
    invoice = declined(recurly)
    assert api.put(f"/invoices/{invoice.id}/mark_failed").json()["state"] == "failed"
    assert error_of(collect(api, invoice)) == (422, "validation", [])
    assert error_of(api.put(f"/invoices/{invoice.id}/mark_failed"))[1] == "validation"
    assert api.put(f"/invoices/{invoice.id}/reopen").json()["state"] == "past_due"
    recurly.advance(40 * DAY)
    assert (len(recurly.ledger()), invoice.state) == (1, "past_due")
    assert api.put(f"/invoices/{invoice.id}/mark_successful").json()["balance"] == 0


def test_an_accounts_campaign_is_for_the_invoices_that_fail_later(recurly: RecurlyDouble, api: httpx.Client) -> None:
    gentle = recurly.campaign("gentle", retry_days=(9,))
    now = declined(recurly)
    path = f"/accounts/{now.account_id}"
    assert api.put(path, json={"dunning_campaign_id": gentle.id}).json()["dunning_campaign_id"] == gentle.id
    later = recurly.invoice(recurly.store.accounts[now.account_id])
    assert (now.dunning_campaign_id, later.dunning_campaign_id) == (recurly.default_campaign.id, gentle.id)
    assert error_of(api.put(path, json={"dunning_campaign_id": "nobodys"})) == (422, "validation", ["dunning_campaign_id"])
    recurly.site.has_campaigns = False
    assert error_of(api.put(path, json={"dunning_campaign_id": gentle.id}))[1] == "missing_feature"


def test_a_bank_debit_is_answered_days_later(recurly: RecurlyDouble, api: httpx.Client) -> None:
    returned = recurly.invoice(recurly.account(recurly.card("processing", "insufficient_funds", kind="bank_account_info")))
    assert error_of(collect(api, returned))[1] == "validation"
    assert outcomes(recurly) == [("platform", "pending")]
    recurly.advance(3 * DAY)
    assert (outcomes(recurly), returned.state) == ([("platform", "failed")], "past_due")


def test_a_payment_page_left_open_takes_the_money_twice_and_the_second_can_be_refunded(recurly: RecurlyDouble, api: httpx.Client) -> None:
    invoice = declined(recurly, "ok")
    assert collect(api, invoice, "k").json()["paid"] == 20.0
    recurly.customer_pays(invoice)
    told = api.get(f"/invoices/{invoice.id}").json()
    assert (told["paid"], told["balance"], told["refundable_amount"]) == (40.0, 0.0, 40.0)
    refund = api.post(f"/invoices/{invoice.id}/refund", json={"type": "amount", "amount": 20.0}, headers={"Idempotency-Key": "r"})
    assert (refund.status_code, refund.json()["type"], refund.json()["total"]) == (201, "credit", -20.0)
    assert refund.json()["transactions"][0]["original_transaction_id"] == told["transactions"][-1]["id"]
    too_much = api.post(f"/invoices/{invoice.id}/refund", json={"type": "amount", "amount": 20.01})
    assert error_of(too_much) == (422, "validation", ["amount"])


def test_subscriptions_pause_resume_cancel_and_end(recurly: RecurlyDouble, api: httpx.Client) -> None:
    subscription = recurly.subscription(recurly.account(recurly.card()))
    path = f"/subscriptions/{subscription.id}"
    assert error_of(api.put(f"{path}/pause", json={})) == (422, "validation", ["remaining_pause_cycles"])
    assert api.put(f"{path}/pause", json={"remaining_pause_cycles": 2}).json()["state"] == "active"
    recurly.advance(31 * DAY)
    assert (api.get(path).json()["state"], recurly.ledger()) == ("paused", [])
    assert (api.put(f"{path}/resume").json()["state"], len(recurly.ledger())) == ("active", 1)
    assert api.put(f"{path}/cancel", json={"timeframe": "bill_date"}).json()["state"] == "canceled"
    assert api.put(f"{path}/reactivate").json()["state"] == "active"
    assert error_of(api.put(f"{path}/resume"))[1] == "validation"
    assert api.delete(path, params={"refund": "none"}).json()["expiration_reason"] == "terminated"
    recurly.advance(60 * DAY)
    assert len(recurly.ledger()) == 1
