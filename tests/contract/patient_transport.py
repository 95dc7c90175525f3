"""A way to a double that is not in a hurry: how busy the machine is decides no test."""

import httpx

LONGEST = httpx.Timeout(120.0)


class PatientTransport(httpx.AsyncHTTPTransport):
    """Waits for everything, whatever a client would put up with. Limits and tries of the guarded way out are not in it."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions = {**request.extensions, "timeout": LONGEST.as_dict()}
        return await super().handle_async_request(request)
