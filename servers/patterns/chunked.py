"""Chunked streaming: messages as JSON lines of one response that stays open; and the steps of a long task."""

import asyncio
from collections.abc import Iterator

import msgspec
from aiohttp import web

from servers.clock import wall_timestamp
from servers.feed import Feed
from servers.options import ServerOptions
from servers.query import parse_cursor, parse_fields, parse_number
from servers.streams import Framing, Streams, chunk, heartbeat_line, json_line, serve_stream

LABEL = "Chunked streaming"
PATH = "/api/stream"
HTTP2 = False
HEADERS = {"Content-Type": "application/x-ndjson", "Cache-Control": "no-cache"}

FRAMING = Framing(
    message=lambda _, body: body + b"\n",
    control=json_line,
    hello=lambda key: json_line({"type": "connected", "client_id": key}),
    heartbeat=lambda: json_line(heartbeat_line()),
    wire=chunk,
)


def routes(feed: Feed, options: ServerOptions) -> list[web.RouteDef]:
    streams = Streams(feed, options, FRAMING)

    async def stream(request: web.Request) -> web.StreamResponse:
        last_id = parse_cursor(parse_fields(request.query_string).get("last_id", "0"))
        return await serve_stream(streams, request, HEADERS, last_id)

    return [web.get(PATH, stream, allow_head=False), web.get("/api/progress", progress, allow_head=False)]


async def progress(request: web.Request) -> web.StreamResponse:
    """Report the steps of a long task, `interval` seconds each, as JSON lines; the last one says it is done."""
    fields = parse_fields(request.query_string)
    steps = int(parse_number(fields.get("steps", "10"), "steps", 1, 10_000))
    interval_s = parse_number(fields.get("interval", "1"), "interval", 0, 3600)
    response = web.StreamResponse(headers={"X-Accel-Buffering": "no", **HEADERS})
    await response.prepare(request)
    for line in progress_lines(steps):
        await asyncio.sleep(interval_s)
        await response.write(msgspec.json.encode(line | {"timestamp": wall_timestamp()}) + b"\n")
    return response


def progress_lines(steps: int) -> Iterator[dict[str, object]]:
    for step in range(1, steps + 1):
        line = {"step": step, "total": steps, "percentage": 100 * step / steps, "message": f"step {step} of {steps}"}
        yield line | ({"status": "done"} if step == steps else {"status": "running"})
