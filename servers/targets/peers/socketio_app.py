"""python-socketio: everybody gets what one says."""

import socketio

server = socketio.AsyncServer(async_mode="asgi")
app = socketio.ASGIApp(server)


@server.event
async def message(_: str, data: str) -> None:
    await server.emit("message", data)
