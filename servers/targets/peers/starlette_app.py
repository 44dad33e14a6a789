"""Starlette: a WebSocket endpoint that tells everybody what one says."""

from starlette.applications import Starlette
from starlette.endpoints import WebSocketEndpoint
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

sockets: set[WebSocket] = set()


class Chat(WebSocketEndpoint):
    encoding = "text"

    async def on_connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        sockets.add(websocket)

    async def on_receive(self, _: WebSocket, data: str) -> None:
        for each in list(sockets):
            await each.send_text(data)

    async def on_disconnect(self, websocket: WebSocket, _: int) -> None:
        sockets.discard(websocket)


app = Starlette(routes=[WebSocketRoute("/", Chat)])
