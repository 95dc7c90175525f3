"""The double of Stripe answers in the shapes of both versions and refuses what Stripe refuses. What it says is held against the
specification at the end of each test, where RECOUP_VENDOR_DATA names it."""

from collections.abc import Generator
from datetime import timedelta

import pytest

from tests.vendors.contract import Contract
from tests.vendors.stripe_stage import SPECIFICATIONS, Stage, error_of, stage
from tests.vendors.stripe_state import Charge, Version

READS = [
    *("account", "customers", "subscriptions", "payment_intents", "charges", "refunds", "events", "webhook_endpoints", "invoices"),
    *("invoices/{invoice}", "customers/{customer}", "subscriptions/{subscription}", "payment_methods/{card}", "charges/{charge}"),
    *("payment_intents/{intent}", "events/{event}", "webhook_endpoints/{endpoint}", "customers/{customer}/payment_methods"),
]


@pytest.fixture(params=list(Version))
def served(request: pytest.FixtureRequest) -> Generator[Stage]:
    """A double for each version."""
    with stage(request.param) as it:
        yield it


@pytest.fixture
def new() -> Generator[Stage]:
    """A double of the newer version."""
    with stage() as it:
        yield it


def test_every_kind_of_answer_is_what_the_specification_says(served: Stage) -> None:
    Contract.required(SPECIFICATIONS[served.version])
    invoice, card = served.double.owed_invoice("insufficient_funds", "lost_card", "authentication_required", "ok")
    served.double.add_endpoint("http://127.0.0.1:9/webhooks")
    assert [served.pay(invoice, card).status_code for _ in range(2)] == [402, 402]
    assert served.pay(invoice, card).status_code == 200
    charge = served.get("charges")["data"][0]
    refund = served.post("refunds", charge=charge["id"], amount="100", reason="duplicate").json()
    event = served.get("events")["data"][0]
    ids = {"invoice": invoice.id, "customer": invoice.customer, "subscription": str(invoice.subscription), "card": card.id}
    ids |= {"charge": charge["id"], "intent": charge["payment_intent"], "event": event["id"], "refund": refund["id"]}
    ids["endpoint"] = served.get("webhook_endpoints")["data"][0]["id"]
    ids["dispute"] = served.double.customer_disputes(served.double.world.get(Charge, charge["id"])).id
    for path in [*READS, "refunds/{refund}", "disputes", "disputes/{dispute}"]:
        served.get(path.format(**ids))
    served.post("billing_portal/sessions", customer=invoice.customer).raise_for_status()
    served.client.delete(f"/v1/subscriptions/{invoice.subscription}").raise_for_status()


def test_the_two_versions_tie_an_invoice_to_its_payment_differently() -> None:
    with stage(Version.OLD) as old:
        invoice, _ = old.double.owed_invoice("do_not_honor")
        document = old.get(f"invoices/{invoice.id}", **{"expand[]": ["payment_intent.latest_charge", "subscription"]})
        assert document["payment_intent"]["latest_charge"]["failure_code"] == "card_declined"
        assert document["subscription"]["status"] == "past_due"
        assert error_of(old.client.get("/v1/invoices", params={"expand[]": "data.payments"}), 400)["param"] == "expand"
    with stage(Version.NEW) as new:
        invoice, _ = new.double.owed_invoice("do_not_honor")
        document = new.get(f"invoices/{invoice.id}", **{"expand[]": "payments.data.payment.payment_intent"})
        (payment,) = document["payments"]["data"]
        assert payment["payment"]["payment_intent"]["last_payment_error"]["network_decline_code"] == "05"
        assert document["parent"]["subscription_details"]["subscription"] == invoice.subscription
        assert new.get("invoice_payments", invoice=invoice.id)["data"][0]["status"] == "open"


def test_a_decline_tells_all_of_its_codes(new: Stage) -> None:
    invoice, card = new.double.owed_invoice("insufficient_funds", "do_not_try_again")
    error = error_of(new.pay(invoice, card), 402)
    assert (error["code"], error["decline_code"], error["advice_code"]) == ("card_declined", "do_not_honor", "do_not_try_again")
    assert (error["network_decline_code"], error["network_advice_code"]) == ("05", "03")
    assert error["payment_intent"]["status"] == "requires_payment_method"
    charge = new.get(f"charges/{error['charge']}")
    assert charge["outcome"]["network_advice_code"] == "03"
    assert charge["payment_method_details"]["card"]["fingerprint"] == card.fingerprint
    assert new.double.ledger()[-1].codes["network_advice_code"] == "03"


