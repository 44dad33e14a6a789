"""A process of our own making: started apart from the terminal, and stopped whatever happens.

It gets a session of its own, so that Ctrl-C in the terminal reaches only us, and so that a stop reaches whatever
it started in turn. Both its outputs go to one log, which is also where it is heard: nothing can block on a full pipe.
When we end without stopping it, the warden does.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final, Self, TypeVar

from loadtests.host.warden import MARK, end_all, is_marked, warden

POLL_S: Final = 0.01
LOOK_S: Final = 0.1
GRACE_S: Final = 15.0
LOG_MAX_BYTES: Final = 256 * 2**20
LINE_MAX_BYTES: Final = 65_536
"""What is longer is heard as several lines."""
LINES_A_LOOK: Final = 1_000
"""Some write faster than they are read."""
QUOTED: Final = 300
TERMINATED: Final = frozenset({-signal.SIGTERM, 128 + signal.SIGTERM})
"""How a program ends by SIGTERM that does not care, and how a shell or a JVM then says so."""

T = TypeVar("T")
Tick = Callable[[], None]


def idle() -> None:
    """A tick that does nothing."""


class ChildFailed(Exception):
    """A process ended or stayed silent when it should not have; the message quotes its last words."""


class Child:
    """A running process. As a context manager it has ended when the block has.

    log: where its outputs go; None: where ours go. pass_fds: open files that it inherits under the same numbers.
    extra_env: what is added to our own environment.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path | None,
        pass_fds: Sequence[int] = (),
        extra_env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.command = list(command)
        self._log = log
        self._mark = warden.mark()
        self._stopped = False
        output = log.open("ab") if log else None
        try:
            self._process = subprocess.Popen(  # noqa: S603
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=pass_fds,
                env={**os.environ, **(extra_env or {}), MARK: self._mark},
            )
        except OSError as problem:
            warden.forget()
            raise ChildFailed(f"the {name} cannot be started: {self.command[0]}: {problem.strerror}") from None
        finally:
            if output:
                output.close()
        warden.watch(self.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    def check(self) -> None:
        """Raise ChildFailed when it is no longer running, or fills the disk with its log."""
        code = self._process.poll()
        if code is not None:
            raise ChildFailed(f"the {self.name} ended by itself with {ending(code)}: {self.last_words()}")
        if self._log and self._log.stat().st_size > LOG_MAX_BYTES:
            raise ChildFailed(
                f"the {self.name} wrote more than {LOG_MAX_BYTES >> 20} MiB to its outputs: have it say less; its "
                f"last words: {self.last_words()}"
            )

    def code(self) -> int | None:
        """Return its exit code, None while it runs."""
        return self._process.poll()

    def await_end(self, within_s: float) -> None:
        """Return when it has ended, or after so long."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(within_s)

    def owns(self, pid: int) -> bool:
        """Whether a process is this one, or was started by it, however indirectly."""
        return is_marked(pid, self._mark, {self.pid})

    def wait(self) -> int:
        """Wait until it ends by itself; return its exit code."""
        while (code := self._process.poll()) is None:
            time.sleep(LOOK_S)  # not in waitpid, which a signal that another thread takes does not end
        return code

    def heard(self, words: re.Pattern[str], within_s: float, tick: Tick = idle) -> re.Match[str]:
        """Wait until a line of its log matches, as `answered` does."""
        return self.answered(words.search, within_s, tick)

    def answered(self, read: Callable[[str], T | None], within_s: float, tick: Tick = idle) -> T:
        """Wait for a line of its log of which `read` makes something, and return that, calling `tick` meanwhile.

        Raises ChildFailed when it ends first, or says nothing of the kind in time.
        """
        deadline, at_bytes = time.monotonic() + within_s, 0
        while True:
            for line, ends_at_bytes in islice(self._lines(at_bytes), LINES_A_LOOK):
                at_bytes = ends_at_bytes
                try:
                    found = read(line)
                except ValueError as problem:
                    raise ChildFailed(f"the {self.name} is not understood: {problem}") from None
                if found is not None:
                    return found
            tick()
            self.check()
            if time.monotonic() > deadline:
                raise ChildFailed(f"the {self.name} was not ready after {within_s:g} s: {self.last_words()}")
            time.sleep(POLL_S)

    def said(self, words: re.Pattern[str]) -> re.Match[str] | None:
        """Search its log, which is still there when it has ended."""
        return self.told(words.search)

    def told(self, read: Callable[[str], T | None]) -> T | None:
        """Return what `read` makes of the first line of its log of which it makes something."""
        return next((found for line, _ in self._lines() if (found := read(line)) is not None), None)

    def _lines(self, from_bytes: int = 0) -> Iterator[tuple[str, int]]:
        """Yield each whole line of the log from there on, and where in the file it ends."""
        if self._log is None:
            return
        with self._log.open("rb") as log:
            log.seek(from_bytes)
            while (line := log.readline(LINE_MAX_BYTES)).endswith(b"\n") or len(line) == LINE_MAX_BYTES:
                yield line.decode("utf-8", "replace").rstrip("\r\n"), log.tell()

    def stop(self, grace_s: float = GRACE_S) -> int:
        """Ask it to end (SIGTERM), insist after `grace_s` or on a second Ctrl-C (SIGKILL); return its exit code.

        What it started and left behind ends with it.
        """
        if self._stopped:
            return self._process.wait()
        try:
            if self._process.poll() is None:
                self._process.terminate()
                # Frozen on purpose and never continued, it would not hear of it.
                self._process.send_signal(signal.SIGCONT)
            return self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            return self.kill()
        except KeyboardInterrupt:
            self.kill()
            raise
        finally:
            end_all(self._mark, {self.pid})
            warden.forget(self.pid)
            self._stopped = True

    def kill(self) -> int:
        """End it at once (SIGKILL), with all that it started; return its exit code."""
        if self._process.poll() is None:
            # Not reaped yet, so its process group cannot belong to another process.
            os.killpg(self.pid, signal.SIGKILL)
        return self._process.wait()

    def last_words(self) -> str:
        """Return the last line of its log, which is where programs say why they ended."""
        if self._log is None:
            return "its output went to the terminal"
        with self._log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - LINE_MAX_BYTES))
            lines = log.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip()[:QUOTED] if lines else "it printed nothing"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
