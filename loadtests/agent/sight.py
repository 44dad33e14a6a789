"""What the agent sees of processes, for one question after the other. Bounded, however much is asked."""

from collections.abc import Sequence

from loadtests.agent.messages import ROWS_MAX, Question
from loadtests.host.sampler import Family
from loadtests.records.rows import Sample
from servers.outlet.costs import CostOf, cost_of
from servers.targets.adapter import Cost
from servers.targets.variables import Misunderstood

QUESTIONS_MAX = 8
"""As many are remembered; the one that was asked longest ago makes room."""


class Gone(Exception):
    """A process that was looked at has ended, or there is none such; the message says which."""


class Sight:
    """Keeps the families that each question is about, since what a process used while unseen must not be lost."""

    def __init__(self) -> None:
        self._looked_at: dict[str, tuple[str, Sequence[Family]]] = {}

    @property
    def remembered(self) -> int:
        return len(self._looked_at)

    def look(self, asked: Question) -> tuple[str, list[Sample]]:
        """Return whose cost it is, and their rows now. Raises Gone, and ProcessLookupError for one that has ended."""
        key = asked.query()
        known = self._looked_at.pop(key, None) or self._found(asked)
        rows = [row for family in known[1] for row in family.sample()]
        if len(rows) > ROWS_MAX:
            raise Gone(f"more than {ROWS_MAX} processes: name fewer")
        self._looked_at[key] = known
        while len(self._looked_at) > QUESTIONS_MAX:
            self._looked_at.pop(next(iter(self._looked_at)))
        return known[0], rows

    def _found(self, asked: Question) -> tuple[str, Sequence[Family]]:
        found = _who(asked)
        return found.known, [Family(pid, "server") for pid in found.pids]


def _who(asked: Question) -> CostOf:
    if asked.pid:
        return CostOf([asked.pid], f"that of process {asked.pid} and what it started")
    try:
        return cost_of(Cost(also=asked.also, cgroup=asked.cgroup), None, "127.0.0.1", asked.port)
    except Misunderstood as wrong:
        raise Gone(str(wrong)) from None
