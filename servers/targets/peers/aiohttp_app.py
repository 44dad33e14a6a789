"""aiohttp with aiohttp-sse: what is posted goes to everybody who follows. `aiohttp_app.py PORT`."""

import asyncio
import sys

from aiohttp import WSMsgType, web
from aiohttp_sse import sse_response

queues: set[asyncio.Queue[str]] = set()
sockets: set[web.WebSocketResponse] = set()


async def post(request: web.Request) -> web.Response:
    text = await request.text()
    for queue in queues:
        queue.put_nowait(text)
    for socket in list(sockets):
        await socket.send_str(text)
    return web.Response(status=202)


async def events(request: web.Request) -> web.StreamResponse:
    queue: asyncio.Queue[str] = asyncio.Queue()
    queues.add(queue)
    try:
        async with sse_response(request) as response:
            while response.is_connected():
                await response.send(await queue.get())
            return response
    finally:
        queues.discard(queue)


async def socket(request: web.Request) -> web.WebSocketResponse:
    response = web.WebSocketResponse()
    await response.prepare(request)
    sockets.add(response)
    try:
        async for message in response:
            if message.type == WSMsgType.ERROR:
                break
    finally:
        sockets.discard(response)
    return response


app = web.Application()
app.add_routes([web.post("/messages", post), web.get("/events", events), web.get("/socket", socket)])

if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None)
