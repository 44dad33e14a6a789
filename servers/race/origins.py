"""What lets the page of a race read the answers of its lanes: each is an origin of its own (CORS)."""

from typing import Final

from aiohttp import hdrs, web

READABLE: Final = "Retry-After, X-Updates-Mode"
"""Answer headers that a page of another origin sees only when told so (Fetch standard, CORS-safelisted headers)."""


def let_read(response: web.StreamResponse, origin: str | None) -> None:
    """Let pages of this origin, None for no page, read a response that came from another origin."""
    response.headers[hdrs.VARY] = ", ".join([*response.headers.getall(hdrs.VARY, ()), hdrs.ORIGIN])
    if origin is not None:
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
        response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = READABLE
