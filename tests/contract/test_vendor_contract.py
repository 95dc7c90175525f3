"""The check against vendors' specifications refuses what a vendor would refuse, and says what and where."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.vendors.contract import Contract, ContractBroken, Vendor
from tests.vendors.contract_forms import Undecodable, decode

PAUSE = "pause_collection"
FORM = "application/x-www-form-urlencoded"
HEADERS = {
    "stripe": {"Authorization": "***", "Content-Type": FORM, "Stripe-Version": "2023-08-16"},
    "stripe-2026": {"Authorization": "***", "Content-Type": FORM, "Stripe-Version": "2026-10-28.endive"},
    "recurly": {"Authorization": "***", "Content-Type": "application/json", "Accept": "application/vnd.recurly.v2021-02-25"},
}
STRIPES: list[Vendor] = ["stripe", "stripe-2026"]
both_stripes = pytest.mark.parametrize("vendor", STRIPES)


def problems(vendor: Vendor, method: str, path: str, query: str = "", body: str = "", **headers: str) -> list[str]:
    """What the contract has to say about a request, without the request's own line."""
    sent = HEADERS[vendor] | {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        Contract.required(vendor).check_request(method, path, query, sent, body.encode())
    except ContractBroken as broken:
        return [problem.removeprefix(f"{method} {path}: ") for problem in broken.problems]
    return []


def answer_problems(vendor: Vendor, method: str, path: str, status: int, body: Any, content_type: str = "application/json") -> list[str]:
    """What the contract has to say about an answer."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        Contract.required(vendor).check_response(method, path, status, {"Content-Type": content_type}, raw)
    except ContractBroken as broken:
        return [problem.removeprefix(f"{method} {path} -> {status}: ") for problem in broken.problems]
    return []


def fixture_of(name: str) -> Any:
    """One of Stripe's own sample objects of 2023-08-16, which is fresh for each caller."""
    Contract.required("stripe")
    file = Path(os.environ["RECOUP_VENDOR_DATA"]) / "specs" / "fixtures" / "stripe_fixtures3_2023-08-16.json"
    return json.loads(file.read_text(encoding="utf-8"))["resources"][name]


@both_stripes
@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("POST", "/v1/invoices/in_1/pay", "", "payment_method=pm_1&off_session=true&expand[]=customer"),
        ("POST", "/v1/invoices/in_1", "", "auto_advance=false&metadata[recoup]=x&metadata[0]=a+key+of+digits"),
        ("POST", "/v1/invoices/in_1", "", "metadata="),
        ("POST", "/v1/invoices/in_1/void", "", ""),
        ("POST", "/v1/refunds", "", "charge=ch_1&amount=100&reason=duplicate"),
        ("POST", "/v1/subscriptions/sub_1", "", "pause_collection[behavior]=void&pause_collection[resumes_at]=1790000000"),
        ("POST", "/v1/subscriptions/sub_1", "", "pause_collection="),
        ("DELETE", "/v1/subscriptions/sub_1", "invoice_now=false&prorate=false", ""),
        ("GET", "/v1/invoices", "created[gte]=1790000000&limit=100&starting_after=in_1&status=open", ""),
        ("GET", "/v1/events", "types[]=invoice.paid&types[]=charge.failed&created[gt]=5", ""),
        ("GET", "/v1/webhook_endpoints", "limit=100", ""),
        ("GET", "/v1/account", "", ""),
    ],
)
def test_what_an_adapter_sends_is_allowed(vendor: Vendor, method: str, path: str, query: str, body: str) -> None:
    assert problems(vendor, method, path, query, body) == []


@both_stripes
@pytest.mark.parametrize(
    ("method", "path", "query", "body", "said"),
    [
        ("POST", "/v1/invoices/in_1/pay", "", "card=pm_1", "body.card: unknown key"),
        (
            "POST",
            "/v1/subscriptions/sub_1",
            "",
            "pause_collection[behavior]=void&pause_collection[until]=1",
            "body.pause_collection.until: unknown key",
        ),
        ("POST", "/v1/subscriptions/sub_1", "", "pause_collection[behavior]=rest", 'body.pause_collection.behavior: "rest" is not one of'),
        ("POST", "/v1/subscriptions/sub_1", "", "items[0][price]=p&items[0][amount]=1", "body.items[0].amount: unknown key"),
        ("POST", "/v1/invoices/in_1/pay", "", "off_session=yes", 'body.off_session: "yes" is not one of "true" or "false"'),
        ("POST", "/v1/refunds", "", "charge=ch_1&amount=1.50", 'body.amount: "1.50" does not match'),
        ("GET", "/v1/invoices", "since=5", "", "query.since: unknown key"),
        ("GET", "/v1/invoices", "created[from]=5", "", "query.created.from: unknown key"),
        ("GET", "/v1/invoices", "limit=many", "", 'query.limit: "many" does not match'),
        ("GET", "/v1/invoices", "status=past_due", "", 'query.status: "past_due" is not one of'),
        ("POST", "/v1/invoices/None/pay", "", "", "path parameter invoice: 'None' does not look like"),
        ("POST", "/v1/invoices/sub_1/pay", "", "", "path parameter invoice: 'sub_1' does not look like"),
        ("POST", "/v1/invoices/in_1/pay", "", "a=1&a=2", "body: 'a' is given twice"),
        ("POST", "/v1/invoices/in_1/collect", "", "", "the specification has no such operation"),
    ],
)
def test_what_stripe_does_not_know_is_refused_by_name(vendor: Vendor, method: str, path: str, query: str, body: str, said: str) -> None:
    found = problems(vendor, method, path, query, body)
    assert len(found) == 1
    assert found[0].startswith(said)


