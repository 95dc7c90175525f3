"""Names every exchange, as vendors do: by it their support finds what happened."""

import os

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class NamedExchanges:
    """Puts ``X-Request-Id`` on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = f"req_{os.urandom(8).hex()}"
            await send(message)

        await self._app(scope, receive, send_named if scope["type"] == "http" else send)
