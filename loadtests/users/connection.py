"""The users' sockets, read in the event loop's own callback, and the clock right after, before a byte is looked at.
What is ready is read before anything of it is looked at (backlog.py).

A user's greenlet sleeps until what came is of use to it. Without a switch for every read, without gevent's own socket
methods and without a timer for each request, a poll costs half, a streamed message two thirds.
"""

import os
import random
import socket as plain_socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from gevent import get_hub, getcurrent, socket

from loadtests.foreign.tunnel import through_proxy
from loadtests.records.rows import UNTOLD
from loadtests.users import tcp_info
from loadtests.users.backlog import backlog_of
from servers.timing import NS_PER_S
from servers.timing.clock import now_ns
from servers.timing.stamps import AVAILABLE, ask_for_stamps, receive

READ_BYTES: Final = 65_536
CONNECT_S: Final = 10.0
STAMPS_PER_S: Final = 1_000
"""A stamp costs 2.5 us, a quarter of a streamed message or a poll; so many cost a process 0.25 % of its core."""
_READABLE: Final = 1

Receive = Callable[[bytes, int, int], None]
"""What was read, when, and when the kernel had the last of it: 0 where nobody asked, UNTOLD where that is not known."""


class NoAnswer(Exception):
    """What was waited for did not come in time."""


class Exchange:
    """Instants (ns) and HTTP bytes of one request and its response. 0 for what has not happened.

    arrived_ns: when the kernel had all of a response, where that is known. repeated: how often it was sent once more.
    """

    __slots__ = ("arrived_ns", "bytes_in", "bytes_out", "ended_ns", "first_byte_ns", "repeated", "started_ns")

    def __init__(self, started_ns: int) -> None:
        self.started_ns = started_ns
        self.first_byte_ns = self.arrived_ns = self.ended_ns = self.bytes_out = self.bytes_in = self.repeated = 0

    def again(self) -> None:
        """Begin once more: it started when it started, and what it has carried it has carried."""
        self.first_byte_ns = self.arrived_ns = self.ended_ns = 0
        self.repeated += 1


class Draw:
    """Which reads are asked for the kernel's stamp: every one while they are few, else about `per_second`.

    They are drawn, not counted off: a broadcast reaches its users in the same order each time, and every n-th read
    would look at the same ones again. per_second 0: none at all.
    left: reads from now to the next one drawn, that one included; whoever reads counts it down.
    """

    __slots__ = ("_every", "_per_second", "_random", "_reads", "_since_ns", "left")

    def __init__(self, per_second: int, seed: int) -> None:
        self._per_second = per_second
        self._random = random.Random(seed).random
        self._every = 1
        self._reads = self._since_ns = 0
        self.left = 1 if per_second else sys.maxsize

    def again(self, at_ns: int) -> None:
        """Draw the next read, of those after the one at `at_ns`. Once a second the rate of reads is looked at."""
        passed_ns = at_ns - self._since_ns
        if passed_ns >= NS_PER_S:
            reads_per_s = self._reads * NS_PER_S // passed_ns
            self._every = 1 + reads_per_s // self._per_second
            self._reads, self._since_ns = 0, at_ns
        # Evenly from 1 to 2n - 1: n on average.
        self.left = 1 + int(self._random() * (2 * self._every - 1))
        self._reads += self.left


