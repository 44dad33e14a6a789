"""A server at which everything can be wrong: each path of it in its own way. `python wrong.py PORT`."""

import asyncio
import json
import sys
from typing import Any

from aiohttp import web

POLLS = web.AppKey("polls", int)
EVENTS = {"Content-Type": "text/event-stream"}


class Wrong:
    """What is posted to /messages/HOW goes out on every stream, changed as HOW says."""

    def __init__(self) -> None:
        self.listening: set[asyncio.Queue[str]] = set()

    async def post(self, request: web.Request) -> web.Response:
        how, text = request.match_info["how"], await request.text()
        if how == "refuse":
            return web.Response(status=503, text="no room")
        if how == "expired":
            return web.Response(text="your session has expired")
        if how == "login":
            return web.Response(status=403, text=f"who is {request.headers.get('Authorization')}?")
        if how != "swallow":
            changed = {"cut": text[:-6], "upper": text.upper()}.get(how, text)
            for each in self.listening:
                each.put_nowait(changed)
        return web.Response(status=202)

    async def events(self, request: web.Request) -> web.StreamResponse:
        how = request.match_info["how"]
        response = web.StreamResponse(headers={"Content-Type": "application/json"} if how == "json" else EVENTS)
        await response.prepare(request)
        await response.write(f": hello {request.headers.get('Authorization', 'stranger')}\n\n".encode())
        news: asyncio.Queue[str] = asyncio.Queue()
        self.listening.add(news)
        try:
            while True:
                event = f"data: {json.dumps(await news.get())}\n"
                await response.write(event.encode() + (b"" if how == "endless" else b"\n"))
        finally:
            self.listening.discard(news)


async def page(_: web.Request) -> web.Response:
    return web.Response(text="<!DOCTYPE html><title>Log in</title>", content_type="text/html")


async def guarded(_: web.Request) -> web.Response:
    return web.Response(status=401, text="who are you?", headers={"WWW-Authenticate": "Bearer"})


async def idle(request: web.Request) -> web.WebSocketResponse:
    """Hear nobody who says nothing at once."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.close(code=4001, message=b"you were idle")
    return socket


async def poll(request: web.Request) -> web.Response:
    """Know the session of a client for its first polls only."""
    request.app[POLLS] += 1
    await asyncio.sleep(0.05)
    if request.app[POLLS] <= 2:
        return web.Response(status=204)
    return web.json_response({"error": "your session has expired"})


async def moved(_: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "/login?next=events"})


async def serve(port: int) -> None:
    wrong = Wrong()
    app = web.Application()
    app[POLLS] = 0
    app.add_routes(
        [
            web.post("/messages/{how}", wrong.post),
            web.get("/events/{how}", wrong.events),
            web.get("/login", page),
            web.get("/guarded", guarded),
            web.get("/moved", moved),
            web.get("/idle", idle),
            web.get("/poll", poll),
        ]
    )
    runner: Any = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
