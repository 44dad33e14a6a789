"""Programs that pip cannot bring: found, or named together with the package that has them."""

import shutil
from typing import Final

ALSO_IN: Final = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin")
"""Where Debian keeps daemons, out of the path of ordinary users, and Homebrew everything."""


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
