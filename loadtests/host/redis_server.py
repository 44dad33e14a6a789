"""A Redis of our own, for as long as an experiment or a test runs: its own folder, its own port, its own data.

    with RedisServer(folder) as redis:
        ...   # python -m servers --feed redis-stream --redis {redis.url}

`stop()` and `start()` restart it on the same port; what it had is back, unless it was made with `appendonly=False`.
"""

import re
from pathlib import Path
from typing import Final

from loadtests.host.external import Program, find_program
from loadtests.host.managed_process import Child, ChildFailed
from servers.web.free_port import free_port

READY: Final = re.compile(r"Ready to accept connections")
PORT_TAKEN: Final = "Failed listening on port"
"""Redis's own words, in 7.0; a test hears them."""
ATTEMPTS: Final = 5


class RedisServer(Program):
    """One redis-server process, which keeps its files in `folder`.

    appendonly: write every change down before it is answered, so that a restart loses nothing. Raises NotInstalled,
    ChildFailed when it does not start.
    """

    def __init__(self, folder: Path, *, appendonly: bool = True) -> None:
        self._program = find_program("redis-server", "redis-server")
        self._folder = folder
        self._appendonly = appendonly
        self.port = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """The running process. Raises ChildFailed when there is none."""
        if self._child is None:
            raise ChildFailed("redis is not running")
        return self._child.pid

    def start(self) -> None:
        """Start it: the first time on a free port, then always on the same."""
        if self.port:
            self._start(self.port)
            return
        for attempt in range(ATTEMPTS):
            try:
                port = free_port()
                self._start(port)
            except ChildFailed as problem:
                # Redis cannot be told to take any port, and one that was found free can be taken before it is used.
                if PORT_TAKEN not in str(problem) or attempt == ATTEMPTS - 1:
                    raise
            else:
                self.port = port
                return

    def _start(self, port: int) -> None:
        log = self._folder / "redis.log"
        log.unlink(missing_ok=True)
        options = {
            "--bind": "127.0.0.1",
            "--port": str(port),
            "--dir": str(self._folder),
            "--appendonly": "yes" if self._appendonly else "no",
            "--save": "",
        }
        command = [self._program, *(word for pair in options.items() for word in pair)]
        child = Child("redis", command, log)
        self._take_in(child, READY)
