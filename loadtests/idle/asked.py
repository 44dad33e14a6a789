"""PURE. How many clients wait, by how many processes on both sides, and whether this machine can hold them.

Found out halfway, a lack of files, ports or memory would look like a server that refuses clients.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from loadtests.host.machine_limits import SPARE, UNEVEN, UNKNOWN
from loadtests.records.manifest import Machine
from loadtests.scenario import source_address
from servers.settings.served import Served
from servers.settings.setting import RUNNER, SERVER, again, check, setting

MOST: Final = 1_000_000
NEEDED_BYTES: Final = 40_000
"""Of memory for a client, both ends and the kernel between them (measured: 23,000)."""


class TooMany(ValueError):
    """This machine cannot hold so many clients; the message says what it lacks, and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleSettings:
    """Raises ValueError naming option, value and range."""

    clients: tuple[int, ...] = setting(
        (1000,), "number of clients that wait; several counts one after the other", RUNNER, low=1, high=MOST
    )
    server_processes: int | None = setting(
        None,
        "server processes; without it, one for each core, and more where open files would not suffice",
        SERVER,
        low=1,
        high=64,
    )
    load_processes: int | None = setting(
        None, "client processes; without it, as many as server processes", RUNNER, low=1, high=64
    )
    source: str = setting(
        "127.1.0.0/24",
        "addresses that clients connect from, a network of this machine's own (Linux)",
        RUNNER,
        metavar="NETWORK",
        valid=source_address.parse_source,
    )
    heartbeat_s: float = again(Served, "heartbeat_s")
    rest_s: float = setting(32.0, "how long clients stay idle while they are measured", RUNNER, low=1, high=86_400)

    def __post_init__(self) -> None:
        check(self)

    def processes(self, clients: int, machine: Machine) -> tuple[int, int]:
        """Return how many processes the server has, and how many hold the clients."""
        room = machine.open_files - SPARE if machine.open_files > SPARE else MOST
        enough = max(machine.cores, -int(-clients * UNEVEN // room))
        server = self.server_processes or enough
        return server, min(self.load_processes or max(server, enough), clients)

    def check_room(self, clients: int, machine: Machine, free_bytes: int) -> None:
        """Raise TooMany where files, ports or memory will not do."""
        if lacking := next(self._lacking(clients, machine, free_bytes), ""):
            raise TooMany(f"--clients {clients} needs {lacking}")

    def _lacking(self, clients: int, machine: Machine, free_bytes: int) -> Iterator[str]:
        server, load = self.processes(clients, machine)
        for option, processes in {"--server-processes": server, "--load-processes": load}.items():
            files = int(clients * UNEVEN / processes) + SPARE
            if UNKNOWN < machine.open_files < files:
                yield (
                    f"{files:,} open files in each of {processes} processes ({option}), and a process may have "
                    f"{machine.open_files:,}; use more processes, or raise the hard limit (ulimit -Hn {files})"
                )
        network = source_address.parse_source(self.source).network
        addresses = max(1, network.num_addresses - 2) if network else 1
        ports = machine.ports - SPARE
        if machine.ports > UNKNOWN and ports * addresses < clients:
            yield (
                f"{clients:,} ports, and {addresses:,} source address{'es have' if addresses > 1 else ' has'} "
                f"{max(0, ports) * addresses:,}; name a larger network (--source 127.1.0.0/24), or widen the range "
                '(sysctl -w net.ipv4.ip_local_port_range="1024 65535")'
            )
        if free_bytes and clients * NEEDED_BYTES > free_bytes:
            yield (
                f"about {clients * NEEDED_BYTES / 1e9:,.1f} GB of memory on this machine, which has "
                f"{free_bytes / 1e9:,.1f} GB free; use fewer clients, or a machine with more"
            )