def test_a_cardholder_who_is_there_is_asked_for_authentication(served: Stage) -> None:
    invoice, card = served.double.owed_invoice(token="pm_card_authenticationRequired")
    assert error_of(served.pay(invoice, card), 402)["decline_code"] == "authentication_required"
    error = error_of(served.pay(invoice, card, off_session="false"), 402)
    assert error["code"] == "invoice_payment_intent_requires_action"
    assert error["payment_intent"]["status"] == "requires_action"
    assert served.double.customer_pays(invoice, card) is not None
    assert served.outcomes(invoice)[-2:] == [("merchant", "requires_action"), ("customer", "succeeded")]


def test_what_is_not_known_is_refused_by_name(served: Stage) -> None:
    invoice, card = served.double.owed_invoice("insufficient_funds")
    error = error_of(served.pay(invoice, card, retry="now"), 400)
    assert (error["code"], error["param"]) == ("parameter_unknown", "retry")
    pause = {"pause_collection[behavior]": "void", "pause_collection[until]": "1"}
    assert error_of(served.post(f"subscriptions/{invoice.subscription}", **pause), 400)["param"] == "pause_collection[until]"
    assert error_of(served.client.get("/v1/invoices", params={"since": "1"}), 400)["message"] == "Received unknown parameter: since"
    assert error_of(served.client.get("/v1/invoices", params={"limit": "101"}), 400)["param"] == "limit"
    assert error_of(served.client.get("/v1/invoices", params={"starting_after": "in_0"}), 400)["code"] == "resource_missing"
    assert error_of(served.post(f"invoices/{invoice.id}", auto_advance="no"), 400)["message"] == "Invalid boolean: no"
    assert error_of(served.client.get("/v1/invoices/in_0"), 404)["code"] == "resource_missing"
    assert error_of(served.client.get("/v1/nothing"), 404)["message"].startswith("Unrecognized request URL")
    assert served.outcomes(invoice) == [("platform", "failed")]


def test_an_invoice_that_is_not_owed_is_not_charged(served: Stage) -> None:
    paid, card = served.double.owed_invoice("ok")
    assert error_of(served.pay(paid, card), 400)["message"] == "Invoice is already paid"
    gone, card = served.double.owed_invoice("insufficient_funds")
    assert served.post(f"invoices/{gone.id}/void").json()["status"] == "void"
    assert error_of(served.pay(gone, card), 400)["message"].endswith("This invoice is void.")
    given_up, card = served.double.owed_invoice("insufficient_funds")
    assert served.post(f"invoices/{given_up.id}/mark_uncollectible").json()["status"] == "uncollectible"
    assert served.pay(given_up, card).json()["status"] == "paid"


@pytest.mark.parametrize(("token", "code"), [("pm_sepa_debit", "AM04"), ("pm_us_bank_account", "R01")])
def test_a_direct_debit_is_pending_for_days_and_may_then_come_back(served: Stage, token: str, code: str) -> None:
    invoice, account = served.double.owed_invoice("insufficient_funds", "ok", token=token)
    assert served.get("charges")["data"][0]["status"] == "pending"
    assert served.get("payment_intents")["data"][0]["status"] == "processing"
    assert served.get(f"payment_methods/{account.id}")["type"] == token.removeprefix("pm_")
    assert error_of(served.pay(invoice, account), 400)["code"] == "payment_intent_unexpected_state"
    assert served.double.customer_pays(invoice, account) is None
    assert served.outcomes(invoice) == [("platform", "pending")]
    served.double.advance(timedelta(days=5))
    assert served.double.ledger()[-1].codes == {"code": "insufficient_funds", "network_decline_code": code}
    assert served.get(f"invoices/{invoice.id}")["next_payment_attempt"] is not None
    assert served.get("charges")["data"][0]["failure_code"] == "insufficient_funds"
    assert served.pay(invoice, account).json()["status"] == "open"
    served.double.advance(timedelta(days=5))
    assert served.get(f"invoices/{invoice.id}")["status"] == "paid"
    assert served.outcomes(invoice) == [("platform", "failed"), ("merchant", "succeeded")]


def test_a_card_of_somebody_else_is_not_charged(served: Stage) -> None:
    invoice, _ = served.double.owed_invoice("insufficient_funds")
    _, foreign = served.double.owed_invoice("ok")
    assert error_of(served.pay(invoice, foreign), 400)["param"] == "payment_method"
    assert error_of(served.post(f"invoices/{invoice.id}/pay", payment_method="pm_0"), 400)["code"] == "resource_missing"


