"""Servers that know nothing of pollbench, in one aiohttp program: what is posted to /messages goes out by every way."""

import asyncio
import json
import ssl
import sys
from typing import Any

from aiohttp import WSMsgType, web


class Foreign:
    """mode: "" behaves well; "swallow" takes messages and tells nobody; "refuse" answers 503; "cut" shortens them."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.messages: list[str] = []
        self.news = asyncio.Condition()

    async def post(self, request: web.Request) -> web.Response:
        return await self.take((await request.read()).decode())

    async def take(self, text: str) -> web.Response:
        if self.mode == "refuse":
            return web.Response(status=503, text="no room", headers={"Retry-After": "7"})
        if self.mode != "swallow":
            async with self.news:
                self.messages.append(text[:-6] if self.mode == "cut" else text)
                self.news.notify_all()
        return web.json_response({"ok": self.mode != "swallow"}, status=202)

    async def after(self, seen: int) -> list[str]:
        async with self.news:
            await self.news.wait_for(lambda: len(self.messages) > seen)
        return self.messages[seen:]

    async def events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        seen = int(request.headers.get("Last-Event-ID", len(self.messages)))
        await response.write(b": hello\r\n\r\n")
        while True:
            for text in await self.after(seen):
                seen += 1
                await response.write(f"id: {seen}\r\ndata: {json.dumps({'text': text})}\r\n\r\n".encode())

    async def poll(self, request: web.Request) -> web.Response:
        seen = int(request.query.get("since") or len(self.messages))
        try:
            async with asyncio.timeout(float(request.query.get("hold", "0.2"))):
                await self.after(seen)
        except TimeoutError:
            return web.Response(status=204, headers={"X-Next": str(seen)})
        return web.json_response(self.messages[seen:], headers={"X-Next": str(len(self.messages))})

    async def state(self, _: web.Request) -> web.Response:
        """Tell the newest message only, again and again."""
        return web.json_response({"text": self.messages[-1]}) if self.messages else web.Response(status=204)

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        telling = asyncio.create_task(self.tell(socket))
        async for heard in socket:
            if heard.type is WSMsgType.TEXT:
                await self.take(str(heard.data))
        telling.cancel()
        return socket

    async def tell(self, socket: web.WebSocketResponse) -> None:
        seen = len(self.messages)
        while True:
            for text in await self.after(seen):
                seen += 1
                await socket.send_str(text)


async def serve(port: int, mode: str, certificate: list[str]) -> None:
    """certificate: files of a chain, its key, and perhaps an authority of clients; none: no TLS."""
    secure = None
    if certificate:
        secure = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        secure.load_cert_chain(*certificate[:2])
        if certificate[2:]:
            secure.load_verify_locations(certificate[2])
            secure.verify_mode = ssl.CERT_REQUIRED
    foreign = Foreign(mode)
    app = web.Application()
    app.add_routes(
        [
            web.post("/messages", foreign.post),
            web.get("/events", foreign.events),
            web.get("/poll", foreign.poll),
            web.get("/state", foreign.state),
            web.get("/socket", foreign.socket),
        ]
    )
    runner: Any = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=secure).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "", sys.argv[3:]))
