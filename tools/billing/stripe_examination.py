"""Whether a connection to Stripe is set up: the key and each of its permissions, live or test, webhooks and the clock."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

import stripe

from recoup.clock import wall_now
from recoup.errors import Misconfigured
from recoup.ports import CheckResult
from recoup.settings import Connection
from tools.billing.json_part import Part
from tools.billing.signatures import TOLERANCE_SECONDS
from tools.billing.stripe_api import PAGE_SIZE, Answer, StripeApi, answer_of, permission_named
from tools.billing.stripe_changes import TYPES
from tools.billing.stripe_mirror import TAGS

# What no payment, customer or subscription is called: asking for it shows whether one might, and changes nothing.
NOBODY = "recoupcheck"
ACCEPTABLE_SKEW = timedelta(seconds=TOLERANCE_SECONDS / 5)
READS = "reading invoices, who pays them and with what"


class Probe(NamedTuple):
    """A request that shows one permission. ``permission``: as Stripe's dashboard calls it."""

    permission: str
    needed_for: str
    request: Callable[[], Awaitable[stripe.StripeObject]]


async def examine(api: StripeApi) -> tuple[CheckResult, ...]:
    """Everything that can be seen with the key; raises BillingUnavailable where Stripe does not answer."""
    connection = api.connection
    try:
        known = answer_of(await api.v1.events.list_async({"limit": 1}))
    except stripe.AuthenticationError:
        fix = f"make a new key in Stripe's dashboard and write it where connections.{connection.name}.api_key points"
        return (CheckResult(name="credentials", ok=False, found="Stripe does not know the api_key", fix=fix),)
    except stripe.PermissionError:
        known = None
    except stripe.StripeError as exc:
        raise api.translated(exc) from exc
    permissions = [await _permission(api, probe) for probe in _probes(api)]
    webhooks = await _webhooks(api)
    return (
        CheckResult(name="credentials", ok=True, found="Stripe knows the api_key"),
        _mode(connection),
        *permissions,
        *webhooks,
        *([_clock(known)] if known else []),
    )


def _probes(api: StripeApi) -> list[Probe]:
    v1, one, connection = api.v1, 1, api.connection
    lookups, changes = "looking up charges whose answer was lost", "hearing of what webhooks lost"
    tags = Probe("Customers: Write", "mirror_tags", lambda: v1.customers.update_async(f"cus_{NOBODY}", {"metadata": {TAGS: ""}}))
    return [
        Probe("Invoices: Read", READS, lambda: v1.invoices.list_async({"limit": one})),
        Probe("Charges and Refunds: Read", READS, lambda: v1.charges.list_async({"limit": one})),
        Probe("PaymentIntents: Read", READS, lambda: v1.payment_intents.list_async({"limit": one})),
        Probe("Customers: Read", READS, lambda: v1.customers.list_async({"limit": one})),
        Probe("PaymentMethods: Read", READS, lambda: v1.payment_methods.retrieve_async(f"pm_{NOBODY}")),
        Probe("Subscriptions: Read", READS, lambda: v1.subscriptions.list_async({"limit": one})),
        Probe("Disputes: Read", READS, lambda: v1.disputes.list_async({"limit": one})),
        Probe("Events: Read", f"{lookups}, {changes}", lambda: v1.events.list_async({"limit": one})),
        Probe(
            "Invoices: Write",
            "retry_payment, use_backup_method, take_over_collection, hand_back_collection, write_off" + ", mirror" * connection.mirror,
            lambda: v1.invoices.pay_async(f"in_{NOBODY}", {"off_session": True}),
        ),
        Probe(
            "Subscriptions: Write",
            "suspend_service, reinstate_service, cancel_subscription",
            lambda: v1.subscriptions.update_async(f"sub_{NOBODY}", {"pause_collection": ""}),
        ),
        Probe("Charges and Refunds: Write", "refund_duplicate", lambda: v1.refunds.create_async({"charge": f"ch_{NOBODY}", "amount": one})),
        *([tags] if connection.mirror and connection.mirror_tags else []),
    ]


