"""A port for a program that cannot choose one by itself and say which; and whether an address is this machine's."""

import itertools
import os
import socket
from typing import Final

LOWEST: Final = 10_000
"""Above the registered services; the ports that systems give to outgoing connections begin at 32,768."""
PORTS: Final = 22_000
APART: Final = 101
"""Processes with neighbouring ids look in different places."""

_asked: Final = itertools.count()


def check_own(address: str) -> None:
    """Raise OSError where no socket here can have this address."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.bind((address, 0))


def free_port() -> int:
    """Return a port without a listener that no outgoing connection gets by chance.

    The system's own choice (port 0) may belong to another connection a moment later.

    Raises:
        OSError: nothing may listen here at all.
    """
    for _ in range(PORTS):
        port = LOWEST + (os.getpid() * APART + next(_asked)) % PORTS
        with socket.socket() as listening:
            try:
                listening.bind(("", port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port from {LOWEST} to {LOWEST + PORTS - 1}")
