"""What a connection to Recurly needs, and what of it there is. Nothing is changed: whether a key may write is asked about what is not
there."""

from datetime import timedelta

from recoup.clock import wall_now
from recoup.errors import BillingUnavailable, Defect, Malformed, Misconfigured, NotFound, OutcomeUnknown
from recoup.ids import new_id
from recoup.ports import CheckResult
from recoup.settings import Connection
from tools.billing.recurly_http import EU_HOST, Answer, RecurlyHttp

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
AGAIN = "try again when Recurly answers"


async def examine(connection: Connection, http: RecurlyHttp, *, to_act: bool) -> tuple[CheckResult, ...]:
    """Credentials, site, live or test, clock, webhooks, and each thing that is read. Raises BillingUnavailable where nobody answers."""
    where = f"connections.{connection.name}"
    try:
        answer = await http.get("/sites", {"limit": 1})
    except Misconfigured:
        make = f"make a private API key in Recurly, Integrations, API Credentials, and let {where}.api_key refer to it"
        fix = f'{make}; where the site is in the EU, set {where}.api_base = "https://{EU_HOST}"'
        return (CheckResult(name="credentials", ok=False, found="Recurly does not take the api_key", fix=fix),)
    found = [CheckResult(name="credentials", ok=True, found="Recurly takes the api_key"), _site(connection, answer)]
    found += [_mode(connection, answer), _clock(answer), _secret(connection), _endpoint(connection)]
    found += [await _may_read(http, what, why) for what, why in READS.items()]
    if to_act:
        found += [await _may_note(http)] if connection.mirror else []
        found.append(await _may_change(http))
    return tuple(found)


def _site(connection: Connection, answer: Answer) -> CheckResult:
    """Of which site the key is: one of another site is good for reading what nobody meant."""
    sites, where = answer.document.parts("data"), f"connections.{connection.name}"
    its = sites[0].text("subdomain") if sites else None
    if connection.site is None:
        found = f"the api_key is of the site {its or 'that Recurly does not name'}"
        fix = f'if it is the right one, write {where}.site = "{its}", so that another is noticed'
        return CheckResult(name="site", ok=True, is_seen=False, found=found, fix=fix)
    is_right = its == connection.site
    found = f"the api_key is of the site {its}" + ("" if is_right else f", and {where}.site is {connection.site}")
    fix = None if is_right else f"let {where}.api_key refer to a key of {connection.site}, or correct {where}.site"
    return CheckResult(name="site", ok=is_right, found=found, fix=fix)


def _mode(connection: Connection, answer: Answer) -> CheckResult:
    sites = answer.document.parts("data")
    mode = sites[0].text("mode") if sites else None
    is_right = (mode == "production") is connection.livemode
    fix = f"set connections.{connection.name}.livemode = {str(mode == 'production').lower()}, or use the key of the other site"
    found = f"a site in {mode} mode, in a connection with livemode = {str(connection.livemode).lower()}"
    return CheckResult(name="live or test", ok=is_right, found=found, fix=None if is_right else fix)


def _clock(answer: Answer) -> CheckResult:
    skew = wall_now() - answer.at
    is_right = abs(skew) <= MOST_SKEW
    found = f"this machine's clock is {abs(skew).total_seconds():.0f} s {'ahead of' if skew > timedelta() else 'behind'} Recurly's"
    fix = "synchronise the clock: webhooks that seem too old are refused"
    return CheckResult(name="clock", ok=is_right, found=found, fix=None if is_right else fix)


def _secret(connection: Connection) -> CheckResult:
    where = f"connections.{connection.name}"
    if connection.webhook_secrets:
        return CheckResult(name="webhook secret", ok=True, found=f"{len(connection.webhook_secrets)} configured")
    if connection.basic_auth:
        found = "only classic notifications, which are not signed, can be heard"
        fix = f"add a JSON endpoint in Recurly, and its secret to where {where}.webhook_secrets points"
    else:
        found, fix = "none configured, so that no event is believed", f"copy the endpoint's secret to where {where}.webhook_secrets points"
    return CheckResult(name="webhook secret", ok=False, found=found, fix=fix)


def _endpoint(connection: Connection) -> CheckResult:
    """Recurly's API does not tell where its webhooks go."""
    found = "Recurly's API does not tell which endpoints are set up, and for which events"
    fix = f"see in Recurly, Integrations, Webhooks, that a JSON endpoint leads to https://<your host>/webhooks/{connection.name}"
    return CheckResult(name="webhook endpoint", ok=True, is_seen=False, found=found, fix=fix)


async def _may_read(http: RecurlyHttp, what: str, why: str) -> CheckResult:
    name = f"read {what}"
    try:
        await http.get(f"/{what}", {"limit": 1})
    except (Misconfigured, NotFound, Malformed) as exc:
        fix = f"use a private API key that may read {what}: it is needed {why}"
        return CheckResult(name=name, ok=False, found=str(exc), fix=fix)
    except BillingUnavailable as exc:
        return CheckResult(name=name, ok=False, found=str(exc), fix=AGAIN)
    return CheckResult(name=name, ok=True, found="allowed")


async def _may_note(http: RecurlyHttp) -> CheckResult:
    """Asked about an account that is not there, so that no note is written."""
    fix = f"use a private API key with full access, or set connections.{http.name}.mirror = false"
    try:
        await http.get(NO_NOTES)
    except Misconfigured as exc:
        return CheckResult(name="notes", ok=False, found=str(exc), fix=fix, only_to_act=True)
    except NotFound:
        pass
    except (BillingUnavailable, Malformed) as exc:
        return CheckResult(name="notes", ok=False, found=str(exc), fix=AGAIN, only_to_act=True)
    try:
        await http.send("POST", NO_NOTES, new_id("action"), {"message": "Recoup looks whether it may write here."})
    except Misconfigured as exc:
        return CheckResult(name="notes", ok=False, found=str(exc), fix=fix, only_to_act=True)
    except NotFound:
        pass
    except (BillingUnavailable, OutcomeUnknown) as exc:
        return CheckResult(name="notes", ok=False, found=str(exc), fix=AGAIN, only_to_act=True)
    except Defect as exc:
        return _untold("notes", exc)
    return CheckResult(name="notes", ok=True, found="allowed: the notes of the mirror", only_to_act=True)


async def _may_change(http: RecurlyHttp) -> CheckResult:
    """Recurly's keys may change everything or nothing: one that may is told that the invoice is not there, and another that it may not."""
    try:
        await http.send("PUT", NOT_THERE, new_id("action"))
    except NotFound:
        return CheckResult(name="change", ok=True, found="allowed: charges, refunds, cancellations and write-offs", only_to_act=True)
    except Misconfigured:
        fix = "use a private API key with full access: Recurly knows no lesser one that may charge, refund, cancel or write off"
        return CheckResult(name="change", ok=False, found="refused: the api_key may only read", fix=fix, only_to_act=True)
    except (BillingUnavailable, OutcomeUnknown) as exc:
        return CheckResult(name="change", ok=False, found=str(exc), fix=AGAIN, only_to_act=True)
    except Defect as exc:
        return _untold("change", exc)
    found = "Recurly finds an invoice that cannot be there"
    return CheckResult(name="change", ok=True, is_seen=False, found=found, fix="write off a test invoice to see it", only_to_act=True)


def _untold(name: str, exc: Defect) -> CheckResult:
    """The probe was answered in a way that tells nothing of permissions."""
    fix = "go on; the first real call will tell, and nothing is lost by it"
    return CheckResult(name=name, ok=True, is_seen=False, found=f"Recurly does not tell: {exc}", fix=fix, only_to_act=True)
