"""Ctrl-C, SIGTERM and a closed terminal, noticed between steps instead of in the middle of one.

An exception out of a signal handler can strike while a process is being started, and then nobody knows it or stops
it. So the first signal only leaves a note, which the waiting loops read ten times a second. A second one strikes at
once: a second Ctrl-C means that the user does not want to wait.
"""

import signal
from types import FrameType
from typing import Any, Final, Self

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def heeded() -> tuple[signal.Signals, ...]:
    """Return SIGNALS, without a SIGHUP that we were told to ignore (nohup)."""
    return tuple(each for each in SIGNALS if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN)


class Interrupt:
    """Takes over these signals while its block lasts. Main thread only."""

    def __init__(self) -> None:
        self.noticed = False
        self._before: dict[signal.Signals, Any] = {}

    def check(self) -> None:
        """Raise KeyboardInterrupt when a signal has come."""
        if self.noticed:
            raise KeyboardInterrupt

    def _notice(self, _number: int, _frame: FrameType | None) -> None:
        self.check()
        self.noticed = True

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._notice) for number in heeded()}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
