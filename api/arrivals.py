"""What the webhooks that came, and the one that was turned away last, tell of a connection's set-up: the half that no platform can see."""

from datetime import datetime
from typing import assert_never

from api.jobs.outcome import ACTION_RESULT
from memory import arrivals
from memory.arrivals import RefusedWebhook
from memory.database import Read
from recoup.events import RECONCILED
from recoup.ports import CheckResult
from recoup.settings import Connection, Platform
from tools.billing.recurly_types import NEEDED_WEBHOOKS

OURS = (ACTION_RESULT, RECONCILED)
# What an endpoint has to be told of, where the platform does not say for what it is set up.
UNSEEN_TYPES: dict[Platform, tuple[str, ...]] = {Platform.RECURLY: NEEDED_WEBHOOKS}


async def arrivals_of(session: Read, connection: Connection) -> tuple[CheckResult, ...]:
    """Whether webhooks arrive, and where that is all there is to see, which of the types that matter have come so far."""
    came = await arrivals.newest_arrived(session, connection.name, OURS)
    refused = await arrivals.newest_refused(session, connection.name)
    if refused is not None and (came is None or came.received_at < refused.refused_at):
        found = f"the newest, at {_shown(refused.refused_at)}, was turned away: {refused.detail}"
        newest = CheckResult(name="webhook arrival", ok=False, found=found, fix=_mend(connection, refused))
    elif came is None:
        fix = f"change a test customer there while recoup serve runs and https://<your host>/webhooks/{connection.name} leads to it"
        newest = CheckResult(name="webhook arrival", ok=True, is_seen=False, found="none has come in yet", fix=fix)
    else:
        newest = CheckResult(name="webhook arrival", ok=True, found=f"the newest came at {_shown(came.received_at)} ({came.event_type})")
    needed = UNSEEN_TYPES.get(connection.platform, ())
    return (newest, await _types(session, connection, needed)) if needed else (newest,)


async def _types(session: Read, connection: Connection, needed: tuple[str, ...]) -> CheckResult:
    came = await arrivals.types_arrived(session, connection.name, needed)
    missing = [event_type for event_type in needed if event_type not in came]
    if not missing:
        return CheckResult(name="webhook events", ok=True, found=f"all {len(needed)} types that matter have come")
    found = f"{len(came)} of the {len(needed)} types that matter have come; not yet: {', '.join(missing)}"
    fix = "compare with the events of the endpoint there; some are rare, and come when such a thing happens"
    return CheckResult(name="webhook events", ok=True, is_seen=False, found=found, fix=fix)


def _mend(connection: Connection, refused: RefusedWebhook) -> str:
    where = f"connections.{connection.name}"
    match refused.why:
        case "wrong":
            return f"copy the endpoint's secret to where {where}.webhook_secrets points, and start recoup serve again"
        case "missing":
            return f"let the platform sign: an endpoint for JSON, with a secret, which {where}.webhook_secrets points to"
        case "too old":
            return "synchronise this machine's clock, and let nothing between hold webhooks back"
        case "mode":
            return f"let the endpoint of the other mode lead elsewhere, or correct {where}.livemode"
        case _:
            assert_never(refused.why)


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