async def _permission(api: StripeApi, probe: Probe) -> CheckResult:
    """A refusal for any other reason, such as that there is no such thing, shows that the permission is there."""
    name = f"permission {probe.permission}"
    try:
        await probe.request()
    except stripe.PermissionError as exc:
        found = f"refused: it lacks {permission_named(exc) or 'a permission'}"
        fix = f"give the restricted key {probe.permission!r} in Stripe's dashboard; it is needed for {probe.needed_for}"
        return CheckResult(name=name, ok=False, found=found, fix=fix)
    except stripe.InvalidRequestError:
        pass
    except stripe.StripeError as exc:
        raise api.translated(exc) from exc
    return CheckResult(name=name, ok=True, found="granted")


def _mode(connection: Connection) -> CheckResult:
    """Stripe's keys say in which of its two worlds they live."""
    is_live = "_live_" in (connection.api_key or "")
    words = {True: "live", False: "test"}
    found = f"a {words[is_live]} key in a connection with livemode = {str(connection.livemode).lower()}"
    fix = f"use a {words[connection.livemode]} key, or correct connections.{connection.name}.livemode"
    return _checked("live or test", ok=is_live == connection.livemode, found=found, fix=fix)


async def _webhooks(api: StripeApi) -> list[CheckResult]:
    connection, path = api.connection, f"/webhooks/{api.connection.name}"
    secret = _checked(
        "webhook secret",
        ok=bool(connection.webhook_secrets),
        found=f"{len(connection.webhook_secrets)} configured",
        fix=f"copy the endpoint's signing secret to where connections.{connection.name}.webhook_secrets points",
    )
    try:
        listed = await api.all_of(lambda _: api.v1.webhook_endpoints.list_async({"limit": PAGE_SIZE}), most_pages=1)
    except Misconfigured as exc:
        fix = "give the restricted key 'Webhook Endpoints: Read' in Stripe's dashboard, or look at the endpoint there yourself"
        return [CheckResult(name="permission Webhook Endpoints: Read", ok=False, found=str(exc), fix=fix), secret]
    ours = [endpoint for endpoint in listed.items if urlsplit(endpoint.text("url") or "").path.endswith(path)]
    if not ours:
        found = f"none of {len(listed.items)} endpoints leads to {path}"
        return [CheckResult(name="webhook endpoint", ok=False, found=found, fix=f"add an endpoint that ends in {path}"), secret]
    enabled = [endpoint for endpoint in ours if endpoint.text("status") == "enabled"]
    endpoint = (enabled or ours)[0]
    url = endpoint.text("url") or path
    return [
        _checked("webhook endpoint", ok=bool(enabled), found=f"{url} is {endpoint.text('status')}", fix="enable it in Stripe's dashboard"),
        _events(endpoint, url),
        secret,
    ]


def _events(endpoint: Part, url: str) -> CheckResult:
    """Whether the endpoint is told of everything that moves a case."""
    listed = endpoint.values.get("enabled_events")
    enabled: set[object] = set(listed) if isinstance(listed, list) else set()  # pyright: ignore[reportUnknownArgumentType] - JSON
    missing = [] if "*" in enabled else [event_type for event_type in TYPES if event_type not in enabled]
    found = f"not sent: {', '.join(missing)}" if missing else f"all {len(TYPES)} types that matter are sent"
    return _checked("webhook events", ok=not missing, found=found, fix=f"add {', '.join(missing)} to the events of {url}")


def _clock(known: Answer) -> CheckResult:
    skew = wall_now() - known.at
    found = f"this machine's clock is {abs(skew).total_seconds():.0f} s {'ahead of' if skew > timedelta() else 'behind'} Stripe's"
    fix = f"synchronise the clock; signatures of webhooks are refused from {TOLERANCE_SECONDS} s on"
    return _checked("clock", ok=abs(skew) <= ACCEPTABLE_SKEW, found=found, fix=fix)


def _checked(name: str, *, ok: bool, found: str, fix: str) -> CheckResult:
    return CheckResult(name=name, ok=ok, found=found, fix=None if ok else fix)