def test_the_card_that_failed_is_the_subscriptions_before_the_customers(new: Stage) -> None:
    customer = new.double.add_customer()
    new.double.add_card(customer, "pm_card_visa")
    own = new.double.add_card(customer, "pm_card_chargeDeclinedLostCard", default=False)
    subscription = new.double.add_subscription(customer)
    new.post(f"subscriptions/{subscription.id}", default_payment_method=own.id).raise_for_status()
    invoice = new.double.bill(subscription)
    assert [(a.fingerprint, a.outcome) for a in new.double.ledger() if a.invoice == invoice.id] == [(own.fingerprint, "failed")]


def test_metadata_is_merged_and_unset(served: Stage) -> None:
    invoice, _ = served.double.owed_invoice("insufficient_funds")
    path = f"invoices/{invoice.id}"
    served.post(path, **{"metadata[recoup_action]": "act_1", "metadata[other]": "kept"}).raise_for_status()
    assert served.post(path, **{"metadata[recoup_action]": ""}).json()["metadata"] == {"other": "kept"}
    assert served.post(path, metadata="").json()["metadata"] == {}
    assert error_of(served.post(path, **{"metadata[key]": "x" * 501}), 400)["param"] == "metadata[key]"
    customer = served.post(f"customers/{invoice.customer}", **{"metadata[tag]": "recovering"}).json()
    assert customer["metadata"] == {"tag": "recovering"}


def test_lists_are_read_page_by_page_without_gap_or_repeat(served: Stage) -> None:
    invoices = [served.double.owed_invoice("insufficient_funds")[0].id for _ in range(5)]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = served.get("invoices", limit="2", status="open", **cursor)
        seen += [document["id"] for document in page["data"]]
        if not page["has_more"]:
            break
        cursor = {"starting_after": seen[-1]}
    assert seen == invoices[::-1]
    newer = served.get("invoices", limit="2", ending_before=invoices[1])
    assert [document["id"] for document in newer["data"]] == [invoices[3], invoices[2]]
    assert newer["has_more"]


def test_a_refund_gives_back_no_more_than_was_paid(served: Stage) -> None:
    invoice, _ = served.double.owed_invoice("ok")
    charge = next(served.double.world.all(Charge)).id
    assert served.post("refunds", charge=charge, amount="4000").json()["status"] == "succeeded"
    assert error_of(served.post("refunds", charge=charge, amount="901"), 400)["param"] == "amount"
    assert served.post("refunds", payment_intent=served.double.world.intent_of(invoice).id).json()["amount"] == 900
    assert error_of(served.post("refunds", charge=charge), 400)["code"] == "charge_already_refunded"
    assert served.get(f"charges/{charge}")["refunded"]


def test_a_restricted_key_is_told_which_permission_it_lacks(served: Stage) -> None:
    invoice, card = served.double.owed_invoice("insufficient_funds")
    key = served.double.add_key({"invoice": "read", "subscription": "write"})
    served.client.headers["Authorization"] = f"Bearer {key}"
    served.get(f"invoices/{invoice.id}")
    served.get(f"subscriptions/{invoice.subscription}")
    assert "'rak_invoice_write'" in error_of(served.pay(invoice, card), 403)["message"]
    assert "'rak_charge_read'" in error_of(served.client.get("/v1/charges"), 403)["message"]
    assert "'rak_webhook_read'" in error_of(served.client.get("/v1/webhook_endpoints"), 403)["message"]
    served.double.revoke(key)
    assert error_of(served.client.get("/v1/invoices"), 401)["message"].startswith("Invalid API Key provided: rk_test_")
    assert served.outcomes(invoice) == [("platform", "failed")]


def test_the_request_log_holds_no_secret(served: Stage) -> None:
    served.get("account")
    (exchange,) = served.double.exchanges("GET", "/v1/account")
    assert exchange.request.headers["authorization"] == "***"
    assert exchange.status == 200


def test_webhook_endpoints_say_what_they_want_and_in_which_version(new: Stage) -> None:
    new.double.add_endpoint("http://127.0.0.1:9/a", ["invoice.paid"], version=Version.OLD)
    new.double.add_endpoint("http://127.0.0.1:9/b", status="disabled")
    second, first = new.get("webhook_endpoints")["data"]
    assert (first["enabled_events"], first["api_version"], first["status"]) == (["invoice.paid"], "2023-08-16", "enabled")
    assert (second["enabled_events"], second["api_version"], second["status"]) == (["*"], "2026-10-28.endive", "disabled")
    assert "secret" not in first
