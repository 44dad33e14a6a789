"""A process of our own making: started apart from the terminal, and stopped whatever happens.

It gets a session of its own, so that Ctrl-C in the terminal reaches only us, and so that a stop reaches whatever
it started in turn. Both its outputs go to one log, which is also where it is heard: nothing can block on a full pipe.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

POLL_S: Final = 0.01
GRACE_S: Final = 15.0


class ChildFailed(Exception):
    """A process ended or stayed silent when it should not have; the message quotes its last words."""


class Child:
    """A running process. As a context manager it has ended when the block has.

    pass_fds: open files that it inherits under the same numbers. extra_env: what is added to our own environment.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        pass_fds: Sequence[int] = (),
        extra_env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.command = list(command)
        self._log = log
        with log.open("ab") as output:
            try:
                self._process = subprocess.Popen(  # noqa: S603
                    self.command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    pass_fds=pass_fds,
                    env=os.environ | (extra_env or {}),
                )
            except OSError as problem:
                raise ChildFailed(f"the {name} cannot be started: {self.command[0]}: {problem.strerror}") from None

    @property
    def pid(self) -> int:
        return self._process.pid

    def check(self) -> None:
        """Raise ChildFailed when it is no longer running."""
        code = self._process.poll()
        if code is not None:
            raise ChildFailed(f"the {self.name} ended by itself with {_ending(code)}: {self.last_words()}")

    def heard(self, words: re.Pattern[str], within_s: float, tick: Callable[[], None] = lambda: None) -> re.Match[str]:
        """Wait until its log matches, calling `tick` meanwhile.

        Raises ChildFailed when it ends first, or says nothing of the kind in time.
        """
        deadline = time.monotonic() + within_s
        while not (found := self.said(words)):
            tick()
            self.check()
            if time.monotonic() > deadline:
                raise ChildFailed(f"the {self.name} was not ready after {within_s:g} s: {self.last_words()}")
            time.sleep(POLL_S)
        return found

    def said(self, words: re.Pattern[str]) -> re.Match[str] | None:
        """Search its log, which is still there when it has ended."""
        return words.search(self._log.read_text(encoding="utf-8", errors="replace"))

    def stop(self, grace_s: float = GRACE_S) -> int:
        """Ask it to end (SIGTERM), insist after `grace_s` or on a second Ctrl-C (SIGKILL); return its exit code."""
        if self._process.poll() is None:
            self._process.terminate()
            # Frozen on purpose and never continued, it would not hear of it.
            self._process.send_signal(signal.SIGCONT)
        try:
            return self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            return self.kill()
        except KeyboardInterrupt:
            self.kill()
            raise

    def kill(self) -> int:
        """End it at once (SIGKILL), with all that it started; return its exit code."""
        if self._process.poll() is None:
            # Not reaped yet, so its process group cannot have become somebody else's.
            os.killpg(self.pid, signal.SIGKILL)
        return self._process.wait()

    def last_words(self) -> str:
        """Return the last line of its log, which is where programs say why they ended."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1].strip()[:300] if lines else "it said nothing"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
