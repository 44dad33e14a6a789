"""Nothing outlives us: a process beside us that ends all we started once we are gone, even by SIGKILL.

We hold the other end of its stdin, and say there what we start and what has ended. A pipe ends with its last holder,
however that ended, on every system; Linux's PR_SET_PDEATHSIG would not reach what our children start in turn.

What we started is known by two marks, because either can be lost: a variable in its environment, which whatever it
starts inherits (nginx wipes its own), and its session (a daemon takes a new one).
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from servers.home import python

if TYPE_CHECKING:
    import psutil

MARK: Final = "POLLBENCH_CHILD"
GRACE_S: Final = 3.0
GIVE_UP_S: Final = 5.0
"""Behind the grace: a process in the kernel's hands ends when the kernel lets it."""
ASIDE: Final = ("/bin/sh", "-c", 'exec 3<&0; "$@" <&3 3<&- &', "sh")
"""A shell that starts a program and ends: who looks at our children, to count or to stop them, finds no other."""
LOOK_S: Final = 0.02
LINUX: Final = sys.platform.startswith("linux")


class Warden:
    """Watches over the children of this process, as long as there are any."""

    def __init__(self) -> None:
        self.token = os.urandom(8).hex()  # `secrets` takes a third of what it takes to start us
        self._lock = Lock()
        self._started = self._living = 0
        self._process: subprocess.Popen[bytes] | None = None

    def mark(self) -> str:
        """Return what the next child is to have in its environment as MARK, and see that somebody looks for it."""
        with self._lock:
            self._started += 1
            self._living += 1
            if self._process is None:
                self._process = subprocess.Popen(  # noqa: S603
                    [*ASIDE, *python(__name__, self.token)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
                self._process.wait()
            return f"{self.token}.{self._started}."

    def watch(self, session: int) -> None:
        with self._lock:
            self._say(f"+{session}\n")

    def forget(self, session: int = 0) -> None:
        """Take a child for ended, or for never started; with the last one the warden ends too."""
        with self._lock:
            self._say(f"-{session}\n")
            self._living -= 1
            if not self._living and self._process is not None:
                process, self._process = self._process, None
                process.communicate()  # to the end of what it says, which is its own

    def _say(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):  # it was ended from outside: there is no warden then
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()


warden: Final = Warden()


def end_all(mark: str, sessions: Collection[int], grace_s: float = GRACE_S) -> None:
    """End whatever has this mark or is of one of these sessions: ask first (SIGTERM), then insist (SIGKILL)."""
    begun, asked = time.monotonic(), set["psutil.Process"]()
    while left := list(_marked(mark, sessions)):
        import psutil

        waited_s = time.monotonic() - begun
        for process in left:
            with suppress(psutil.Error):
                if waited_s > grace_s:
                    process.kill()
                elif process not in asked:
                    asked.add(process)
                    process.terminate()
                    process.resume()
        if waited_s > grace_s + GIVE_UP_S:
            return
        time.sleep(LOOK_S)


def is_marked(pid: int, mark: str, sessions: Collection[int]) -> bool:
    with suppress(OSError):
        return os.getsid(pid) in sessions or _carries(pid, f"{MARK}={mark}".encode())
    return False  # gone, or another user's


def _marked(mark: str, sessions: Collection[int]) -> "Iterator[psutil.Process]":
    for pid in _pids():
        if pid != os.getpid() and is_marked(pid, mark, sessions):
            import psutil  # 40 ms, more than all else here; mostly nobody is left

            with suppress(psutil.Error):
                process = psutil.Process(pid)
                if process.status() != psutil.STATUS_ZOMBIE:
                    yield process


def _pids() -> list[int]:
    if LINUX:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 (three times as fast)
    import psutil

    return psutil.pids()


def _carries(pid: int, wanted: bytes) -> bool:
    if LINUX:
        content = Path(f"/proc/{pid}/environ").read_bytes()
        return content.startswith(wanted) or b"\0" + wanted in content
    import psutil

    name, _, value = wanted.decode().partition("=")
    with suppress(psutil.Error):
        return psutil.Process(pid).environ().get(name, "").startswith(value)
    return False


def main() -> None:
    """Receive sessions until our parent is gone, then end what is left of them."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sessions: set[int] = set()
    for line in sys.stdin:
        change = sessions.add if line[0] == "+" else sessions.discard
        change(int(line[1:]))
    end_all(sys.argv[1], sessions)


if __name__ == "__main__":
    main()