@both_stripes
def test_headers_are_part_of_the_contract(vendor: Vendor) -> None:
    path = "/v1/invoices/in_1/pay"
    assert problems(vendor, "POST", path, Idempotency_Key="k" * 255) == []
    assert problems(vendor, "POST", path, Idempotency_Key="k" * 256) == ["header idempotency-key: has 256 characters, not 1 to 255"]
    assert problems(vendor, "GET", "/v1/invoices", Idempotency_Key="k") == ["header idempotency-key: of no effect on GET"]
    assert problems(vendor, "GET", "/v1/invoices", Authorization="") == ["header authorization: missing"]
    assert problems(vendor, "POST", path, body="{}", Content_Type="application/json") == [
        "header content-type: 'application/json' is not one of ['application/x-www-form-urlencoded']"
    ]
    other = HEADERS["stripe" if vendor == "stripe-2026" else "stripe-2026"]["Stripe-Version"]
    assert problems(vendor, "GET", "/v1/invoices", Stripe_Version=other)[0].startswith(f"header stripe-version: {other!r} is not")


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("PUT", "/invoices/number-1000/collect", "", '{"billing_info_id": "h1at4d57xlmy"}'),
        ("PUT", "/invoices/e28zov4fw0v2/collect", "", ""),
        ("PUT", "/accounts/code-1", "", '{"dunning_campaign_id": "e28zov4fw0v2"}'),
        ("POST", "/accounts/e28zov4fw0v2/notes", "", '{"message": "seen"}'),
        ("GET", "/invoices", "sort=updated_at&order=asc&begin_time=2026-11-01T00:00:00Z&limit=200", ""),
        ("GET", "/invoices", "ids=h1at4d57xlmy,gyqgg0d3v9n1", ""),
        ("GET", "/invoices", "cursor=h1at4d57xlmy:1793610000&limit=200", ""),
        ("HEAD", "/invoices", "state=past_due", ""),
        ("POST", "/invoices/number-1000/refund", "", '{"type": "amount", "amount": 12.5}'),
        ("DELETE", "/subscriptions/uuid-59f0", "refund=none", ""),
        ("GET", "/transactions/uuid-59f0", "", ""),
        ("GET", "/sites/subdomain-sample", "", ""),
    ],
)
def test_what_an_adapter_sends_to_recurly_is_allowed(method: str, path: str, query: str, body: str) -> None:
    assert problems("recurly", method, path, query, body) == []


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "said"),
    [
        ("PUT", "/invoices/e28zov4fw0v2/collect", "", '{"card": 1}', "body.card: unknown key"),
        ("PUT", "/accounts/code-1", "", '{"address": {"street": "x"}}', "body.address.street: unknown key"),
        ("PUT", "/accounts/code-1", "", '{"dunning_campaign_id": 5}', 'body.dunning_campaign_id: 5 is not of type "string"'),
        ("PUT", "/subscriptions/e28zov4fw0v2/pause", "", "{}", "body.remaining_pause_cycles: missing"),
        ("PUT", "/subscriptions/e28zov4fw0v2/pause", "", "", "body: missing"),
        ("GET", "/invoices", "limit=201", "", 'query.limit: "201" is not one of'),
        ("GET", "/invoices", "page=2", "", "query.page: unknown key"),
        ("POST", "/invoices/number-1000/refund", "", '{"amount": 1}', "body.type: missing"),
        ("GET", "/invoices", "begin_time=yesterday", "", 'query.begin_time: "yesterday" is not a "date-time"'),
        ("GET", "/invoices/E28ZOV", "", "", "path parameter invoice_id: 'E28ZOV' does not look like"),
        ("PUT", "/invoices/e28zov4fw0v2/collect", "", "{", "body: Expecting"),
    ],
)
def test_what_recurly_does_not_know_is_refused_by_name(method: str, path: str, query: str, body: str, said: str) -> None:
    found = problems("recurly", method, path, query, body)
    assert len(found) == 1
    assert found[0].startswith(said)


def test_recurly_is_asked_for_its_version() -> None:
    found = problems("recurly", "GET", "/sites", Accept="application/json")
    assert found == ["header accept: 'application/json' does not ask for application/vnd.recurly.v2021-02-25"]


@pytest.mark.parametrize(
    "name", ["charge", "customer", "event", "invoice", "payment_intent", "payment_method", "refund", "subscription", "dispute"]
)
def test_the_vendors_own_samples_pass(name: str) -> None:
    Contract.required("stripe").check_component(name, fixture_of(name))


