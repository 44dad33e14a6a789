"""`python -m tests.bench.plain_server`: what anyone would write with aiohttp in ten minutes, for benchmarks to stand
beside.

/constant answers with constant bytes, as fast as an aiohttp handler can; /longpoll is the usual sketch of a long
poll: an event that everyone waits for, and a JSON answer made for each.
"""

import asyncio
import itertools
import json
import signal
import sys
from contextlib import suppress
from typing import Any, Final

import uvloop
from aiohttp import web

from servers.timing.clock import now_ns, wall_timestamp

CONSTANT: Final = b'{"messages":[],"count":0,"polled_at":"2026-11-24T08:00:00.000000Z"}'


class Sketch:
    """A list that grows, and an event that is replaced whenever it does."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.changed = asyncio.Event()

    async def long_poll(self, request: web.Request) -> web.Response:
        last_id = int(request.query["last_id"])
        if last_id >= len(self.messages):
            with suppress(TimeoutError):
                await asyncio.wait_for(self.changed.wait(), 30)
        messages = self.messages[last_id:]
        return web.json_response({"messages": messages, "count": len(messages), "polled_at": wall_timestamp()})

    async def publish(self, rate_per_s: float, message_bytes: int) -> None:
        start_ns = now_ns()
        for number in itertools.count(1):
            due_ns = start_ns + round(number / rate_per_s * 1e9)
            await asyncio.sleep(max(0, due_ns - now_ns()) / 1e9)
            stamps = {"due_ns": due_ns, "published_ns": now_ns(), "timestamp": wall_timestamp()}
            self.messages.append({"id": number, **stamps, "content": "x" * message_bytes})
            changed, self.changed = self.changed, asyncio.Event()
            changed.set()


async def constant(_: web.Request) -> web.Response:
    return web.Response(body=CONSTANT, content_type="application/json")


async def serve(rate_per_s: float) -> None:
    sketch = Sketch()
    app = web.Application()
    app.add_routes([web.get("/constant", constant), web.get("/longpoll", sketch.long_poll)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    sys.stdout.write(json.dumps({"http_port": runner.addresses[0][1]}) + "\n")
    sys.stdout.flush()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    publishing = asyncio.create_task(sketch.publish(rate_per_s, 200))
    await stop.wait()
    publishing.cancel()
    await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(serve(float(sys.argv[1])))
