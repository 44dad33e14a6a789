"""Runs with load hosts, for tests: hosts are processes of `pollbench worker`, in empty folders of their own."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import pollbench
from loadtests.host.managed_process import Child
from loadtests.records.manifest import Cell
from loadtests.runs import runner
from loadtests.runs.hosts.crewing import LoadHosts
from loadtests.runs.hosts.meeting import Meeting
from loadtests.runs.hosts.messages import TOKEN
from loadtests.runs.runner import Watcher
from loadtests.scenario.plan import Plan, PlannedCell
from loadtests.scenario.scenarios import Scenario
from reports.commands.cells import Together
from servers import patterns

LABELS: Final = {name: patterns.facts(name).label for name in patterns.names()}
SECRET: Final = "a-token-of-tests"
CLIENTS: Final = 25
"""Odd, so that they cannot be dealt out evenly."""
SHARED: Final = Scenario(
    name="feed",
    purpose="tests",
    clients=(CLIENTS,),
    schedule="steady:20",
    poll_interval_s=0.1,
    warmup_s=0.2,
    window_s=1.2,
    workers=2,
)


class Told:
    """What a watcher of a run is told. each: called at every tick with the pattern that is being measured.

    starts_with: what the run had said by the start of each cell; before: the folders that hosts had by then.
    """

    def __init__(self, said: list[str], folder: Path, each: Callable[[str], None] = lambda _: None) -> None:
        self._said, self._folder, self._each, self._now = said, folder, each, ""
        self.starts_with: dict[str, list[str]] = {}
        self.before: set[Path] = set()

    def starts(self, planned: PlannedCell) -> None:
        self._now = planned.pattern
        self.starts_with[planned.pattern] = [*self._said]
        self.before = set(self._folder.glob("home-of-*/tmp/*"))

    def tick(self) -> None:
        self._each(self._now)

    def ended(self, cell: Cell) -> None: ...


@dataclass
class CrewOf:
    """A run folder, its hosts by name, and what the run said. As a context: everything has ended at its end.

    wrap: words before the command of a host. telling: whether hosts tell what they count.
    """

    folder: Path
    scenario: Scenario
    meeting: Meeting = field(default_factory=lambda: Meeting(worker_port=0, worker_wait_s=60))
    said: list[str] = field(default_factory=list)
    hosts: dict[str, Child] = field(default_factory=dict)
    wrap: Mapping[str, Sequence[str]] = field(default_factory=dict)
    telling: bool = False

    def __enter__(self) -> "CrewOf":
        self._stack = ExitStack()
        hosts = LoadHosts(self.meeting, {TOKEN: SECRET}, self.said.append, telling=self.telling)
        self.office = self._stack.enter_context(hosts)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def host(self, name: str, *words: str, token: str = SECRET, to: str = "127.0.0.1") -> Child:
        """Start a load host in an empty folder."""
        home = self.folder / f"home-of-{name}"
        (home / "tmp").mkdir(parents=True)
        # In one word: clocks/elsewhere.py leaves whoever has a --master alone.
        command = [sys.executable, pollbench.__file__, "worker", f"--master={to}:{self.office.port}"]
        inside = ("sh", "-c", f'cd {home}; exec "$@"', "sh")
        child = Child(
            f"host {name}",
            [*self.wrap.get(name, ()), *inside, *command, "--name", name, *words],
            self.folder / f"{name}.log",
            extra_env={TOKEN: token, "TMPDIR": str(home / "tmp")},
        )
        self.hosts[name] = self._stack.enter_context(child)
        return child

    def measure(
        self, *named: str, each: Callable[[str], None] = lambda _: None, brief: str = "", beside: Sequence[Watcher] = ()
    ) -> tuple[runner.Outcome, Told]:
        """Measure one cell of each pattern named. brief: the one whose window is as short as that of SHARED. beside:
        who else watches.
        """
        plan, told = Plan(self.scenario, named, 1), Told(self.said, self.folder, each)
        self._told = told
        runner.begin(self.folder / "run", plan, LABELS, "run")
        short = replace(self.scenario, window_s=SHARED.window_s)
        cells = [replace(cell, scenario=short) if cell.pattern == brief else cell for cell in plan.cells()]
        watchers = Together(told, *beside)
        return runner.run_cells(self.folder / "run", cells, LABELS, watchers, hosts=self.office), told

    def receives(self, name: str) -> bool:
        """Whether users on a host have written down a message of the try that is going on."""
        now = set((self.folder / f"home-of-{name}").glob("tmp/*")) - self._told.before
        return any(file.stat().st_size for folder in now for file in folder.glob("raw/deliveries-*.rows"))

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(encoding="utf-8")

    def left_by(self, name: str) -> list[Path]:
        """Return the files that a host has in its folders."""
        return [each for each in (self.folder / f"home-of-{name}").rglob("*") if each.is_file()]


def load_processes(of: Child) -> list[int]:
    """Return the pids of the load processes that a host runs, oldest first."""
    import psutil

    found = []
    for child in psutil.Process(of.pid).children(recursive=True):
        try:
            if "--worker" in child.cmdline():
                found.append(child.pid)
        except psutil.Error:
            continue
    return sorted(found)
