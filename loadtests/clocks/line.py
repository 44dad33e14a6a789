"""Asks another clock, over a connection that is kept: GET /clock of a pollbench server, of its outlet, or of an agent.

Under gevent it waits as a greenlet. Where the kernel stamps what arrives, the wait for a busy event loop is not taken
for a long way back.
"""

import socket
from contextlib import suppress
from typing import Annotated, Final, NamedTuple

import msgspec

from loadtests.clocks.offset import ClockExchange, ClocksDisagree, OffsetInterval
from loadtests.protocols.events import ProtocolError
from loadtests.protocols.http1 import ResponseReader, get
from servers.timing.clock import now_ns
from servers.timing.stamps import TOGETHER_NS, ask_for_stamps, receive
from servers.web.urls import BaseUrl

ANSWER_S: Final = 5.0
ANSWER_MAX_BYTES: Final = 4_096
FIRST_LOOKS: Final = 8
"""Enough for one of them to find both sides awake."""
STAMP_MAY_BE_EARLY_NS: Final = 3 * TOGETHER_NS
"""See StampClock.arrival_ns: an instant of return must never be too early, or the bound would not hold."""
Ns = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]


class NoClock(Exception):
    """Nobody answers GET /clock there, or not in a way that can be used; the message says what came instead."""


class Answer(msgspec.Struct, frozen=True):
    """What GET /clock says. raw_ns: CLOCK_MONOTONIC_RAW at sent_ns, 0 where it is not known."""

    clock_id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    received_ns: Ns
    sent_ns: Ns
    raw_ns: Ns = 0


class Told(NamedTuple):
    """One exchange, and what the other side said of its clock."""

    exchange: ClockExchange
    clock_id: str
    raw_ns: int


class ClockLine:
    """A connection to who has the clock. It is opened when something is asked, and again after a failure."""

    def __init__(self, url: BaseUrl, headers: str = "", within_s: float = ANSWER_S) -> None:
        """headers: whole lines, each ended by CRLF. within_s: how long each step of an exchange may take."""
        self._address, self._within_s = url.address, within_s
        self._request = get(url.netloc, f"{url.path}/clock", headers)
        self._socket: socket.socket | None = None

    def ask(self) -> Told:
        """Make one exchange. Raises OSError when nobody is reached in time, NoClock for what is no answer."""
        try:
            return self._exchanged(self._connected())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, self._within_s)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ask_for_stamps(self._socket)
        return self._socket

    def _exchanged(self, sock: socket.socket) -> Told:
        reader, whole = ResponseReader(limit_bytes=ANSWER_MAX_BYTES), False
        back_ns = left_ns = now_ns()
        sock.sendall(self._request)
        try:
            while not whole:
                data, read_ns, arrived_ns = receive(sock, ANSWER_MAX_BYTES)
                back_ns = min(read_ns, arrived_ns + STAMP_MAY_BE_EARLY_NS) if arrived_ns else read_ns
                if read_ns - left_ns > self._within_s * 1e9:
                    raise TimeoutError(f"no whole answer to GET /clock within {self._within_s:g} s")
                whole = reader.receive(data)
                if not data and not whole:
                    raise ConnectionResetError("the connection was closed instead of an answer")
            if reader.status != 200:
                raise NoClock(f"GET /clock was answered with {reader.status}")
            answer = msgspec.json.decode(reader.body, type=Answer)
        except (ProtocolError, msgspec.MsgspecError, RecursionError) as wrong:
            raise NoClock(f"GET /clock was answered with something else: {wrong}") from None
        if not reader.keep_alive:
            self.close()
        return Told(ClockExchange(left_ns, answer.received_ns, answer.sent_ns, back_ns), answer.clock_id, answer.raw_ns)


def first_offset(line: ClockLine, looks: int = FIRST_LOOKS) -> tuple[str, OffsetInterval]:
    """Return the name of the other clock, and its offset to ours by a few exchanges.

    Raises OSError, NoClock, and ClocksDisagree for a clock that jumps or changes its name meanwhile.
    """
    first = line.ask()
    offset = first.exchange.interval()
    for _ in range(looks - 1):
        told = line.ask()
        if told.clock_id != first.clock_id:
            raise ClocksDisagree(f"two clocks answer there, {first.clock_id!r} and {told.clock_id!r}")
        offset = offset.intersect(told.exchange.interval())
    return first.clock_id, offset
