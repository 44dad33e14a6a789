"""FastAPI with sse-starlette: what is posted goes to everybody who follows, by three ways."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from sse_starlette import EventSourceResponse

app = FastAPI()
queues: set[asyncio.Queue[str]] = set()
sockets: set[WebSocket] = set()


class Message(BaseModel):
    text: str


async def news() -> AsyncIterator[str]:
    queue: asyncio.Queue[str] = asyncio.Queue()
    queues.add(queue)
    try:
        while True:
            yield await queue.get()
    finally:
        queues.discard(queue)


@app.post("/messages", status_code=202)
async def post(message: Message) -> None:
    for queue in queues:
        queue.put_nowait(message.text)
    for socket in list(sockets):
        await socket.send_text(message.text)


@app.get("/events")
async def events() -> EventSourceResponse:
    return EventSourceResponse({"data": text} async for text in news())


@app.get("/stream")
async def stream() -> StreamingResponse:
    return StreamingResponse((f"{text}\n" async for text in news()), media_type="text/plain")


@app.websocket("/socket")
async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    sockets.add(websocket)
    try:
        while True:
            await websocket.receive_text()
    except WebSocketDisconnect:
        sockets.discard(websocket)
