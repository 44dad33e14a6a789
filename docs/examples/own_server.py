"""A server that is not pollbench's, measured by pollbench: plain aiohttp, server-sent events, and the contract.

pollbench run sse --server "python docs/examples/own_server.py"
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import time
from pathlib import Path

from aiohttp import web

from servers.feed.schedule import parse_schedule


class Feed:
    """Your service's own way from a new message to its clients stands here; these are a list and a condition."""

    def __init__(self, journal: str) -> None:
        self.bodies: list[str] = []
        self.news = asyncio.Condition()
        self.start_at_ns = 0
        self._journal = Path(journal).open("w", buffering=1) if journal else None  # noqa: SIM115
        self._publishing: asyncio.Task[None] | None = None
        if self._journal:
            self._journal.write("id,due_ns,published_ns\n")

    def follow(self, schedule: str, message_bytes: int) -> None:
        """Publish by this schedule from now on."""
        if self._publishing:
            self._publishing.cancel()
        self.start_at_ns = time.monotonic_ns()
        self._publishing = asyncio.create_task(self._publish(schedule, "x" * message_bytes))

    async def _publish(self, schedule: str, content: str) -> None:
        for offset_ns in parse_schedule(schedule).offsets_ns():
            due_ns = self.start_at_ns + offset_ns
            await asyncio.sleep((due_ns - time.monotonic_ns()) / 1e9)
            message = {"id": len(self.bodies) + 1, "due_ns": due_ns, "published_ns": time.monotonic_ns()}
            if self._journal:
                self._journal.write("{id},{due_ns},{published_ns}\n".format(**message))
            async with self.news:
                self.bodies.append(json.dumps(message | {"content": content}))
                self.news.notify_all()


def application(feed: Feed, options: argparse.Namespace) -> web.Application:
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()

    async def stats(_: web.Request) -> web.Response:
        state = {"token": options.token, "clock_id": boot_id, "newest_id": len(feed.bodies)}
        return web.json_response(state | {"start_at_ns": feed.start_at_ns})

    async def schedule(request: web.Request) -> web.Response:
        feed.follow((await request.json())["schedule"], options.message_bytes)
        return web.json_response({})

    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        seen = int(request.headers.get("Last-Event-ID", 0))
        while True:
            async with feed.news:
                await feed.news.wait_for(lambda: len(feed.bodies) > seen)  # noqa: B023
            for body in feed.bodies[seen:]:
                seen += 1
                await response.write(f"id: {seen}\ndata: {body}\n\n".encode())

    app = web.Application()
    app.add_routes([web.get("/stats", stats), web.put("/api/schedule", schedule), web.get("/api/events", events)])
    return app


async def serve(options: argparse.Namespace) -> None:
    runner = web.AppRunner(application(Feed(options.journal), options), handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", options.port)
    await site.start()
    port = runner.addresses[0][1]
    print(json.dumps({"event": "ready", "pid": os.getpid(), "http_port": port}), flush=True)  # noqa: T201
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()
    with contextlib.suppress(asyncio.CancelledError):
        await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--token", default="")
    parser.add_argument("--journal", default="")
    parser.add_argument("--message-bytes", type=int, default=200)
    options, _ = parser.parse_known_args()
    asyncio.run(serve(options))


if __name__ == "__main__":
    main()
