"""The server of docs/examples/signed_chat.py: it hears only who signs, and packs what it tells.

`python signed.py PORT`.
"""

import asyncio
import base64
import hashlib
import hmac
import sys
import zlib
from typing import Any

from aiohttp import web

KEY = "of a test"


class Chat:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.news = asyncio.Condition()

    async def post(self, request: web.Request) -> web.Response:
        await check(request)
        async with self.news:
            self.texts.append((await request.json())["text"])
            self.news.notify_all()
        return web.Response(status=201)

    async def events(self, request: web.Request) -> web.StreamResponse:
        await check(request)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        seen = int(request.headers.get("Last-Event-ID", len(self.texts)))
        while True:
            for text in await self.after(seen):
                seen += 1
                packed = base64.b64encode(zlib.compress(text.encode())).decode()
                await response.write(f"id: {seen}\ndata: {packed}\n\n".encode())

    async def after(self, seen: int) -> list[str]:
        async with self.news:
            await self.news.wait_for(lambda: len(self.texts) > seen)
        return self.texts[seen:]


async def check(request: web.Request) -> None:
    text = f"{request.method} {request.path}\n".encode() + await request.read()
    if request.headers.get("X-Signature") != hmac.new(KEY.encode(), text, hashlib.sha256).hexdigest():
        raise web.HTTPForbidden(text="not signed")


async def serve(port: int) -> None:
    chat, app = Chat(), web.Application()
    app.add_routes([web.post("/messages", chat.post), web.get("/events", chat.events)])
    runner: Any = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
