"""Tornado: its chat demos, the one by long polling and the one by WebSocket, in one program. `tornado_app.py PORT`."""

import asyncio
import json
import sys
import uuid
from typing import ClassVar

from tornado.iostream import StreamClosedError
from tornado.locks import Condition
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler


class Buffer:
    def __init__(self) -> None:
        self.news = Condition()
        self.messages: list[dict[str, str]] = []

    def since(self, cursor: str) -> list[dict[str, str]]:
        found = []
        for message in reversed(self.messages):
            if message["id"] == cursor:
                break
            found.append(message)
        return found[::-1]

    def add(self, body: str) -> None:
        self.messages = [*self.messages, {"id": uuid.uuid4().hex, "body": body}][-200:]
        self.news.notify_all()


buffer = Buffer()


class New(RequestHandler):
    def post(self) -> None:
        body = self.get_argument("body")
        buffer.add(body)
        Socket.tell(body)
        self.set_status(202)


class Updates(RequestHandler):
    waiting = None

    async def post(self) -> None:
        cursor = self.get_argument("cursor", "")
        while not (messages := buffer.since(cursor)):
            self.waiting = buffer.news.wait()
            try:
                await self.waiting
            except asyncio.CancelledError:
                return
        try:
            await self.finish({"messages": messages})
        except StreamClosedError:
            return

    def on_connection_close(self) -> None:
        if self.waiting is not None:
            self.waiting.cancel()


class Socket(WebSocketHandler):
    everybody: ClassVar[set["Socket"]] = set()

    def open(self) -> None:
        self.everybody.add(self)

    def on_close(self) -> None:
        self.everybody.discard(self)

    def on_message(self, message: str | bytes) -> None:
        self.tell(message.decode() if isinstance(message, bytes) else message)

    @classmethod
    def tell(cls, body: str) -> None:
        for each in cls.everybody:
            try:
                each.write_message(json.dumps({"body": body}))
            except WebSocketClosedError:
                continue


async def main(port: int) -> None:
    Application([("/a/message/new", New), ("/a/message/updates", Updates), ("/chatsocket", Socket)]).listen(
        port, "127.0.0.1"
    )
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
