"""Stops a server process from outside, as a debugger or a suspended virtual machine does, and lets it go on.

`python -m servers.faults.freeze` is a process of its own, started by the server it freezes, because who is stopped
cannot wake itself. It hears on stdin when to freeze and for how long (`AT_NS FOR_NS`), and a server that ends closes
stdin. It continues the server whatever ends it short of SIGKILL, and it runs in a session of its own, so that nothing
meant for the server or its runner reaches it.
"""

import os
import select
import signal
import subprocess
import sys
from types import FrameType
from typing import NoReturn

from servers.feed.feed import Feed
from servers.home import python
from servers.settings.fault_specs import Freeze
from servers.timing import NS_PER_S
from servers.timing.clock import now_ns

LONGEST_STOP_S = 5.0


class Freezer:
    """Has this process frozen once, `freeze.at_s` after the first message of `feed`."""

    def __init__(self, feed: Feed, freeze: Freeze) -> None:
        self._feed = feed
        self._freeze = freeze
        self._guard = subprocess.Popen(  # noqa: S603
            python(__name__), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
        )
        feed.subscribe(self._first_message, clients=lambda: 0)

    def close(self) -> None:
        """End the guard. A freeze that has not begun does not happen any more."""
        self._feed.unsubscribe(self._first_message)
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait(LONGEST_STOP_S)

    def _first_message(self) -> None:
        self._feed.unsubscribe(self._first_message)
        if self._feed.closed:
            return
        at_ns, for_ns = (round(seconds * NS_PER_S) for seconds in (self._freeze.at_s, self._freeze.for_s))
        assert self._guard.stdin is not None
        self._guard.stdin.write(b"%d %d\n" % (now_ns() + at_ns, for_ns))
        self._guard.stdin.flush()


def main() -> int:
    server = os.getppid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, leave)
    order = sys.stdin.readline()
    if not order:
        return 0
    at_ns, for_ns = map(int, order.split())
    if server_ends_before(at_ns) or os.getppid() != server:
        return 0
    try:
        os.kill(server, signal.SIGSTOP)
        # Somebody else may continue it meanwhile, to end it.
        server_ends_before(at_ns + for_ns)
    finally:
        if os.getppid() == server:
            os.kill(server, signal.SIGCONT)
    return 0


def server_ends_before(instant_ns: int) -> bool:
    """Wait until then, or until the server has closed our stdin."""
    ended, _, _ = select.select([sys.stdin], [], [], max(0, instant_ns - now_ns()) / NS_PER_S)
    return bool(ended)


def leave(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
