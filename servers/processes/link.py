"""One end of the socket pair between two processes of a server: messages, questions and answers, in the order sent.

What is sent leaves at once, not when the loop comes round: the others are to have a message before the first process
has written it to thousands of clients of its own.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from servers.web.errors import UnavailableError

READ_BYTES: Final = 65_536
ANSWER_S: Final = 5.0
UNREAD_S: Final = 1.0
ANOTHER: Final = "another process of this server"
MESSAGE, QUESTION, ANSWER = b"m", b"q", b"a"
"""How a line begins; a message then is its body."""

Deliver = Callable[[Sequence[bytes]], None]
Answers = Callable[[str, list[Any]], Awaitable[object]]


class SilentError(UnavailableError):
    """The process that would have to answer does not."""

    field = "processes"


class Link:
    """deliver: called with the bodies of messages, oldest first, and never with none. answer: asked a question by its
    name, and about what. lost: called once when the other end is closed, or has read nothing for so long that more than
    `unread_bytes` wait for it.
    """

    def __init__(
        self,
        sock: socket.socket,
        answer: Answers,
        lost: Callable[[], None],
        unread_bytes: int,
        deliver: Deliver = lambda _bodies: None,
    ) -> None:
        self._sock = sock
        self._answer = answer
        self._lost = lost
        self._unread_bytes = unread_bytes
        self._deliver = deliver
        self._rest = b""
        self._unsent = bytearray()
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self._answering: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        sock.setblocking(False)
        self._loop.add_reader(sock, self._readable)

    def message(self, line: bytes) -> None:
        """Pass a message on: its body, and a line's end."""
        self._send(MESSAGE + line)

    async def ask(self, what: str, *about: object, within_s: float = ANSWER_S) -> Any:
        """Return the answer, once all messages that were sent before it are delivered. Raises UnavailableError."""
        if self._sock.fileno() < 0:
            raise SilentError(f"{ANOTHER} has ended")
        self._number += 1
        number, answered = self._number, self._loop.create_future()
        self._asked[number] = answered
        self._send(QUESTION + msgspec.json.encode([number, what, about]) + b"\n")
        try:
            async with asyncio.timeout(within_s):
                answer, problem = await answered
        except TimeoutError:
            raise SilentError(f"{ANOTHER} does not answer; try again later") from None
        finally:
            del self._asked[number]
        if problem:
            raise SilentError(problem)
        return answer

    def close(self) -> None:
        """Say no more: the other end finds the link closed, behind all that was sent."""
        if self._sock.fileno() < 0:
            return
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        with suppress(OSError):
            self._sock.settimeout(UNREAD_S)
            self._sock.sendall(self._unsent)
        self._sock.close()
        for answered in self._asked.values():
            if not answered.done():
                answered.set_result((None, f"{ANOTHER} has ended"))

    def _send(self, line: bytes) -> None:
        if self._sock.fileno() < 0:
            return
        if not self._unsent:
            line = line[self._sent(line) :]
            if line:
                self._loop.add_writer(self._sock, self._writable)
        self._unsent += line
        if len(self._unsent) > self._unread_bytes:
            self._unsent.clear()
            self._end()

    def _sent(self, data: bytes | bytearray) -> int:
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)  # it is gone, which is found out by reading

    def _writable(self) -> None:
        del self._unsent[: self._sent(self._unsent)]
        if not self._unsent:
            self._loop.remove_writer(self._sock)

    def _readable(self) -> None:
        try:
            data = self._sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        bodies = []
        for line in lines:
            if line.startswith(MESSAGE):
                bodies.append(line[1:])
                continue
            if bodies:
                self._deliver(bodies)
                bodies = []
            self._take(line[:1], msgspec.json.decode(line[1:]))
        if bodies:
            self._deliver(bodies)

    def _take(self, kind: bytes, said: list[Any]) -> None:
        if kind == QUESTION:
            task = self._loop.create_task(self._reply(*said))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
            return
        number, *answer = said
        answered = self._asked.get(number)
        if answered is not None and not answered.done():
            answered.set_result(answer)

    async def _reply(self, number: int, what: str, about: list[Any]) -> None:
        try:
            said = [number, await self._answer(what, about), ""]
        except (OSError, ValueError, UnavailableError) as wrong:
            said = [number, None, str(wrong)]
        self._send(ANSWER + msgspec.json.encode(said) + b"\n")

    def _end(self) -> None:
        self.close()
        self._lost()
