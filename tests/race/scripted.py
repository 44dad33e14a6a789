"""A server that says on each connection what a test wrote down for it, in the framing of the pattern that is asked."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from servers.patterns.sse import control_event
from tests.server_process import ROOT

PAGES: Final = ROOT / "servers" / "pages" / "race"

Line = dict[str, Any]


@dataclass
class Says:
    """One connection: lines (messages have an id, remarks a type), then its end, unless it is held open."""

    lines: list[Line] = field(default_factory=list)
    held: bool = False


@dataclass
class Refuses:
    """One connection that is answered with an error."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Script:
    """What connections get, in turn; the last goes on for ever. cursors: what they asked from; left: how many a client
    has ended."""

    plan: list[Says | Refuses]
    port: int = 0
    cursors: list[int] = field(default_factory=list)
    left: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        resumed = request.headers.get("Last-Event-ID", request.query.get("last_id", "0"))
        self.cursors.append(int(resumed))
        step = self.plan.pop(0) if len(self.plan) > 1 else self.plan[0]
        if isinstance(step, Refuses):
            return web.json_response({"error": "not now"}, status=step.status, headers=step.headers)
        try:
            return await SPEAK[request.match_info["pattern"]](request, step)
        except asyncio.CancelledError:
            self.left += 1
            raise


async def poll(request: web.Request, step: Says) -> web.StreamResponse:
    if step.held:
        await asyncio.Event().wait()
    remark = {name: value for line in step.lines if "type" in line for name, value in line.items()}
    answer: Line = {"messages": [line for line in step.lines if "id" in line]}
    if remark:
        answer |= {"cursor": remark["type"], "first_id": remark["first_id"]}
    return web.json_response(answer)


async def stream(request: web.Request, step: Says) -> web.StreamResponse:
    """Lines in chunks that end in the middle of a character."""
    response = web.StreamResponse()
    await response.prepare(request)
    text = "".join(json.dumps({**line, "content": "ż"}, ensure_ascii=False) + "\n" for line in step.lines).encode()
    for at in range(0, len(text), 7):
        await response.write(text[at : at + 7])
    return await last(response, step)


async def events(request: web.Request, step: Says) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b"retry: 20\n\n")
    for line in step.lines:
        message = f"id: {line.get('id')}\ndata: {json.dumps(line)}\n\n".encode()
        await response.write(control_event(line) if "type" in line else message)
    return await last(response, step)


async def last(response: web.StreamResponse, step: Says) -> web.StreamResponse:
    if step.held:
        await asyncio.Event().wait()
    return response


async def socket(request: web.Request, step: Says) -> web.StreamResponse:
    response = web.WebSocketResponse()
    await response.prepare(request)
    for line in step.lines:
        await response.send_str(json.dumps(line))
    if step.held:
        async for _ in response:
            pass
        raise asyncio.CancelledError
    await response.close()
    return response


SPEAK = {"short_polling": poll, "long_polling": poll, "chunked": stream, "sse": events, "websocket": socket}


async def blank(_: web.Request) -> web.Response:
    return web.Response(text="<link rel=icon href='data:,'>", content_type="text/html")


@asynccontextmanager
async def scripted(*plan: Says | Refuses) -> AsyncIterator[Script]:
    """Serve a script at /feed/PATTERN, with the race's modules beside it."""
    script = Script(list(plan))
    app = web.Application()
    app.add_routes([web.get("/", blank), web.get("/feed/{pattern}", script.answer), web.static("/race", PAGES)])
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    script.port = runner.addresses[0][1]
    try:
        yield script
    finally:
        await runner.cleanup()
