"""What the race adds to a server: its page, a lane for each pattern, one clock to compare with, and counts.

The page asks its own origin for everything but the lanes: `/race/state` once a second, now and then `/race/clock`.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from servers import patterns
from servers.app import Service
from servers.http2 import client_settings
from servers.palette import colours_of
from servers.race.guests import Guest
from servers.race.lanes import HOST, Lane, LaneLostError, open_lanes
from servers.race.origins import let_read
from servers.timing.clock import now_ns, wall_timestamp
from servers.web.body import fields_of
from servers.web.doors import ORIGINS
from servers.web.errors import JSON, error_response
from servers.web.query import BadFieldError
from servers.web.websocket import accept, refusal
from servers.web.websocket_frames import FINAL, TEXT, FrameError, frame

PAGES: Final = Path(__file__).parent.parent / "pages" / "race"
RTT_MAX_MS: Final = 5_000
BROWSERS_KEPT: Final = 8
ONLY_HERE: Final = (
    f"default-src 'self'; frame-ancestors 'none'; connect-src 'self' http://{HOST}:* ws://{HOST}:* ws://localhost:*"
)
"""What the page may load and talk to: us, and lanes on any port, since a server that starts again has others. Origins
of guests follow."""
CLOCK_BYTES_MAX: Final = 16
EMPTY_POLL: Final = b'{"messages":[],"count":0'


@dataclass(slots=True)
class Counts:
    """What pages have asked of one pattern. empty: answers without a message."""

    requests: int = 0
    empty: int = 0


class Race:
    """The race of one server process. rtt_ms: the round trip of every lane at first; guests: streams beside them."""

    def __init__(self, service: Service, rtt_ms: float, guests: Sequence[Guest] = ()) -> None:
        self._service = service
        self._rtt_ms = rtt_ms
        self._guests = guests
        self._may_ask = " ".join([ONLY_HERE, *dict.fromkeys(guest.origin for guest in guests)])
        self._lanes: list[Lane] = []
        self._counts = {patterns.facts(name).path: Counts() for name in service.names}
        self._settings: dict[str, dict[str, object]] = {}
        self._own = {f"http://{host}:{service.http_port}" for host in (HOST, "localhost")}

    def extend(self, app: web.Application) -> None:
        """Add routes, rules and lanes to an application that is not yet set up."""
        app[ORIGINS].ours = self._is_ours
        app.middlewares.append(self._count)
        app.on_response_prepare.append(self._mark)
        app.cleanup_ctx.append(self._run_lanes)
        app.add_routes(
            [
                web.get("/", to_page, allow_head=False),
                web.get("/race/", page, allow_head=False),
                web.get("/race/state", self._state, allow_head=False),
                web.get("/race/clock", clock, allow_head=False),
                web.put("/race/rtt", self._put_rtt),
                web.post("/race/cut", self._cut),
                web.get("/race/settings", self._show_settings, allow_head=False),
                web.static("/race", PAGES),
            ]
        )

    def _is_ours(self, origin: str) -> bool:
        """Say whether pages of this origin are ours, over HTTP/1.1 or HTTP/2."""
        return origin in self._own or origin == self._h2_origin

    @property
    def _h2_origin(self) -> str:
        return f"https://{HOST}:{self._service.http2_port}"

    async def _run_lanes(self, _: web.Application) -> AsyncIterator[None]:
        names = [name for name in self._service.names if has_client(name)]
        assert self._service.http_port is not None
        async with open_lanes(names, self._service.http_port, self._rtt_ms) as self._lanes:
            yield

    @web.middleware
    async def _count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Count what pages ask for: those are of another origin, as every lane has one of its own."""
        counts = self._counts.get(request.path)
        if counts is None or hdrs.ORIGIN not in request.headers:
            return await handler(request)
        counts.requests += 1
        response = await handler(request)
        if isinstance(response, web.Response) and isinstance(response.body, bytes):
            counts.empty += response.body.startswith(EMPTY_POLL)
        return response

    async def _mark(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add the headers that make a lane readable, and the page a place of its own."""
        origin = request.headers.get(hdrs.ORIGIN)
        let_read(response, origin if origin in self._own else None)
        if request.path.startswith("/race/"):
            response.headers["Content-Security-Policy"] = self._may_ask
            response.headers[hdrs.CACHE_CONTROL] = "no-cache"
            # Alone in its process, a page may read performance.now() to 5 us instead of 100 (High Resolution Time, 7).
            response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
            response.headers["Cross-Origin-Embedder-Policy"] = "require-corp"

    async def _state(self, _: web.Request) -> web.Response:
        """Answer with all that the page shows and does not see for itself."""
        return await self._answer("tally")

    async def _put_rtt(self, request: web.Request) -> web.Response:
        """Give every lane another round trip."""
        rtt_ms = fields_of(await self._service.body(request)).get("rtt_ms")
        if not isinstance(rtt_ms, int | float) or isinstance(rtt_ms, bool) or not 0 <= rtt_ms <= RTT_MAX_MS:
            raise BadFieldError(
                "rtt_ms", f"{str(rtt_ms)[:40]!r} is not a number of milliseconds from 0 to {RTT_MAX_MS}"
            )
        self._rtt_ms = rtt_ms
        return await self._answer(f"rtt {rtt_ms:.6f}ms")

    async def _cut(self, _: web.Request) -> web.Response:
        """Reset every connection of every lane, as a network that dies."""
        return await self._answer("cut")

    async def _answer(self, command: str) -> web.Response:
        """Have every lane obey; answer with the state then."""
        try:
            lanes = [await self._lane(lane, command) for lane in self._lanes]
        except LaneLostError as lost:
            return error_response(503, str(lost), "lane")
        service = self._service
        state = {
            "token": service.options.token,
            "schedule": str(service.publisher.schedule),
            "rtt_ms": self._rtt_ms,
            "newest_id": service.feed.newest_id,
            "lanes": lanes,
            "guests": [guest.as_json() for guest in self._guests],
            "without": [patterns.facts(name).label for name in service.names if lacks_client(name)],
            "http2_page": f"{self._h2_origin}/race/http2.html" if service.http2_port else None,
            "browsers": list(self._settings.values()),
        }
        return answered(state)

    async def _lane(self, lane: Lane, command: str) -> dict[str, object]:
        tally = await lane.ask(command)
        known, colour = patterns.facts(lane.name), colours_of(self._service.names)[lane.name]
        counts = self._counts[known.path]
        return {
            "name": lane.name,
            "label": known.label,
            "protocol": known.protocol,
            "light": colour.line,
            "dark": colour.dark,
            "url": lane.origin + known.path,
            "requests": counts.requests,
            "empty": counts.empty,
            "bytes": tally.bytes,
            "connections": tally.connections,
        }

    async def _show_settings(self, request: web.Request) -> web.Response:
        """Answer with the SETTINGS frame that began this connection, and remember it: it is the browser's own word."""
        settings = client_settings(request)
        if settings is None:
            return error_response(404, "HTTP/1.1 has no SETTINGS; ask over HTTP/2", "protocol")
        agent = request.headers.get(hdrs.USER_AGENT, "")
        captured: dict[str, object] = {"user_agent": agent, "settings": settings, "at": wall_timestamp()}
        self._settings[agent] = captured
        if len(self._settings) > BROWSERS_KEPT:
            del self._settings[next(iter(self._settings))]
        return answered(captured)


def has_client(name: str) -> bool:
    """Say whether a browser can follow this pattern, and the page holds the module that does."""
    return not (patterns.facts(name).http2 or lacks_client(name))


def lacks_client(name: str) -> bool:
    """Say whether the page holds no module that speaks this pattern's protocol."""
    return not (PAGES / f"{patterns.facts(name).protocol}.js").exists()


async def to_page(_: web.Request) -> web.Response:
    raise web.HTTPFound("/race/")


async def page(_: web.Request) -> web.FileResponse:
    return web.FileResponse(PAGES / "index.html")


async def clock(request: web.Request) -> web.StreamResponse:
    """Answer every message with the server's time in ns, as soon as can be."""
    refused = refusal(request)
    if refused is not None:
        return refused
    response, page = await accept(request, CLOCK_BYTES_MAX, within_s=0)
    page.listen()
    try:
        while await page.receive() is not None:
            page.say(frame(FINAL | TEXT, b"%d" % now_ns()))
    except FrameError as broken:
        page.close(broken.code)
    return response


def answered(fields: dict[str, object]) -> web.Response:
    return web.Response(body=msgspec.json.encode(fields), content_type=JSON)
