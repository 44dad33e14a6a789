"""Chunked streaming: messages as JSON lines of one response that stays open; and the steps of a long task."""

import asyncio
from collections.abc import Iterator
from typing import Final

from aiohttp import web

from servers.feed.feed import Feed
from servers.settings.options import ServerOptions
from servers.timing.clock import wall_timestamp
from servers.web.query import parse_fields, parse_last_id, parse_number, parse_whole
from servers.web.streams import UNBUFFERED, Framing, Streams, chunk, heartbeat_fields, json_line, serve_stream

LABEL = "Chunked streaming"
PATH = "/api/stream"
HEADERS: Final = {"Content-Type": "application/x-ndjson"}
STEPS_MAX: Final = 10_000

FRAMING: Final = Framing(
    message=lambda body: body + b"\n",
    control=json_line,
    hello=lambda number: json_line({"type": "connected", "client_id": number}),
    heartbeat=lambda: json_line(heartbeat_fields()),
    wire=chunk,
)


def routes(feed: Feed, options: ServerOptions) -> list[web.RouteDef]:
    streams = Streams(feed, options, FRAMING)

    async def stream(request: web.Request) -> web.StreamResponse:
        last_id = parse_last_id(request.raw_path)
        return await serve_stream(streams, request, HEADERS, last_id)

    return [web.get(PATH, stream, allow_head=False), web.get("/api/progress", progress, allow_head=False)]


async def progress(request: web.Request) -> web.StreamResponse:
    """Report the steps of a long task, `interval` seconds each, as JSON lines; the last one says it is done."""
    fields = parse_fields(request.rel_url.raw_query_string)
    steps = parse_whole(fields.get("steps", "10"), "steps", 1, STEPS_MAX)
    interval_s = parse_number(fields.get("interval", "1"), "interval", 0, 3600)
    response = web.StreamResponse(headers=UNBUFFERED | HEADERS)
    await response.prepare(request)
    for step in progress_steps(steps):
        await asyncio.sleep(interval_s)
        await response.write(json_line(step | {"timestamp": wall_timestamp()}))
    return response


def progress_steps(total: int) -> Iterator[dict[str, object]]:
    for step in range(1, total + 1):
        status = "done" if step == total else "running"
        percentage = round(100 * step / total, 1)
        message = f"step {step} of {total}"
        yield {"step": step, "total": total, "percentage": percentage, "message": message, "status": status}