class Connection:
    """One TCP connection, as the kernel and its user see it. Counts in `tcp_info.meter` from open to close.

    `receive` is called from the event loop with what was read, b"" at the end: it must not block, and whatever it
    raises ends the connection and is raised again by `wait`. problem: what has ended it, None while it is good.
    deadline_ns: when whoever waits gives up, 0 for never; `expire_overdue` looks.
    """

    __slots__ = (
        "_add",
        "_descriptor",
        "_gone",
        "_hub",
        "_receive",
        "_socket",
        "_waiting",
        "_watcher",
        "deadline_ns",
        "problem",
    )

    def __init__(self, host: str, port: int, receive: Receive, source: str = "", tunnel: str = "") -> None:
        """Connect, from the address `source` if one is given, and on to `tunnel` where there is a proxy.

        Raises OSError, and ProtocolError for a proxy that does not connect us.
        """
        own = (source, 0) if source else None
        self._socket = socket.create_connection((host, port), timeout=CONNECT_S, source_address=own)
        if tunnel:
            try:
                through_proxy(self._socket, tunnel)
            except BaseException:
                self._socket.close()
                raise
        self._socket.settimeout(0)
        self._socket.setsockopt(plain_socket.IPPROTO_TCP, plain_socket.TCP_NODELAY, 1)
        ask_for_stamps(self._socket)
        self._descriptor = self._socket.fileno()
        self._receive = receive
        self._hub = get_hub()
        self._add = backlog_of(self._hub).add
        self._waiting: Any = None
        self._gone: OSError | None = None
        self.problem: Exception | None = None
        self.deadline_ns = 0
        tcp_info.meter.opened(self._socket)
        _open.add(self)
        # Never stopped while the connection lives: starting it for each wait would cost a system call.
        self._watcher = self._hub.loop.io(self._descriptor, _READABLE)
        self._watcher.start(self._readable)

    def send(self, data: bytes) -> None:
        """Send at once, from any greenlet or callback. Raises OSError, also when the kernel takes only a part.

        What users send is shorter than any socket's buffer: it fills only when the server no longer reads.
        """
        if os.write(self._descriptor, data) != len(data):
            raise ConnectionResetError("the server does not read our requests")

    def wait(self) -> None:
        """Sleep until `wake` or the end of the connection. Raises what ended it: OSError, NoAnswer or any other."""
        if self.problem is None:
            self._waiting = getcurrent()
            try:
                self._hub.switch()
            finally:
                self._waiting = None
        if self.problem is not None:
            raise self.problem

    def wake(self) -> None:
        """Let the greenlet in `wait` go on, now: this returns when it waits or sleeps again."""
        if self._waiting is not None:
            self._waiting.switch()

    def close(self) -> None:
        _open.discard(self)
        self._watcher.stop()
        self._watcher.close()
        tcp_info.meter.closed(self._socket)
        self._socket.close()
        self.problem = self.problem or ConnectionAbortedError("closed by us")

    def expire(self, at_ns: int) -> None:
        """End the wait for what is overdue."""
        if 0 < self.deadline_ns <= at_ns:
            with suppress(OSError):
                self._socket.shutdown(plain_socket.SHUT_RDWR)

    def take(self, data: bytes, received_ns: int, arrived_ns: int) -> None:
        """Hand on what was read; nothing, at the end."""
        if self.problem is not None:
            return
        try:
            if not data:
                self._ended(received_ns)
                return
            receive = self._receive
            receive(data, received_ns, arrived_ns)
        except Exception as problem:  # noqa: BLE001  (raised again where somebody waits)
            self._end(problem)

    def _ended(self, at_ns: int) -> None:
        if 0 < self.deadline_ns <= at_ns:
            raise NoAnswer
        if self._gone is not None:
            raise self._gone
        # To some bodies this is their end, and whoever waits for one need not hear of a problem.
        self._receive(b"", at_ns, 0)
        raise ConnectionResetError("the server closed the connection")

    def _readable(self) -> None:
        try:
            _draw.left -= 1
            if _draw.left:
                data, arrived_ns = os.read(self._descriptor, READ_BYTES), 0
                received_ns = now_ns()
            else:
                _draw.again(now_ns())
                data, received_ns, arrived_ns = receive(self._socket, READ_BYTES)
                if len(data) == READ_BYTES:
                    # There may be more, and the stamp may be that of what was left.
                    arrived_ns = UNTOLD
        except BlockingIOError:
            return
        except OSError as problem:
            self._gone = problem
            data, received_ns, arrived_ns = b"", now_ns(), 0
        add = self._add  # CPython 3.11 is fast with a slot that is read, and not with one that is called at once
        add((self, data, received_ns, arrived_ns))

    def _end(self, problem: Exception) -> None:
        if self not in _open:
            return
        self._watcher.stop()
        self.problem = problem
        self.wake()


_open: Final[set[Connection]] = set()
_draw: Final = Draw(STAMPS_PER_S if AVAILABLE else 0, os.getpid())


def expire_overdue(at_ns: int) -> None:
    for connection in list(_open):
        connection.expire(at_ns)
