"""A real nginx in front of server processes, for as long as an experiment or a test runs.

    with Nginx(folder, [server.http_port], ProxyOptions(buffering=False)) as proxy:
        ...   # give users proxy.url instead of the server's

It needs no privileges and touches nothing outside `folder`, where its configuration and its log stay to be read.
"""

import os
import pwd
import re
import resource
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from loadtests.host.external import Program, find_program
from loadtests.host.managed_process import Child
from loadtests.host.nginx_config import ProxyOptions, config

READY: Final = re.compile(r"start worker process \d+")
VERSION: Final = re.compile(r"nginx/\d[\d.]*")
OPEN_FILES_MAX: Final = 65_536
"""nginx takes memory for every connection that a worker may have, about 0.4 kB."""


class Nginx(Program):
    """One nginx. Raises NotInstalled, and ChildFailed with nginx's own words when it does not start."""

    def __init__(self, folder: Path, upstreams: Sequence[int], options: ProxyOptions | None = None) -> None:
        self._program = find_program("nginx", "nginx")
        self._folder = folder
        self._upstreams = upstreams
        self._options = options or ProxyOptions()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def version(self) -> str:
        """Its own word, such as nginx/1.22.1; "" when it has said nothing of the kind."""
        said = self._child.said(VERSION) if self._child else None
        return said[0] if said else ""

    def start(self) -> None:
        """Return when it takes connections."""
        log = self._folder / "nginx.log"
        log.unlink(missing_ok=True)
        with socket.create_server(("127.0.0.1", 0), backlog=4096) as sock:
            self.port = sock.getsockname()[1]
            text = config(self.port, self._upstreams, self._options, open_files(), account())
            (self._folder / "nginx.conf").write_text(text, encoding="ascii")
            # nginx trusts an inherited socket not to block. A worker that came second to a connection would wait in
            # accept() for the next one, and its clients with it.
            sock.setblocking(False)
            # nginx cannot be told to take any port. It does take over a listening socket, as it does when it is
            # replaced by a newer version of itself, and so no program can take the port in between.
            child = Child(
                "nginx",
                [self._program, "-p", str(self._folder), "-c", "nginx.conf", "-e", "stderr"],
                log,
                pass_fds=[sock.fileno()],
                extra_env={"NGINX": f"{sock.fileno()};"},
            )
        self._take_in(child, READY)


def open_files() -> int:
    """Return how many files a worker may open: as many as this process may be given, within reason."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES_MAX)


def account() -> str:
    """Return whom the workers run as where they would otherwise become `nobody`, who may not read our folder."""
    return pwd.getpwuid(os.geteuid()).pw_name if os.geteuid() == 0 else ""
