"""The sandbox platform behind the billing port: reads its invoices and asks it for effects, over HTTP."""

from datetime import datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import httpx

from recoup.actions import SPECIFICATION, RiskClass
from recoup.errors import BillingUnavailable, Defect, Malformed, Misconfigured, NotFetchable, NotFound, Refused
from recoup.events import EventKind, ObjectRef, Reading
from recoup.invoice import (
    AccountSnapshot,
    AttemptSnapshot,
    CredentialSnapshot,
    DeclineCodes,
    InvoiceSnapshot,
)
from recoup.mirror import MirrorNote
from recoup.ports import Absent, ChangedPage, CheckResult, Effect, EffectLookup, EffectResult, Found, HistoryPage
from recoup.settings import Connection
from tools.http import GuardedTransport
from tools.http_egress import api_base_of
from tools.http_errors import Call, failure, json_object, refusal, request_id_of, request_named

CAPABILITIES = frozenset(
    {"read", "note", *(str(name) for name, (risk, _) in SPECIFICATION.items() if risk in {RiskClass.CHARGE, RiskClass.ACCOUNT})}
)
# The sandbox keeps keys for a day unless told otherwise; an hour less leaves room for a request that is already under way.
KEY_VALID_SECONDS = 82_800.0
HISTORY_PAGE = 100
# The vendor ids that an effect's references were resolved to, in the platform's words.
RENAMED = {"credential_vendor_id": "credential", "attempt_vendor_key": "attempt"}
ARGUMENTS = frozenset({"credential", "attempt", "amount_minor", "percent", "instalments", "until", "at", "agency"})
READ_PATHS = {
    "invoice": "/v1/invoices/{}",
    "customer": "/v1/customers/{}/invoice",
    "subscription": "/v1/subscriptions/{}/invoice",
}

Json = dict[str, Any]


