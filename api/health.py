"""Whether the process lives, whether it can work, and what it has done."""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from api.auth import ServicesDep
from graph.readiness import Readiness, check_readiness
from memory import counts, unknown_codes

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    status: str = "ok"


@router.get("/healthz")
async def healthz() -> Alive:
    """Says only that the process answers."""
    return Alive()


@router.get("/readyz")
async def readyz(services: ServicesDep, response: Response) -> Readiness:
    """Database, queue, migrations, and whether every waiting thread still fits the graph; 503 where one does not."""
    readiness = await check_readiness(services)
    if not readiness.ready:
        response.status_code = 503
    return readiness


@router.get("/metrics")
async def metrics(services: ServicesDep) -> Response:
    """Prometheus text, counted in the database, so that every process gives the same figures."""
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

    registry = CollectorRegistry()
    async with services.db.read() as session:
        rows = await counts.by_state(session)
        unknown = await unknown_codes.count(session)
    gauges = {name: Gauge(f"recoup_{name}", f"Number of {name} by state", ["state"], registry=registry) for name in counts.TABLES}
    for row in rows:
        gauges[row.table].labels(row.state).set(row.rows)
    Gauge("recoup_unknown_decline_codes", "Failed attempts whose decline code no table has", registry=registry).set(unknown)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
