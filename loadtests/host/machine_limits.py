"""What one machine can hold: open files for each process, and ports for connections to one server.

A run that needs more is refused before it starts. Found out halfway, it would look like a server that refuses clients.
"""

import resource
from contextlib import suppress
from pathlib import Path
from typing import Final

from loadtests.records.manifest import Machine

SPARE: Final = 100
"""Files, or ports of other programs, beside one for each client: logs, listeners, the loop's own."""
UNKNOWN: Final = 0
PORT_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")


def raise_open_files() -> None:
    """Raise the soft limit of open files to the hard one, as far as the platform lets us. Locust stops at 10,000."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else 1_048_576
    if soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def open_files() -> int:
    """Return how many files a process may have open once it has raised its own limit; 0 where there is no end."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return UNKNOWN if hard == resource.RLIM_INFINITY else hard


def ports() -> int:
    """Return how many connections can be open from here to one address; 0 where the platform does not say."""
    try:
        first, last = map(int, PORT_RANGE.read_text(encoding="ascii").split())
    except (OSError, ValueError):
        return UNKNOWN
    return last - first + 1


def lacking(clients: int, relayed: bool, machine: Machine) -> str:
    """Say what a cell of so many clients needs and the machine does not have, with the remedy; "" when it has it all.

    relayed: a relay stands between clients and server, and holds two connections for each.
    """
    files = clients * (2 if relayed else 1) + SPARE
    if UNKNOWN < machine.open_files < files:
        who = "the relay of --rtt" if relayed else "server and load each"
        return (
            f"--clients {clients} needs {files:,} open files in {who}, and a process may have {machine.open_files:,}; "
            f"use fewer clients, or raise the hard limit (ulimit -Hn {files})"
        )
    if UNKNOWN < machine.ports < clients + SPARE:
        return (
            f"--clients {clients} needs {clients + SPARE:,} ports, and this system has {machine.ports:,} for a server; "
            'use fewer clients, or widen the range (sysctl -w net.ipv4.ip_local_port_range="1024 65535")'
        )
    return ""
