"""What one machine can hold: open files for each process, and ports for connections to one server.

A run that needs more is refused before it starts. Found out halfway, it would look like a server that refuses clients.
"""

import resource
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import Final

from loadtests.records.manifest import Machine

SPARE: Final = 100
"""Files, or ports of other programs, beside one for each client: logs, listeners, the loop's own."""
UNEVEN: Final = 1.1
"""The kernel deals connections out to the processes at one port by hash; none of many thousand has a tenth more."""
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


def lacking(clients: int, relayed: bool, machine: Machine, servers: int = 1, loads: int = 1) -> str:
    """Say what a cell of so many clients needs and the machine does not have, with the remedy; "" when it has it all.

    relayed: a relay stands between clients and server, and holds two connections for each. servers, loads: how many
    processes of the server, and of the load, share the clients.
    """
    who, files, remedy = _most_files(clients, relayed, servers, loads)
    if UNKNOWN < machine.open_files < files:
        return (
            f"--clients {clients} needs {files:,} open files in {who}, and a process may have {machine.open_files:,}; "
            f"use fewer clients{remedy}, or raise the hard limit (ulimit -Hn {files})"
        )
    if UNKNOWN < machine.ports < clients + SPARE:
        return (
            f"--clients {clients} needs {clients + SPARE:,} ports, and this system has {machine.ports:,} for a server; "
            'use fewer clients, or widen the range (sysctl -w net.ipv4.ip_local_port_range="1024 65535")'
        )
    return ""


def _most_files(clients: int, relayed: bool, servers: int, loads: int) -> tuple[str, int, str]:
    """Return who needs most open files, how many, and what else would help."""
    if relayed:
        return "the relay of --rtt", 2 * clients + SPARE, ""
    of_server = clients if servers == 1 else ceil(clients / servers * UNEVEN)
    of_load = ceil(clients / loads)
    files = max(of_server, of_load) + SPARE
    if of_server == of_load:
        return "server and load each", files, ", or share them out (--server-processes and --load-processes)"
    if of_server > of_load:
        return "each process of the server", files, ", or share them out (--server-processes)"
    return "each load process", files, ", or share them out (--load-processes)"
