"""A way to a double that is not in a hurry: how busy the machine is decides no test."""

import httpx

LONGEST = httpx.Timeout(120.0)
CONNECTIONS = 16


class PatientTransport(httpx.AsyncHTTPTransport):
    """Waits for everything, whatever a client would put up with. Limits and tries of the guarded way out are not in it."""

    def __init__(self) -> None:
        # As few connections as the guarded way out would have, and each is kept: hundreds that come and go at once are an attack.
        super().__init__(limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=None))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions = {**request.extensions, "timeout": LONGEST.as_dict()}
        return await super().handle_async_request(request)