def test_an_answer_is_checked_at_every_depth() -> None:
    path = "/v1/invoices/in_1"
    invoice = fixture_of("invoice")
    assert answer_problems("stripe", "GET", path, 200, invoice) == []
    assert answer_problems("stripe", "GET", path, 200, invoice | {"amount_dew": 1}) == ["body.amount_dew: unknown key"]
    assert answer_problems("stripe", "GET", path, 200, invoice | {"amount_due": "10"}) == ['body.amount_due: "10" is not of type "integer"']
    invoice["status_transitions"]["sent_at"] = 1
    invoice["lines"]["data"] = [{"object": "line_item"}]
    found = answer_problems("stripe", "GET", path, 200, invoice)
    assert "body.status_transitions.sent_at: unknown key" in found
    assert "body.lines.data[0].amount: missing" in found


def test_the_two_shapes_of_an_invoice_are_told_apart() -> None:
    invoice = fixture_of("invoice") | {"subscription": "sub_1"}
    assert answer_problems("stripe", "GET", "/v1/invoices/in_1", 200, invoice) == []
    found = answer_problems("stripe-2026", "GET", "/v1/invoices/in_1", 200, invoice)
    assert "body.subscription: unknown key" in found
    assert "body.parent: missing" in found


def test_amounts_are_whole_even_where_the_document_only_says_number() -> None:
    refund = {"id": "re_1", "object": "refund", "amount": 10.5}
    found = answer_problems("stripe-2026", "GET", "/v1/refunds/re_1", 200, refund)
    assert 'body.amount: 10.5 is not of type "integer"' in found


@both_stripes
def test_errors_are_answers_too(vendor: Vendor) -> None:
    path = "/v1/invoices/in_1/pay"
    declined = {
        "type": "card_error",
        "code": "card_declined",
        "decline_code": "insufficient_funds",
        "message": "declined",
        "charge": "ch_1",
    }
    assert answer_problems(vendor, "POST", path, 402, {"error": declined}) == []
    assert answer_problems(vendor, "POST", path, 402, {"error": declined | {"reason": "x"}}) == ["body.error.reason: unknown key"]
    assert answer_problems(vendor, "POST", path, 402, {"errors": []})[0] == "body.errors: unknown key"
    assert answer_problems(vendor, "POST", path, 402, {"error": declined | {"type": "bad_luck"}})[0].startswith(
        'body.error.type: "bad_luck"'
    )


def test_an_answer_that_is_no_json_is_refused() -> None:
    assert answer_problems("stripe", "GET", "/v1/invoices/in_1", 200, b"<html>", "text/html") == [
        "header content-type: 'text/html' is not one of ['application/json']"
    ]
    assert answer_problems("stripe", "GET", "/v1/invoices/in_1", 200, b"<html>")[0].startswith("body: Expecting value")
    assert answer_problems("recurly", "DELETE", "/accounts/code-1/notes/abc", 204, b"{}") == ["body: the specification has none here"]


def test_a_status_that_recurly_does_not_document_is_refused_unless_any_call_may_get_it() -> None:
    path = "/accounts/code-1/billing_infos"
    error = {"error": {"type": "rate_limited", "message": "slow down"}}
    assert answer_problems("recurly", "GET", path, 429, error) == []
    assert answer_problems("recurly", "GET", path, 418, error) == ["status 418 is none of ['200', '400', '404']"]
    assert answer_problems("recurly", "GET", path, 429, error["error"]) != []


def test_forms_become_objects_and_lists() -> None:
    assert decode("a[b][c]=1&d[]=x&d[]=y&e[0][f]=2&g=") == {"a": {"b": {"c": "1"}}, "d": ["x", "y"], "e": [{"f": "2"}], "g": ""}
    assert decode("metadata[0]=x") == {"metadata": {"0": "x"}}
    for wrong in ("a[=1", "a]=1", "a=1&a[b]=2", "a[b]=2&a=1"):
        with pytest.raises(Undecodable):
            decode(wrong)


def test_an_event_is_checked_with_what_it_is_about() -> None:
    invoice = fixture_of("invoice")
    event = fixture_of("event") | {"type": "invoice.paid", "data": {"object": invoice, "previous_attributes": {"status": "open"}}}
    Contract.required("stripe").check_event(event)
    for broken, said in [
        ({"livemode": "no"}, 'event.livemode: "no" is not of type "boolean"'),
        ({"data": {"object": invoice | {"owed": 1}}}, "invoice.owed: unknown key"),
        ({"data": {"object": invoice, "previous_attributes": {"owed": 1}}}, "event.data.previous_attributes.owed: unknown key"),
    ]:
        with pytest.raises(ContractBroken) as refused:
            Contract.required("stripe").check_event(event | broken)
        assert refused.value.problems == [said]
    with pytest.raises(ContractBroken, match="no #/components/schemas/InvoiceLostEvent"):
        Contract.required("stripe-2026").check_event(event | {"type": "invoice.lost"})


def test_without_the_vendors_data_there_is_no_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECOUP_VENDOR_DATA", raising=False)
    assert Contract.load.__wrapped__("stripe") is None
