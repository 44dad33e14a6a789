"""A server that is slow by a known amount, to find out whether its limit is found."""

import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from servers.settings.fault_specs import Slow

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def slowed(handler: Handler, slow: Slow) -> Handler:
    """Return a handler that first stops the whole server for as long, which is what work on its one thread does."""

    async def handled(request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith("/api/"):
            time.sleep(slow.each_ms / 1000)  # noqa: ASYNC251
        return await handler(request)

    return handled
