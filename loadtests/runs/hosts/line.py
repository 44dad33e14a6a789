"""The line from a load host to the run: questions that are asked again until they are answered or it is too late.

Each question has a connection of its own: one that is kept would have to be tried anyway. A thread asks for orders all
the time, whatever the host does meanwhile, and that is how the run knows that it is alive.
"""

import http.client
import socket
import time
from collections.abc import Callable
from pathlib import Path
from threading import Condition, Event, Thread
from typing import Any, Final
from urllib.parse import quote

import msgspec

from loadtests.runs.hosts.messages import (
    HELD_S,
    Asking,
    HandedIn,
    HostRefused,
    Joining,
    Leaving,
    Order,
    Piece,
    Refusal,
)
from loadtests.runs.hosts.pieces import CHUNK_BYTES
from servers.web.urls import authority

ANSWER_S: Final = HELD_S + 9.0
AGAIN_S: Final = 0.2
CONNECT_S: Final = 3.0
WRONG_TOKEN: Final = 401
NO_RUN: Final = "what answers there is no run of pollbench"
UNHEARD: Final = (OSError, http.client.HTTPException)
"""What happens to a question that may be asked again."""

Pause = Callable[[float], None]
"""Sleeps for so many seconds; raises where nothing is to be waited for any more."""


class NoRun(Exception):
    """There is no run at that address, or none any more; one line that says since when."""


class WrongToken(Exception):
    """The run does not take our token."""


class Line:
    """To the run at host:port, which it has not called yet. patience_s: how long a run may be silent."""

    def __init__(self, host: str, port: int, token: str, patience_s: float) -> None:
        self.address = host, port
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._patience_s = patience_s

    def __str__(self) -> str:
        return authority(*self.address)

    def join(self, joining: Joining, pause: Pause) -> None:
        """Join the run, asking again until it is there. Raises HostRefused, NoRun, WrongToken."""
        since = time.monotonic()
        while True:
            try:
                self._ask("POST", "/join", msgspec.json.encode(joining))
            except HostRefused as refused:
                if refused.for_good or time.monotonic() - since > self._patience_s:
                    raise
            except UNHEARD as wrong:
                if time.monotonic() - since > self._patience_s:
                    raise NoRun(self.gone(wrong)) from None
            else:
                return
            pause(AGAIN_S)

    def leave(self, leaving: Leaving) -> None:
        """Say good-bye, if somebody listens."""
        try:
            self._ask("POST", "/leave", msgspec.json.encode(leaving))
        except (*UNHEARD, HostRefused, WrongToken):
            return

    def orders(self, asking: Asking) -> Order:
        """Ask once. Raises OSError, HTTPException, HostRefused, WrongToken."""
        answer = self._ask("POST", "/orders", msgspec.json.encode(asking))
        try:
            return msgspec.json.decode(answer, type=Order)
        except msgspec.MsgspecError:
            raise http.client.HTTPException(NO_RUN) from None

    def hand_in(self, told: HandedIn) -> None:
        """Say once what was handed in. Raises OSError, HTTPException, HostRefused, WrongToken."""
        self._ask("POST", "/handed-in", msgspec.json.encode(told))

    def gone(self, wrong: object) -> str:
        return f"no run answers at {self} since {self._patience_s:g} s ({wrong or type(wrong).__name__})"

    def send(self, piece: Piece, file: Path, told: HandedIn, moved: Callable[[int], None]) -> None:
        """Send a file once, of those that are handed in. Raises OSError, HTTPException, HostRefused."""

        def content() -> Any:
            with file.open("rb") as opened:
                while chunk := opened.read(CHUNK_BYTES):
                    yield chunk
                    moved(len(chunk))

        headers = {"Content-Length": str(piece.size_bytes), "X-Instance": told.instance}
        self._ask("PUT", f"/pieces/{told.attempt}/{told.name}/{quote(piece.file)}", content(), headers)

    def _ask(self, method: str, path: str, body: Any, headers: dict[str, str] | None = None) -> bytes:
        connection = http.client.HTTPConnection(*self.address, timeout=CONNECT_S)
        try:
            connection.connect()
            connection.sock.settimeout(ANSWER_S)
            connection.request(method, path, body, self._headers | (headers or {}))
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status == http.client.OK:
            return answer
        try:
            refusal = msgspec.json.decode(answer, type=Refusal)
        except msgspec.MsgspecError:
            raise http.client.HTTPException(f"{NO_RUN}: HTTP status {response.status}") from None
        if response.status == WRONG_TOKEN:
            raise WrongToken
        raise HostRefused(refusal.why, for_good=refusal.for_good)


class Pulse:
    """Asks for orders in a thread of its own, until it is closed.

    asking: what is said with the next question; change it by `note`. Whatever ends the thread is in `ended`.
    """

    def __init__(self, line: Line, asking: Asking, patience_s: float) -> None:
        self._line, self._asking, self._patience_s = line, asking, patience_s
        self._order: Order | None = None
        self._news = Condition()
        self.over = Event()
        self.ended: Exception | None = None
        self._thread = Thread(target=self._beat, daemon=True)
        self._thread.start()

    def note(self, **what: object) -> None:
        """Say this with the next question."""
        with self._news:
            self._asking = msgspec.structs.replace(self._asking, **what)

    def moved(self, more_bytes: int) -> None:
        with self._news:
            self._asking = msgspec.structs.replace(self._asking, moved_bytes=self._asking.moved_bytes + more_bytes)

    def ready(self, processes: int) -> None:
        """Say how many load processes have joined Locust's master, at once where that is news."""
        if processes != self._asking.ready:
            self.urge(ready=processes)

    def all_ready(self, processes: int) -> bool:
        return self._asking.ready >= processes

    def urge(self, **what: object) -> None:
        """Say this now, beside the question that is being held."""
        self.note(**what)
        with self._news:
            asking = msgspec.structs.replace(self._asking, seen=-1)
        try:
            self._line.orders(asking)
        except (*UNHEARD, HostRefused, WrongToken):
            return  # the next question says it again

    def order(self, within_s: float) -> Order | None:
        """Return an order that has not been returned yet, None where there is none. Raises what ended the thread."""
        with self._news:
            if self._order is None and self.ended is None:
                self._news.wait(within_s)
            order, self._order = self._order, None
        if order is None and self.ended is not None:
            raise self.ended
        return order

    def newer(self) -> bool:
        """Whether there is an order that has not been returned yet, or will never be one again."""
        return self._order is not None or self.ended is not None

    def close(self) -> None:
        self.over.set()

    def _beat(self) -> None:
        heard = time.monotonic()
        while not self.over.is_set():
            with self._news:
                asking = self._asking
            try:
                order = self._line.orders(asking)
                heard = time.monotonic()
            except UNHEARD as wrong:
                if time.monotonic() - heard > self._patience_s:
                    self._end(NoRun(self._line.gone(wrong)))
                    return
                self.over.wait(AGAIN_S)
            except (HostRefused, WrongToken) as refused:
                self._end(refused)
                return
            else:
                if order.number > asking.seen:
                    self._hear(order)

    def _hear(self, order: Order) -> None:
        with self._news:
            self._asking = msgspec.structs.replace(self._asking, seen=order.number)
            self._order = order
            self._news.notify_all()

    def _end(self, why: Exception) -> None:
        with self._news:
            self.ended = why
            self._news.notify_all()


def named() -> str:
    """Return this machine's name, as far as it can be one of a load host."""
    name = "".join(each if each.isalnum() or each in "_.-" else "-" for each in socket.gethostname())
    return name.strip("-._")[:60] or "host"
