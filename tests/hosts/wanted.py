"""What tests of load hosts start with: hosts that join, and work that is to be done."""

import secrets

from loadtests.metrics.counting import SoFar
from loadtests.records.manifest import Machine
from loadtests.runs.hosts.messages import Asking, HandedIn, Joining, Leaving, Order, Piece, Work
from loadtests.runs.hosts.roster import Roster

VERSIONS = {"pollbench": "1", "python": "3.11.4"}
MACHINE = Machine(system="", cpu="a CPU", cores=2, memory_bytes=1, python="3.11.4", clock_id="")


class Host:
    """A host as the roster sees it. `seen`: the number of the last order that it was given."""

    def __init__(self, roster: Roster, name: str, versions: dict[str, str] | None = None) -> None:
        self.name, self.instance, self.seen = name, secrets.token_hex(8), -1
        self._roster = roster
        self.versions = versions or VERSIONS

    def join(self) -> "Host":
        self._roster.join(self.joining(), "10.0.0.1")
        return self

    def joining(self) -> Joining:
        return Joining(name=self.name, instance=self.instance, machine=MACHINE, versions=self.versions)

    def ask(self, **told: object) -> Order:
        asking = Asking(**{"name": self.name, "instance": self.instance, "seen": self.seen} | told)  # type: ignore[arg-type]
        order = self._roster.orders(asking)
        self.seen = order.number
        return order

    def handed_in(self, attempt: str, *pieces: Piece, told: SoFar | None = None) -> HandedIn:
        return HandedIn(name=self.name, instance=self.instance, attempt=attempt, pieces=list(pieces), told=told)

    def leaving(self, why: str) -> Leaving:
        return Leaving(name=self.name, instance=self.instance, why=why)


def some_work(store: str = "") -> Work:
    return Work(attempt=secrets.token_hex(8), pattern="sse", port=5557, processes=1, store=store)
