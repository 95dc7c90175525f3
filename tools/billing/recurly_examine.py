"""What a connection to Recurly needs, and what of it there is. Nothing is changed: whether a key may write is asked about what is not
there."""

from datetime import timedelta

from recoup.clock import wall_now
from recoup.errors import BillingUnavailable, Malformed, Misconfigured, NotFound, OutcomeUnknown
from recoup.ids import new_id
from recoup.ports import CheckResult
from recoup.settings import Connection
from tools.billing.recurly_http import Answer, RecurlyHttp

MOST_SKEW = timedelta(seconds=60)
# No invoice has a number without digits at its end.
NOT_THERE = "/invoices/number-recoup-check/collect"
# No id of Recurly's is as long.
NO_NOTES = "/accounts/recoupcheckwhethernotesaretaken/notes"
# What is read, and what it is read for.
READS = {
    "invoices": "to read what is owed",
    "accounts": "to know whom to write to",
    "transactions": "to find an attempt whose answer was lost",
    "subscriptions": "to hear of cancellations",
}


async def examine(connection: Connection, http: RecurlyHttp) -> tuple[CheckResult, ...]:
    """Credentials, live or test, clock, webhooks, and each thing that is read. Raises BillingUnavailable where nobody answers."""
    where = f"connections.{connection.name}"
    try:
        answer = await http.get("/sites", {"limit": 1})
    except Misconfigured as exc:
        fix = f"make a private API key in Recurly under Integrations, API Credentials, and let {where}.api_key refer to it"
        return (CheckResult(name="credentials", ok=False, found=str(exc), fix=fix),)
    found = [_site(answer), _mode(connection, answer), _clock(answer), _webhooks(connection)]
    found += [await _may_read(http, what, why) for what, why in READS.items()]
    found += [await _may_note(http)] if connection.mirror else []
    return (*found, await _may_change(http))


def _site(answer: Answer) -> CheckResult:
    sites = answer.document.parts("data")
    found = f"the api_key is of the site {sites[0].text('subdomain')}" if sites else "the api_key is of no site"
    return CheckResult(name="credentials", ok=bool(sites), found=found)


def _mode(connection: Connection, answer: Answer) -> CheckResult:
    sites = answer.document.parts("data")
    mode = sites[0].text("mode") if sites else None
    is_right = (mode == "production") is connection.livemode
    fix = f"set connections.{connection.name}.livemode = {str(mode == 'production').lower()}, or use the key of the other site"
    return CheckResult(name="mode", ok=is_right, found=f"the site is in {mode} mode", fix=None if is_right else fix)


def _clock(answer: Answer) -> CheckResult:
    skew = abs(wall_now() - answer.at)
    is_right = skew <= MOST_SKEW
    found = f"this machine and Recurly differ by {skew.total_seconds():.0f} s"
    return CheckResult(name="clock", ok=is_right, found=found, fix=None if is_right else "let this machine's clock be set by NTP")


def _webhooks(connection: Connection) -> CheckResult:
    """Recurly's API does not tell where its webhooks go: only our side can be looked at."""
    where = f"connections.{connection.name}"
    if connection.webhook_secrets:
        found = "JSON webhooks are signed; Recurly does not tell which endpoint and events are set, so send a test notification from there"
        return CheckResult(name="webhooks", ok=True, found=found)
    if connection.basic_auth:
        found = "only classic notifications, which are not signed, can be heard"
        fix = f"add a JSON endpoint in Recurly, and its secret to {where}.webhook_secrets"
    else:
        found, fix = "there is no secret, so that no event is believed", f"put the endpoint's secret into {where}.webhook_secrets"
    return CheckResult(name="webhooks", ok=False, found=found, fix=fix)


async def _may_read(http: RecurlyHttp, what: str, why: str) -> CheckResult:
    name = f"read {what}"
    try:
        await http.get(f"/{what}", {"limit": 1})
    except (Misconfigured, NotFound, Malformed) as exc:
        return CheckResult(name=name, ok=False, found=str(exc), fix=f"use a private API key that may read {what}: it is needed {why}")
    except BillingUnavailable as exc:
        return CheckResult(name=name, ok=False, found=str(exc), fix="try again when Recurly answers")
    return CheckResult(name=name, ok=True, found="allowed")


async def _may_note(http: RecurlyHttp) -> CheckResult:
    """Whether a note is refused for the key, or only because there is no such account."""
    name, fix = "notes", f"use a private API key with full access, or set connections.{http.name}.mirror = false"
    try:
        await http.get(NO_NOTES)
    except Misconfigured as exc:
        return CheckResult(name=name, ok=False, found=str(exc), fix=fix)
    except NotFound:
        pass
    except (BillingUnavailable, Malformed) as exc:
        return CheckResult(name=name, ok=False, found=str(exc), fix="try again when Recurly answers")
    try:
        await http.send("POST", NO_NOTES, new_id("action"), {"message": "Recoup looks whether it may write here."})
    except Misconfigured as exc:
        return CheckResult(name=name, ok=False, found=str(exc), fix=fix)
    except NotFound:
        pass
    except (BillingUnavailable, OutcomeUnknown) as exc:
        return CheckResult(name=name, ok=False, found=str(exc), fix="try again when Recurly answers")
    return CheckResult(name=name, ok=True, found="allowed: the notes of the mirror")


async def _may_change(http: RecurlyHttp) -> CheckResult:
    """Recurly's keys may change everything or nothing: one that may is told that the invoice is not there, and another that it may not."""
    try:
        await http.send("PUT", NOT_THERE, new_id("action"))
    except NotFound:
        return CheckResult(name="change", ok=True, found="allowed: charges, refunds, cancellations and write-offs")
    except Misconfigured as exc:
        fix = "shadow mode needs no more; to act, use a private API key with full access"
        return CheckResult(name="change", ok=False, found=str(exc), fix=fix)
    except (BillingUnavailable, OutcomeUnknown) as exc:
        return CheckResult(name="change", ok=False, found=str(exc), fix="try again when Recurly answers")
    return CheckResult(name="change", ok=False, found="Recurly finds an invoice that cannot be there", fix="tell us about it")