class SandboxBilling:
    """One client for one connection; close it when the process ends. ``transport`` is for tests."""

    def __init__(
        self, connection: Connection, *, key_valid_seconds: float = KEY_VALID_SECONDS, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        if not connection.api_key:
            raise Misconfigured(f"connections.{connection.name} needs an api_key to reach the sandbox platform")
        self._connection, self._name, self._key_valid_seconds = connection, connection.name, key_valid_seconds
        headers = {"Authorization": f"Bearer {connection.api_key}"}
        through = transport or GuardedTransport(connection)
        self._client = httpx.AsyncClient(base_url=api_base_of(connection), headers=headers, transport=through)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the client's connections."""
        await self._client.aclose()

    @property
    def capabilities(self) -> frozenset[str]:
        """It can be read, takes notes, and does every charge and account action."""
        return CAPABILITIES

    @property
    def key_valid_seconds(self) -> float:
        """How long a key protects against doing it twice."""
        return self._key_valid_seconds

    async def read_invoice(self, invoice_vendor_id: str) -> Reading:
        """The invoice as it stands; raises NotFound, BillingUnavailable."""
        return invoice_reading(await self._get(READ_PATHS["invoice"].format(invoice_vendor_id)))

    async def fetch(self, ref: ObjectRef) -> Reading:
        """The invoice that the object stands for; raises NotFound, BillingUnavailable."""
        path = READ_PATHS.get(ref.kind)
        if path is None:
            raise NotFound(f"the sandbox platform has no {ref.kind} to read")
        return invoice_reading(await self._get(path.format(ref.vendor_id)))

    async def perform(self, effect: Effect) -> EffectResult:
        """Does it once while the key is valid. A lost answer, and an error of the server, leave the outcome unknown."""
        body = {"name": effect.name, "invoice": effect.invoice_vendor_id, "args": arguments(effect)}
        call = Call(connection=self._name, what=effect.key, is_effect=True)
        try:
            response = await self._client.post("/v1/effects", json=body, headers={"Idempotency-Key": effect.key})
        except httpx.RequestError as exc:
            raise failure(call, exc) from exc
        request_id = request_id_of(response.headers)
        if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
            raise BillingUnavailable(self._name, "answered 503, which of the sandbox says that nothing was done", request_id)
        if response.status_code == HTTPStatus.CONFLICT:
            raise Defect(f"{self._name}: {effect.key} was used with other parameters{request_named(request_id)}")
        said = refusal(call, response.status_code, request_id) if response.status_code != HTTPStatus.NOT_FOUND else None
        if said is not None:
            raise said
        answer = json_object(call, response)
        if response.is_success:
            return result_of(answer, request_id)
        return EffectResult(state="refused", detail=f"answered {response.status_code}: {answer.get('error', '')}", request_id=request_id)

    async def find_effect(self, effect: Effect) -> EffectLookup:
        """Whether the platform booked something under the effect's key; raises BillingUnavailable where it cannot be asked."""
        try:
            found = await self._get(f"/v1/effects/{effect.key}")
        except NotFound:
            return Absent()
        return Found(result=result_of(found))

    async def mirror(self, note: MirrorNote) -> None:
        """Notes it on the invoice; raises BillingUnavailable, OutcomeUnknown, NotFound, Refused."""
        path = f"/v1/invoices/{note.to.invoice_vendor_id}/notes"
        call = Call(connection=self._name, what=f"POST {path}", is_effect=True)
        try:
            response = await self._client.post(path, json={"text": note.says})
        except httpx.RequestError as exc:
            raise failure(call, exc) from exc
        said = refusal(call, response.status_code)
        if said is not None:
            raise said
        if not response.is_success:
            raise Refused(f"{self._name}: answered {response.status_code} to a note")

    async def changed_since(self, cursor: str | None) -> ChangedPage:  # noqa: ARG002 - the port's
        """Raises NotFetchable: nothing needs to be asked of a platform that loses nothing."""
        raise NotFetchable(f"{self._name}: nothing is lost, because the sandbox platform delivers every webhook until it is taken")

    async def history(self, since: datetime, cursor: str | None) -> HistoryPage:
        """Invoices issued since then, each as it is when it stands alone; raises Malformed, BillingUnavailable."""
        after = {"after": cursor} if cursor else {}
        page = await self._get("/v1/invoices", {"since": since.isoformat(), "limit": HISTORY_PAGE, **after})
        readings = tuple(invoice_reading(document) for document in page["invoices"])
        oldest = readings[-1].invoice if readings else None
        return HistoryPage(
            readings=readings,
            cursor=oldest.vendor_id if oldest else cursor,
            has_more=page["has_more"],
            reached=oldest.issued_at if oldest else None,
        )

    async def examine(self, *, to_act: bool = True) -> tuple[CheckResult, ...]:  # noqa: ARG002 - there is one kind of key
        """Whether the sandbox answers and takes the key, and its webhooks can be told from others'. Raises BillingUnavailable."""
        return await self._credentials(), self._signatures(), self._money()

    async def _credentials(self) -> CheckResult:
        fix = f"put the key that recoup sandbox was started with into the variable of connections.{self._name}.api_key"
        try:
            await self._get("/v1/effects/no_such_effect")
        except Misconfigured as exc:
            return CheckResult(name="credentials", ok=False, found=str(exc), fix=fix)
        except NotFound:
            return CheckResult(name="credentials", ok=True, found="the sandbox takes the api_key")
        raise Defect(f"{self._name}: the sandbox knows an effect that nobody ever asked for")

    def _signatures(self) -> CheckResult:
        number = len(self._connection.webhook_secrets)
        fix = None if number else f"put the secret that recoup sandbox signs with into connections.{self._name}.webhook_secrets"
        return CheckResult(name="webhook secret", ok=number > 0, found=f"{number or 'no'} secret{'s' * (number != 1)}", fix=fix)

    def _money(self) -> CheckResult:
        live = self._connection.livemode
        fix = f"leave livemode out of connections.{self._name}, or set it to false" if live else None
        return CheckResult(name="live or test", ok=not live, found="live, where no money is" if live else "test", fix=fix)

    async def _get(self, path: str, query: dict[str, str | int] | None = None) -> Json:
        call = Call(connection=self._name, what=f"GET {path}")
        try:
            response = await self._client.get(path, params=query)
        except httpx.RequestError as exc:
            raise failure(call, exc) from exc
        request_id = request_id_of(response.headers)
        said = refusal(call, response.status_code, request_id)
        if said is not None:
            raise said
        if response.status_code == HTTPStatus.BAD_REQUEST:
            raise Malformed(f"{self._name}: the sandbox platform does not understand what {path} was asked")
        if not response.is_success:
            raise BillingUnavailable(self._name, f"answered {response.status_code} to {path}", request_id)
        return json_object(call, response)


def result_of(document: Json, request_id: str | None = None) -> EffectResult:
    """A booked effect as the answer to the action that asked for it."""
    return EffectResult(state=document["state"], detail=document["detail"], vendor_ref=document["vendor_ref"], request_id=request_id)


def arguments(effect: Effect) -> Json:
    """What the platform needs of an effect's arguments, in its own words; our row ids stay here."""
    named = {RENAMED.get(name, name): value for name, value in effect.args.items()}
    return {name: value for name, value in named.items() if name in ARGUMENTS}


def invoice_reading(document: Json) -> Reading:
    """One invoice document as a complete reading."""
    read_at, invoice = datetime.fromisoformat(document["read_at"]), document["invoice"]
    return Reading(
        kind=EventKind.INVOICE_CHANGED,
        event_type="invoice.read",
        occurred_at=read_at,
        livemode=False,
        account=_account(document["customer"], read_at),
        invoice=_invoice(invoice, read_at),
        attempts=tuple(_attempt(attempt, invoice["currency"], read_at) for attempt in document["attempts"]),
        credentials=tuple(_credential(method) for method in document["methods"]),
        subscription_vendor_id=invoice["subscription"],
    )


def _account(customer: Json, read_at: datetime) -> AccountSnapshot:
    shown = ("first_name", "full_name", "email", "phone", "locale", "timezone", "country", "segment", "plan_tier")
    values = {name: customer[name] for name in shown}
    return AccountSnapshot(vendor_id=customer["id"], observed_at=read_at, timezone_source="platform", **values)


def _invoice(invoice: Json, read_at: datetime) -> InvoiceSnapshot:
    return InvoiceSnapshot.model_validate(
        {
            "vendor_id": invoice["id"],
            "observed_at": read_at,
            "account_vendor_id": invoice["customer"],
            "subscription_vendor_id": invoice["subscription"],
            "due_minor": invoice["total"],
            "next_platform_attempt_at": invoice["next_attempt_at"],
            **{f"{name}_minor": invoice[name] for name in ("total", "tax", "paid", "remaining", "credited", "refunded")},
            **{
                name: invoice[name]
                for name in ("revision", "currency", "status", "collection_method", "billing_reason", "payment_link", "issued_at")
            },
        }
    )


def _credential(method: Json) -> CredentialSnapshot:
    shown = ("fingerprint", "rail", "brand", "funding", "country", "last4", "expires", "slot")
    return CredentialSnapshot.model_validate(
        {"vendor_id": method["id"], "is_usable": method["usable"], **{name: method[name] for name in shown}}
    )


def _attempt(attempt: Json, currency: str, read_at: datetime) -> AttemptSnapshot:
    return AttemptSnapshot.model_validate(
        {
            "vendor_key": attempt["id"],
            "charge_vendor_id": attempt["id"],
            "occurred_at": attempt["at"],
            "observed_at": read_at,
            "status": attempt["status"],
            "amount_minor": attempt["amount"],
            "currency": currency,
            "credential_vendor_id": attempt["method"],
            "initiator": attempt["initiator"],
            "customer_initiated": attempt["customer_present"],
            "cit_confidence": 1.0,
            "codes": _codes(attempt["decline"]),
            "action_id": attempt["key"],
        }
    )


def _codes(decline: Json | None) -> DeclineCodes | None:
    if decline is None:
        return None
    return DeclineCodes(
        processor="sandbox",
        decline_code=decline["decline"],
        network_decline_code=decline["network"],
        network_advice_code=decline["advice"],
    )
