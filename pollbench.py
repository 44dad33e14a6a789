"""The front door: `pollbench` on the command line, and `import pollbench` in a notebook.

It opens at once and changes nothing. Commands (reports/commands) and what notebooks use (reports/notebook.py) are
imported when they are asked for.
"""

import _signal  # type: ignore[import-not-found]  # `signal` itself takes 20 ms to import
import os
import sys
from collections.abc import Sequence
from typing import Any

HERE = os.path.dirname(os.path.realpath(__file__))  # noqa: PTH120  (so does pathlib)
if HERE not in sys.path:
    sys.path.insert(0, HERE)  # where servers, loadtests and reports are, installed or not

from reports.commands.exits import DONE, INTERRUPTED, INVALID, UNREACHABLE, USAGE  # noqa: E402

__all__ = ["DONE", "INTERRUPTED", "INVALID", "UNREACHABLE", "USAGE", "main"]


_OF_ADAPTERS = ("Client", "Heard", "Request")
"""What a class needs that is an adapter (docs/howto/own-server.md); it is read in load processes, too."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Whatever goes wrong in a foreseen way is one line on stderr."""
    _signal.signal(_signal.SIGINT, lambda *_: os._exit(130))  # Ctrl-C ends in silence until a command takes it over
    from reports.commands import app

    return app.main(arguments)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    if name in _OF_ADAPTERS:
        from servers.targets import client

        return getattr(client, name)
    from reports import notebook

    return getattr(notebook, name)


def __dir__() -> list[str]:
    from reports import notebook

    return [*__all__, *_OF_ADAPTERS, *notebook.__all__]


if __name__ == "__main__":
    sys.exit(main())
