"""Connections: what their webhooks had lost, as asking the platforms shows."""

from fastapi import APIRouter

from api.auth import Reader, ServicesDep
from api.drift import Drift, drift_of

router = APIRouter(prefix="/connections", tags=["connections"])


@router.get("/{name}/drift")
async def get_drift(services: ServicesDep, _: Reader, name: str) -> Drift:
    """What was found only by asking the platform what had changed, by kind of object, and when it was last asked."""
    return await drift_of(services.db, services.connections, name)
