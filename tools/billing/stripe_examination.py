"""Whether a connection to Stripe is set up: the key and each of its permissions, live or test, webhooks and the clock."""

from datetime import timedelta
from urllib.parse import urlsplit

import stripe

from recoup.clock import wall_now
from recoup.ports import CheckResult
from recoup.settings import Connection
from tools.billing.json_part import Part
from tools.billing.signatures import TOLERANCE_SECONDS
from tools.billing.stripe_api import PAGE_SIZE, Answer, StripeApi, answer_of, permission_named
from tools.billing.stripe_changes import TYPES
from tools.billing.stripe_permissions import READING, WEBHOOK_ENDPOINTS, Permission
from tools.billing.stripe_permissions import to_act as wanted_to_act

ACCEPTABLE_SKEW = timedelta(seconds=TOLERANCE_SECONDS / 5)


async def examine(api: StripeApi, *, to_act: bool) -> tuple[CheckResult, ...]:
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
    reads = {one.name: await _permission(api, one) for one in READING}
    writes = [await _permission(api, one, only_to_act=True) for one in (wanted_to_act(connection) if to_act else ())]
    return (
        CheckResult(name="credentials", ok=True, found="Stripe knows the api_key"),
        _mode(connection),
        *reads.values(),
        *writes,
        *(await _endpoint(api) if reads[WEBHOOK_ENDPOINTS].ok else ()),
        _secret(connection),
        *([_clock(known)] if known else []),
    )


async def _permission(api: StripeApi, permission: Permission, *, only_to_act: bool = False) -> CheckResult:
    """A refusal for any other reason, such as that there is no such thing, shows that the permission is there."""
    name = f"permission {permission.name}"
    try:
        await permission.ask(api)
    except stripe.PermissionError as exc:
        found = f"refused: it lacks {permission_named(exc) or 'a permission'}"
        fix = f"give the restricted key {permission.name!r} in Stripe's dashboard; it is needed for {', '.join(permission.needed_for)}"
        return CheckResult(name=name, ok=False, found=found, fix=fix, only_to_act=only_to_act)
    except stripe.InvalidRequestError:
        pass
    except stripe.StripeError as exc:
        raise api.translated(exc) from exc
    return CheckResult(name=name, ok=True, found="granted", only_to_act=only_to_act)


def _mode(connection: Connection) -> CheckResult:
    """Stripe's keys say in which of its two worlds they live."""
    is_live = "_live_" in (connection.api_key or "")
    words = {True: "live", False: "test"}
    found = f"a {words[is_live]} key in a connection with livemode = {str(connection.livemode).lower()}"
    fix = f"use a {words[connection.livemode]} key, or correct connections.{connection.name}.livemode"
    return _checked("live or test", ok=is_live == connection.livemode, found=found, fix=fix)


async def _endpoint(api: StripeApi) -> list[CheckResult]:
    """The endpoint that leads here, as its path tells: at which address we can be reached from outside, nobody has told us."""
    path = f"/webhooks/{api.connection.name}"
    listed = await api.all_of(lambda _: api.v1.webhook_endpoints.list_async({"limit": PAGE_SIZE}), most_pages=1)
    ours = [endpoint for endpoint in listed.items if urlsplit(endpoint.text("url") or "").path.endswith(path)]
    if not ours:
        counted = f"none of {len(listed.items)} endpoints leads" if listed.items else "there is no endpoint that leads"
        fix = f"add an endpoint whose URL ends in {path}; where `stripe listen` forwards instead, there is none to be seen"
        return [CheckResult(name="webhook endpoint", ok=False, found=f"{counted} to {path}", fix=fix)]
    enabled = [endpoint for endpoint in ours if endpoint.text("status") == "enabled"]
    endpoint = (enabled or ours)[0]
    url = endpoint.text("url") or path
    return [
        _checked("webhook endpoint", ok=bool(enabled), found=f"{url} is {endpoint.text('status')}", fix="enable it in Stripe's dashboard"),
        _events(endpoint, url),
    ]


def _secret(connection: Connection) -> CheckResult:
    fix = f"copy the endpoint's signing secret to where connections.{connection.name}.webhook_secrets points"
    number = len(connection.webhook_secrets)
    return _checked("webhook secret", ok=number > 0, found=f"{number or 'none'} configured", fix=fix)


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
