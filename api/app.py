"""The HTTP application: routers put together over one set of services."""

from fastapi import FastAPI

from api import health, problems, webhooks
from api.routes import (
    actions,
    approvals,
    audit,
    cases,
    connections,
    control,
    decisions,
    declines,
    events,
    keys,
    messages,
    policy,
    tasks,
    tickets,
    timers,
)
from graph.bootstrap import Services

API_PREFIX = "/api/v1"
RESOURCES = (
    cases,
    decisions,
    approvals,
    actions,
    messages,
    timers,
    tasks,
    tickets,
    events,
    audit,
    policy,
    declines,
    connections,
    keys,
    control,
)


def create_app(services: Services) -> FastAPI:
    """The application over services that the caller has opened and will close."""
    app = FastAPI(
        title="Recoup",
        version="1",
        description="Recovers failed subscription payments. Webhooks come in at /webhooks/{connection}; people and programs use /api/v1.",
        openapi_url=f"{API_PREFIX}/openapi.json",
        docs_url=f"{API_PREFIX}/docs",
        redoc_url=None,
        responses=problems.RESPONSES,
    )
    app.state.services = services
    app.state.backlog = webhooks.Backlog()
    app.state.refusals = webhooks.Refusals()
    problems.install(app)
    app.include_router(webhooks.router)
    app.include_router(health.router)
    for resource in RESOURCES:
        app.include_router(resource.router, prefix=API_PREFIX)
    return app
