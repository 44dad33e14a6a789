"""Who may talk to the servers of a race from a browser: its own page, and no other.

A browser names the origin of a page in `Origin` whenever it asks another origin, opens a WebSocket (for which no CORS
exists, so the server must look itself: RFC 6455 section 10.2), or sends what may change something. Without this rule
any page in the same browser could publish here or read along.
"""

from collections.abc import Callable
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from servers.web.errors import error_response

READABLE: Final = "Retry-After, X-Updates-Mode"
"""Answer headers that a page of another origin sees only when told so (Fetch standard, CORS-safelisted headers)."""


def refuse_strangers(ours: Callable[[str], bool]) -> Middleware:
    """Return the middleware that answers 403 to pages of an origin that is not ours."""

    @web.middleware
    async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None or ours(origin):
            return await handler(request)
        return error_response(
            403, f"{origin[:200]} is not the page of this race; open the address it printed", "Origin"
        )

    return refuse


def let_read(response: web.StreamResponse, origin: str) -> None:
    """Let pages of this origin read an answer that came from another."""
    response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
    response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = READABLE
    response.headers[hdrs.VARY] = hdrs.ORIGIN
