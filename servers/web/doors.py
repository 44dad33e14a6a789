"""Who is let in: no page of a stranger, no client above its rate. Asked before any handler, whatever the route."""

from collections.abc import Callable
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from servers.web.errors import error_response
from servers.web.origins import Origins

Door = Callable[[web.BaseRequest], web.StreamResponse | None]
"""Returns the refusal of a request, None when it is to be served."""
ORIGINS: Final = web.AppKey("origins", Origins)
DOORS: Final = web.AppKey("doors", tuple[Door, ...])


def refuse_strangers(origins: Origins) -> Door:
    """Return what answers 403 to pages of other origins, and to names that are not ours."""

    def refuse(request: web.BaseRequest) -> web.StreamResponse | None:
        field = request.headers.get
        stranger = origins.refusal(
            field(hdrs.HOST), field(hdrs.ORIGIN), field("Sec-Fetch-Site", ""), field("Sec-Fetch-Mode", "")
        )
        return None if stranger is None else error_response(403, f"{stranger.field} {stranger.error}", stranger.field)

    return refuse


def refused(doors: tuple[Door, ...], request: web.BaseRequest) -> web.StreamResponse | None:
    for door in doors:
        refusal = door(request)
        if refusal is not None:
            return refusal
    return None


def at(doors: tuple[Door, ...]) -> Middleware:
    """Return the middleware that stops at these doors."""

    @web.middleware
    async def enter(request: web.Request, handler: Handler) -> web.StreamResponse:
        refusal = refused(doors, request)
        return await handler(request) if refusal is None else refusal

    return enter
