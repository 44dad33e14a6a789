"""PURE. When a chunk that was read now may be written on the other side: arithmetic, no clock.

Order is kept, nothing is lost, and a chunk is never early: whatever jitter and bandwidth say, it comes out at
least half a round trip after it went in.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from servers.timing import NS_PER_S

SEGMENT_BYTES: Final = 1_448
"""What a TCP segment carries over Ethernet: 1500 less IPv4 and TCP heads and the timestamp option (RFC 7323)."""
READ_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What lies between a user and the server.

    rtt_ns: propagation there and back, half each way.
    jitter_ns: extra delay of a chunk, uniform from 0 to this, never less than nothing, so rtt_ns stays a floor.
    bits_per_s: how fast each connection's line takes bytes in each direction, TCP payload only; 0 = at once.
    Every connection has a line of its own: a user's access is narrow, the server's uplink is not.
    """

    rtt_ns: int
    jitter_ns: int = 0
    bits_per_s: int = 0

    @property
    def one_way_ns(self) -> int:
        """Half of the round trip, rounded up: two halves are never less than the whole."""
        return -(-self.rtt_ns // 2)

    @property
    def read_bytes(self) -> int:
        """How much to read at once: what the line carries in 1 ms, so that a chunk leaves it in small steps."""
        if not self.bits_per_s:
            return READ_BYTES
        return min(READ_BYTES, max(SEGMENT_BYTES, self.bits_per_s // 8_000))


class Line:
    """One direction of one connection. Remembers when it is free again and what it released last."""

    __slots__ = ("_delay_ns", "_draw", "_free_ns", "_jitter_ns", "_ns_per_byte", "_released_ns")

    def __init__(self, network: Network, draw: Callable[[], float] = random.random) -> None:
        self._draw = draw
        self._free_ns = 0
        self._released_ns = 0
        self.change(network)

    def change(self, network: Network) -> None:
        """Become a line of another network for what comes from now on, behind what is on its way already."""
        self._delay_ns = network.one_way_ns
        self._jitter_ns = network.jitter_ns
        self._ns_per_byte = 8 * NS_PER_S / network.bits_per_s if network.bits_per_s else 0.0

    def release_ns(self, arrival_ns: int, size: int) -> int:
        """Return when `size` bytes that arrived at `arrival_ns` come out: after those before them, never earlier."""
        if self._ns_per_byte:
            arrival_ns = self._free_ns = max(arrival_ns, self._free_ns) + round(size * self._ns_per_byte)
        delay_ns = self._delay_ns + round(self._jitter_ns * self._draw()) if self._jitter_ns else self._delay_ns
        self._released_ns = max(self._released_ns, arrival_ns + delay_ns)
        return self._released_ns
