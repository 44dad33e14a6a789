"""When the kernel got what a read returns: its own stamp, brought over to our clock.

Whoever is busy, or just waking up, reads late. A user tells that wait from the time on the way; a relay takes it out
of the delay that it was going to add anyway: 100 messages at once through 40 ms are 0.4 ms late instead of 1.2 ms.
It costs 0.8 us a read. When several segments come out of one read the stamp is the last one's.
"""

import socket
import struct
import sys
import time
from typing import Final

from servers.timing import NS_PER_S
from servers.timing.clock import now_ns

AVAILABLE: Final = sys.platform == "linux"
SO_TIMESTAMPNS: Final = 35
"""asm-generic/socket.h; the socket module has no name for it."""
TOGETHER_NS: Final = 10_000
"""Two clocks are read at once when the whole takes no longer than this; it takes 0.1 us unless we are preempted."""

_TIMESPEC: Final = struct.Struct("@ll")
_SPACE: Final = socket.CMSG_SPACE(_TIMESPEC.size)


class StampClock:
    """Brings stamps, which are of the time of day, over to our clock, and no stamp that it cannot vouch for.

    NTP slews both clocks alike (clock_gettime(2)), so they run in step until the time of day is set or the
    host sleeps. A stamp from before that says nothing afterwards.
    offset_ns: our clock less the time of day.
    """

    def __init__(self, offset_ns: int) -> None:
        self._offset_ns = offset_ns
        self._trusted_from_ns = 0

    def arrival_ns(self, stamp_ns: int, before_ns: int, wall_ns: int, after_ns: int) -> int:
        """Return when, on our clock, the kernel stamped what was just read; 0 if that cannot be told.

        wall_ns: the time of day, read after `before_ns` and before `after_ns` on our clock. The result is early by at
        most the time between these two, and off by at most 3 * TOGETHER_NS when the time of day was set by so little
        that it could not be noticed.
        """
        if after_ns - before_ns > TOGETHER_NS:
            return 0
        offset_ns = before_ns - wall_ns
        step_ns = abs(offset_ns - self._offset_ns)
        self._offset_ns = offset_ns
        if step_ns > TOGETHER_NS:
            # Set back, an older stamp seems to be younger by as much.
            self._trusted_from_ns = after_ns + step_ns + TOGETHER_NS
        arrival_ns = stamp_ns + offset_ns
        return arrival_ns if self._trusted_from_ns <= arrival_ns <= before_ns else 0


_clock: Final = StampClock(now_ns() - time.time_ns())


def ask_for_stamps(sock: socket.socket) -> None:
    """Have the kernel stamp what arrives on a TCP socket; only Linux does."""
    if AVAILABLE:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)


def receive(sock: socket.socket, size: int) -> tuple[bytes, int, int]:
    """Return what recv() would, when it was read, and when the kernel had the last of it, 0 where that is not known.

    Instants are those of `servers.timing.clock`. Raises what recv() raises.
    """
    data, ancillary, _, _ = sock.recvmsg(size, _SPACE)
    before_ns = now_ns()
    # The first bytes of the first socket that asks may come before the kernel has begun to stamp.
    if not ancillary:
        return data, before_ns, 0
    wall_ns, after_ns = time.time_ns(), now_ns()
    seconds, ns = _TIMESPEC.unpack(ancillary[0][2])
    return data, before_ns, _clock.arrival_ns(seconds * NS_PER_S + ns, before_ns, wall_ns, after_ns)
