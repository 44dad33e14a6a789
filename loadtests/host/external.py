"""Programs that pip cannot bring: found, or named together with the package that has them; started and stopped."""

import re
import shutil
from typing import Final, Self

from loadtests.host.managed_process import Child

ALSO_IN: Final = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin")
"""Where Debian keeps daemons, out of the path of ordinary users, and Homebrew everything."""
READY_S: Final = 30.0


class NotInstalled(Exception):
    """A program is missing. The message is one line that says how to get it."""


def find_program(name: str, package: str) -> str:
    """Return the path of a program. Raises NotInstalled."""
    found = shutil.which(name) or shutil.which(name, path=":".join(ALSO_IN))
    if found is None:
        raise NotInstalled(
            f"{name} is not installed; install it with scripts/install-test-tools, or with: apt-get install {package}"
        )
    return found


class Program:
    """A foreign program, for as long as its block lasts."""

    _child: Child | None = None

    def start(self) -> None:
        """Return when it takes connections. Raises ChildFailed with its own words when it does not start."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stop it, and wait until it has ended."""
        child, self._child = self._child, None
        if child is not None:
            child.stop()

    def _take_in(self, child: Child, ready: re.Pattern[str]) -> None:
        """Wait until a child says that it is ready, and keep it."""
        try:
            child.heard(ready, READY_S)
        except BaseException:
            child.stop()
            raise
        self._child = child

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
