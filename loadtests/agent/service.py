"""The agent's HTTP: GET /clock and GET /cost, for who has the token. Nothing can be changed through it.

It is asked by runs on other hosts, so it takes nothing on trust: no token, no answer; a short query, and no body.
"""

import asyncio
import hmac
from collections.abc import Callable
from typing import Final

import msgspec
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from loadtests.agent.messages import CostSeen, Question, question_of
from loadtests.agent.sight import Gone, Sight
from servers.timing.clock import clock_answer, clock_id, now_ns
from servers.web.urls import authority

JSON: Final = "application/json"
CONNECTIONS: Final = 64
"""More than one run has; who comes then waits to be accepted."""
END_S: Final = 2.0


class Agent:
    """token: who may ask."""

    def __init__(self, token: str, sight: Sight) -> None:
        self._token = f"Bearer {token}".encode()
        self._sight = sight

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._let_in], client_max_size=1)
        app.add_routes(
            [web.get("/clock", self._clock, allow_head=False), web.get("/cost", self._cost, allow_head=False)]
        )
        return app

    @web.middleware
    async def _let_in(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        request["received_ns"] = now_ns()
        told = request.headers.get(hdrs.AUTHORIZATION, "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(told, self._token):
            error = "this agent takes the token that it was started with, as Authorization: Bearer TOKEN"
            return refusal(401, error, {hdrs.WWW_AUTHENTICATE: "Bearer"})
        try:
            return await handler(request)
        except web.HTTPException as wrong:
            return refusal(
                wrong.status, f"{request.method} {request.path}: {wrong.reason}; there are GET /clock, GET /cost"
            )

    async def _clock(self, request: web.Request) -> web.Response:
        return web.Response(body=clock_answer(request["received_ns"]), content_type=JSON)

    async def _cost(self, request: web.Request) -> web.Response:
        try:
            asked: Question = question_of(request.rel_url.raw_query_string)
            known, rows = self._sight.look(asked)
        except ValueError as wrong:
            return refusal(400, str(wrong))
        except (Gone, ProcessLookupError) as gone:
            return refusal(410, str(gone))
        seen = CostSeen(
            clock_id=clock_id(),
            received_ns=request["received_ns"],
            sent_ns=now_ns(),
            known=known,
            rows=[list(row) for row in rows],
        )
        return web.Response(body=msgspec.json.encode(seen), content_type=JSON)


def refusal(status: int, error: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode({"error": error}), content_type=JSON, headers=headers)


async def serve(host: str, port: int, token: str, stopped: "asyncio.Future[None]", said: Callable[[str], None]) -> None:
    """Answer until `stopped`. said: told the address once it listens. Raises OSError where it cannot listen there."""
    runner = web.AppRunner(Agent(token, Sight()).app(), access_log=None, shutdown_timeout=END_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=CONNECTIONS)
        await site.start()
        said(f"http://{authority(*runner.addresses[0][:2])}")
        await stopped
    finally:
        await runner.cleanup()
