"""Makes several processes of one, before any of them has a loop, and a socket pair from the first to each other one."""

import os
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

LINUX: Final = sys.platform.startswith("linux")


class End(NamedTuple):
    """One end of a pair. pid: of the process at the other end; number: of the one that is not the first, from 2 on."""

    sock: socket.socket
    pid: int
    number: int


def split(processes: int) -> Sequence[End] | End:
    """Return the ends to all others in the first process, in each of the others the one to the first.

    The others end with the first, or when it says so, and by no signal of a terminal or a service manager, which all
    of them get. Raises ValueError where the system does not share connections out.
    """
    if processes > 1 and not LINUX:
        raise ValueError(f"--processes {processes} needs Linux, which shares connections out (SO_REUSEPORT): use 1")
    first, ends = os.getpid(), list[End]()
    for number in range(2, processes + 1):
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if not pid:
            for end in ends:
                end.sock.close()
            ours.close()
            for each in (signal.SIGINT, signal.SIGTERM):
                signal.signal(each, signal.SIG_IGN)
            return End(theirs, first, number)
        theirs.close()
        ends.append(End(ours, pid, number))
    return ends
