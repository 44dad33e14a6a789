"""What a relayed connection is: two ends, each a socket, and two flows, one for each direction."""

import selectors
import socket
import struct
from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from servers.relay.network import Line, Network
from servers.timing.stamps import ask_for_stamps

READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE
BACKLOG_BYTES: Final = 4 * 1_048_576
"""Most bytes on their way in one direction before reading pauses: the largest send window of a stock Linux."""
RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class Signal(Enum):
    """What travels beside bytes: the last packet of the handshake, the end of one direction, the end of everything."""

    OPEN = auto()
    FIN = auto()
    RESET = auto()


class End:
    """One socket of a connection: the source of its outbound flow and the sink of its inbound one.

    events: what the selector watches it for. connecting: connect() is yet to be called, or to answer. eof: its
    FIN was read. shut: a FIN was written to it. gone: its socket is closed.
    """

    __slots__ = ("connecting", "eof", "events", "gone", "inbound", "outbound", "shut", "sock")

    inbound: "Flow"
    outbound: "Flow"

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ask_for_stamps(sock)
        self.sock = sock
        self.events = 0
        self.connecting = self.eof = self.shut = self.gone = False

    def wanted(self) -> int:
        """Return what to wait for: room for what is blocked, bytes while there is room for them."""
        out = self.outbound
        reads = not (self.eof or self.connecting or out.blocked or out.backlog >= BACKLOG_BYTES)
        return (READ if reads else 0) | (WRITE if self.inbound.blocked else 0)


class Flow:
    """One direction: what was read from `source` and is not yet written to `sink`, each with its release instant.

    number: unique, breaks ties in the heap. backlog: bytes in the queue. scheduled: the flow stands in the heap.
    blocked: the sink takes nothing now; the selector says when it does.
    """

    __slots__ = ("backlog", "blocked", "line", "number", "queue", "scheduled", "sink", "source")

    def __init__(self, number: int, source: End, sink: End, network: Network) -> None:
        self.number = number
        self.source = source
        self.sink = sink
        self.line = Line(network)
        self.queue: deque[tuple[int, bytes | Signal]] = deque()
        self.backlog = 0
        self.scheduled = self.blocked = False
        source.outbound = sink.inbound = self

    def drop(self) -> None:
        """Drop the bytes in transit, because their receiver is gone."""
        self.queue.clear()
        self.backlog = 0
        self.blocked = False


def join(client: End, server: End, number: int, network: Network) -> None:
    """Make a connection of two ends, the server's yet to be connected."""
    server.connecting = True
    Flow(2 * number, client, server, network)
    Flow(2 * number + 1, server, client, network)


@dataclass(slots=True)
class Tally:
    """What a relay did. chunks and bytes: read, both directions. late_ns: from release instant to the write, summed
    over `releases`; late_max_ns: the worst of them.
    """

    connections: int = 0
    refused: int = 0
    chunks: int = 0
    bytes: int = 0
    releases: int = 0
    late_ns: int = 0
    late_max_ns: int = 0

    def count_chunk(self, size: int) -> None:
        self.chunks += 1
        self.bytes += size

    def count_release(self, late_ns: int) -> None:
        self.releases += 1
        self.late_ns += late_ns
        self.late_max_ns = max(self.late_max_ns, late_ns)


def reset(sock: socket.socket) -> None:
    """Close with RST instead of FIN: a linger time of zero says so (socket(7))."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    sock.close()
