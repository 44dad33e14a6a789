"""websockets: its broadcast to everybody. `websockets_app.py PORT`."""

import asyncio
import sys

from websockets.asyncio.server import ServerConnection, broadcast, serve

sockets: set[ServerConnection] = set()


async def chat(socket: ServerConnection) -> None:
    sockets.add(socket)
    try:
        async for message in socket:
            broadcast(sockets, message)
    finally:
        sockets.discard(socket)


async def main(port: int) -> None:
    async with serve(chat, "127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
