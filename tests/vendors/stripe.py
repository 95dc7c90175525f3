"""A double of Stripe: what a real adapter over the official SDK talks to in tests, over real HTTP and with a clock of its own."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

from tests.vendors.chassis import DEFAULT_START, Answer, Request, Site
from tests.vendors.chassis_trouble import Trouble
from tests.vendors.contract_forms import decode
from tests.vendors.stripe_bank import TEST_CARDS, Card
from tests.vendors.stripe_calls import Call, Page
from tests.vendors.stripe_collecting import PERIOD, Order, add_payment, attempt
from tests.vendors.stripe_dunning import bill, next_due, run_due
from tests.vendors.stripe_errors import Declined, Refusal
from tests.vendors.stripe_expand import expand
from tests.vendors.stripe_parameters import read
from tests.vendors.stripe_routes import Route, find_route
from tests.vendors.stripe_shapes import payment_method, render
from tests.vendors.stripe_shapes_payments import error_fields
from tests.vendors.stripe_state import ApiKey, Charge, Customer, Dispute, Endpoint, Invoice, Subscription, Thing, Version
from tests.vendors.stripe_world import World

KEY_LIFETIME = timedelta(hours=24)
KEY_CHARACTERS = 255
TROUBLES: dict[Trouble, tuple[int, dict[str, str]]] = {
    Trouble.RATE_LIMITED: (429, {"type": "invalid_request_error", "code": "rate_limit", "message": "Request rate limit exceeded."}),
    Trouble.REVOKED_KEY: (
        401,
        {"type": "invalid_request_error", "code": "api_key_expired", "message": "Expired API Key provided: sk_test_***"},
    ),
    Trouble.UNAVAILABLE: (503, {"type": "api_error", "message": "Service unavailable."}),
}
UNKNOWN_ERROR = (500, {"type": "api_error", "message": "An unknown error occurred."})


class StripeDouble(Site):
    """One merchant's Stripe. ``secret_key`` may do everything; ``add_key`` makes restricted ones.

    ``account_version`` is what requests without a Stripe-Version and the list of events speak."""

    def __init__(
        self, *, account_version: Version = Version.NEW, start: datetime = DEFAULT_START, seed: int = 0, livemode: bool = False
    ) -> None:
        super().__init__(KEY_LIFETIME, start, seed)
        self.world = World(self.clock, self.courier, self.attempts, render, account_version, livemode=livemode)
        self._mode = "live" if livemode else "test"
        self._keys: dict[str, ApiKey] = {}
        self._requests = 0
        self._cards = 0
        self.secret_key = self.add_key()

    def add_key(self, permissions: dict[str, str] | None = None) -> str:
        """A secret key, or one restricted to permissions such as ``{"invoice": "write", "charge": "read"}``."""
        secret = f"{'sk' if permissions is None else 'rk'}_{self._mode}_double{len(self._keys):04d}"
        self._keys[secret] = ApiKey(secret, permissions)
        return secret

    def revoke(self, secret: str) -> None:
        """From now on the key is not known."""
        del self._keys[secret]

    def restrict(self, secret: str, permissions: dict[str, str]) -> None:
        """From now on the key may do this and nothing else."""
        self._keys[secret] = ApiKey(secret, permissions)

    def add_endpoint(
        self,
        url: str,
        events: Sequence[str] = ("*",),
        *,
        version: Version | None = None,
        status: Literal["enabled", "disabled"] = "enabled",
    ) -> Endpoint:
        """A webhook endpoint with a secret of its own."""
        with self.lock:
            identity = self.world.new_id(Endpoint)
            chosen = version or self.world.account_version
            made = Endpoint(identity, self.world.now(), url, list(events), chosen, [f"whsec_{identity}"], status)
            return self.world.keep(made)

    def add_customer(self, email: str = "ada@customer.example", name: str = "Ada Example") -> Customer:
        """Somebody new."""
        with self.lock:
            made = self.world.keep(Customer(self.world.new_id(Customer), self.world.now(), email, name))
            self.world.tell("customer.created", made)
            return made

    def add_card(
        self,
        customer: Customer,
        token: str = "pm_card_visa",
        *,
        answers: Sequence[str] = (),
        default: bool = True,
        same_as: Card | None = None,
    ) -> Card:
        """A card on file, as one of Stripe's test cards; ``answers`` come before what such a card always gets.

        ``same_as``: the same piece of plastic entered again, with its fingerprint."""
        like = TEST_CARDS[token]
        with self.lock:
            self._cards += 1
            fingerprint = same_as.fingerprint if same_as else f"Double{self._cards:010d}"
            looks = (like.brand, like.last4, fingerprint, like.funding, like.country, like.always)
            made = Card(self.world.new_id(Card), customer.id, self.world.now(), *looks, like.rail, answers=list(answers))
            self.world.keep(made)
            self.world.tell("payment_method.attached", made)
            if default:
                before, customer.default_payment_method = customer.default_payment_method, made.id
                self.world.tell("customer.updated", customer, {"invoice_settings": {"default_payment_method": before}})
            return made

    def add_subscription(
        self, customer: Customer, *, amount: int = 4900, currency: str = "eur", renews: bool = True, period: timedelta = PERIOD
    ) -> Subscription:
        """A subscription whose period begins now; its first bill comes at the end of the period or with ``bill``."""
        with self.lock:
            now = self.world.now()
            made = Subscription(self.world.new_id(Subscription), now, customer.id, amount, currency, now, now + period, renews=renews)
            self.world.keep(made)
            self.world.tell("customer.subscription.created", made)
            return made

    def bill(self, subscription: Subscription) -> Invoice:
        """Bills it now; the platform tries the card at once."""
        with self.lock:
            return bill(self.world, subscription)

    def owed_invoice(self, *answers: str, amount: int = 4900, token: str = "pm_card_visa") -> tuple[Invoice, Card]:
        """An invoice whose first attempt got the first of ``answers``, of a new customer with one card."""
        with self.lock:
            customer = self.add_customer()
            card = self.add_card(customer, token, answers=answers)
            return self.bill(self.add_subscription(customer, amount=amount, renews=False)), card

    def customer_pays(self, invoice: Invoice, card: Card, *, separately: bool = False) -> Charge | None:
        """The customer pays on the hosted page; the page refuses what is not owed any more.

        ``separately``: with a payment of its own beside the platform's, which also goes through when the invoice was just paid."""
        with self.lock:
            if invoice.status not in {"open", "uncollectible"} and not (separately and invoice.status == "paid"):
                return None
            if self.world.intent_of(invoice).status == "processing" and not separately:
                return None
            # The page asks as any client does, under a key of its own.
            self.world.caused_by = (self._new_request_id(), f"page-{self._requests}")
            intent = add_payment(self.world, invoice, is_default=False) if separately else None
            try:
                return attempt(self.world, invoice, card, Order("customer", on_session=True), intent)[1]
            finally:
                self.world.caused_by = (None, None)

    def customer_disputes(self, charge: Charge, reason: str = "fraudulent") -> Dispute:
        """The customer's bank takes the payment back."""
        with self.lock:
            charge.disputed = True
            identity, now = self.world.new_id(Dispute), self.world.now()
            made = self.world.keep(Dispute(identity, now, charge.id, charge.intent, charge.amount, charge.currency, reason))
            self.world.tell("charge.dispute.created", made)
            return made

    @contextmanager
    def untold(self) -> Generator[None]:
        """What happens in the block leaves no events: for a long history that would fill the memory with them."""
        with self.lock:
            self.world.tells = False
            try:
                yield
            finally:
                self.world.tells = True

    def next_due(self) -> datetime | None:
        """The platform's next retry, renewal or end of a pause."""
        return next_due(self.world)

    def run_due(self) -> None:
        """Retries, renewals and ends of pauses that are due."""
        run_due(self.world)

    def trouble_answer(self, trouble: Trouble, request: Request) -> Answer:
        """Stripe's words for a failure."""
        status, error = TROUBLES.get(trouble, UNKNOWN_ERROR)
        return self._sealed(Answer(status, {"error": error}), self._new_request_id())

    def answer(self, request: Request) -> Answer:
        """Who asks, may they, have they asked before, is it well put: in this order; then it is done."""
        request_id, version = self._new_request_id(), self.world.account_version
        try:
            key = self._authenticate(request)
            version = self._version(request)
            route, ids = self._route(request)
            self._authorise(key, route)
            kept = self._recall(request)
            if kept:
                again = kept.with_headers(Idempotent_Replayed="true", Original_Request=kept.headers["Request-Id"])
                return self._sealed(again, request_id)
            given = _parameters(request)
            values = read(given, route.kinds)
        except Refusal as refusal:
            return self._sealed(self._refused(refusal, version), request_id)
        call = Call(self.world, ids, values, version, request.path, request.idempotency_key)
        answer = self._sealed(self._act(route, call, request_id), request_id).with_headers(Stripe_Version=version.value)
        if request.method == "POST" and request.idempotency_key:
            self.keys.keep(request.idempotency_key, request, answer)
        return answer

    def _act(self, route: Route, call: Call, request_id: str) -> Answer:
        self.world.caused_by = (request_id, call.key)
        try:
            body = self._body(route.act(call), call.version)
            for path in call.values.get("expand", []):
                expand(self.world, body, path, call.version)
        except Refusal as refusal:
            return self._refused(refusal, call.version)
        finally:
            self.world.caused_by = (None, None)
        return Answer(200, body)

    def _body(self, result: Thing | Page, version: Version) -> dict[str, Any]:
        if isinstance(result, Page):
            data = [render(self.world, thing, version) for thing in result.things]
            return {"object": "list", "data": data, "has_more": result.has_more, "url": result.url}
        return render(self.world, result, version)

    def _refused(self, refusal: Refusal, version: Version) -> Answer:
        error = dict(refusal.fields)
        if isinstance(refusal, Declined):
            if refusal.charge:
                error = error_fields(refusal.verdict, refusal.charge, version)
            error["payment_intent"] = render(self.world, refusal.intent, version)
            error["payment_method"] = payment_method(self.world, refusal.card, version)
        return Answer(refusal.status, {"error": error})

    def _authenticate(self, request: Request) -> ApiKey:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not secret:
            raise Refusal(401, "You did not provide an API key.")
        if secret not in self._keys:
            raise Refusal(401, f"Invalid API Key provided: {secret[:8]}***")
        return self._keys[secret]

    def _version(self, request: Request) -> Version:
        asked = request.headers.get("stripe-version")
        with suppress(ValueError):
            return Version(asked) if asked else self.world.account_version
        raise Refusal(400, f"Invalid Stripe API version: {asked}")

    def _route(self, request: Request) -> tuple[Route, dict[str, str]]:
        found = find_route(request.method, request.path)
        if found is None:
            raise Refusal(404, f"Unrecognized request URL ({request.method}: {request.path}).")
        return found

    def _authorise(self, key: ApiKey, route: Route) -> None:
        if key.permissions is None:
            return
        granted = key.permissions.get(route.needs)
        if granted != "write" and granted != route.access:
            name = f"rak_{route.needs}_{route.access}"
            raise Refusal(
                403,
                f"The provided key '{key.secret[:8]}***' does not have the required permissions for this endpoint on account "
                f"'{self.world.account.id}'. Having the '{name}' permission would allow this request to continue.",
            )

    def _recall(self, request: Request) -> Answer | None:
        key = request.idempotency_key
        if key is None or request.method != "POST":
            return None
        if not 0 < len(key) <= KEY_CHARACTERS:
            raise Refusal(400, f"Idempotency keys have 1 to {KEY_CHARACTERS} characters.", "idempotency_error")
        if request.key_in_use:
            message = f"There is currently another in-progress request using this Idempotent Key: {key}"
            raise Refusal(409, message, code="idempotency_key_in_use")
        kept = self.keys.recall(key)
        if kept is None:
            return None
        if kept.digest != request.digest:
            message = f"Keys for idempotent requests can only be used with the same parameters they were first used with: {key}"
            raise Refusal(400, message, "idempotency_error")
        return kept.answer

    def _new_request_id(self) -> str:
        self._requests += 1
        return f"req_double{self._requests:08d}"

    def _sealed(self, answer: Answer, request_id: str) -> Answer:
        return replace(answer, headers={**answer.headers, "Request-Id": request_id})


def _parameters(request: Request) -> dict[str, Any]:
    """What is asked for, whether it came in the query or as a form."""
    try:
        return decode(request.query) | decode(request.body.decode())
    except ValueError as wrong:
        raise Refusal(400, f"Invalid request: {wrong}") from wrong
