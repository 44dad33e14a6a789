"""PURE. Which cells a run consists of, in which order, what they are called, and how long they take.

Repeats are interleaved (A B C A B C, never A A B B): whatever drifts on the machine meanwhile then drifts for all
patterns alike, and a run that is cut short still holds whole repeats.
"""

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any, Final

import msgspec

from loadtests.records.manifest import SESSION, Cell, Run
from loadtests.scenario.dimensions import RATE
from loadtests.scenario.scenarios import SCENARIOS, Scenario
from loadtests.scenario.settings import OPTIONS, SETTINGS, typed
from servers.settings.setting import duration, plain
from servers.timing import NS_PER_S

START_AND_STOP_S: Final = 1.7
"""What a cell takes beside its load: two interpreters to start, users to settle, rows to collect (measured: 1.5)."""
SHARING_S: Final = 2.5
"""And beside that where several load processes have to be waited for, at both ends."""


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """One pattern under one scenario, at one value of each dimension, for the repeat-th time, counted from 1."""

    pattern: str
    scenario: Scenario
    clients: int
    rtt_ms: float
    rate_per_s: float
    repeat: int

    @property
    def name(self) -> str:
        rate_per_s = self.rate_per_s if len(self.scenario.schedules) > 1 else None
        return cell_name(self.scenario.name, self.clients, self.rtt_ms, rate_per_s, self.pattern, self.repeat)

    @property
    def settings(self) -> dict[str, Any]:
        """Return all that this cell depends on, as cell.json keeps it: of a sweep, its own value."""
        own = {"clients": [self.clients], "rtt_ms": [self.rtt_ms], "schedule": self.schedule}
        return {name: getattr(self.scenario, name) for name in SETTINGS} | own

    def unmeasured(self, label: str) -> Cell:
        """Return the cell as it begins: nothing has happened yet, and should it stay so, it has failed."""
        return Cell(
            name=self.name,
            pattern=self.pattern,
            label=label,
            scenario=self.scenario.name,
            clients=self.clients,
            rtt_ms=self.rtt_ms,
            rate_per_s=self.rate_per_s,
            settings=self.settings,
            repeat=self.repeat,
            status="failed",
            problems=[],
            server_pid=0,
            server_command=[],
            load_command=[],
            load_exit_code=0,
            spawned_by_ns=0,
            publish_from_ns=0,
            window_from_ns=0,
            window_until_ns=0,
            load_ended_ns=0,
            published=0,
            rows={},
        )

    @property
    def schedule(self) -> str:
        return self.scenario.schedules[self.rate_per_s]

    @property
    def relayed(self) -> bool:
        """Whether there is anything for a relay to do."""
        return self.scenario.relayed(self.rtt_ms)

    @property
    def expected_s(self) -> float:
        sharing_s = SHARING_S if self.scenario.loads > 1 else 0.0
        return self.scenario.load_s(self.clients, self.rtt_ms) + START_AND_STOP_S + sharing_s


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is asked to measure. patterns: names, in the order in which they take turns."""

    scenario: Scenario
    patterns: tuple[str, ...]
    repeats: int

    def __post_init__(self) -> None:
        self.scenario.check_planned()
        if not 1 <= self.repeats <= 1000:
            raise ValueError(f"--repeats {self.repeats} is out of range: it must be 1 to 1000")
        if not self.patterns:
            raise ValueError("no pattern was named: name at least one")

    @property
    def expected_s(self) -> float:
        return sum(cell.expected_s for cell in self.cells())

    def __str__(self) -> str:
        """One line for people."""
        patterns = f"{len(self.patterns)} patterns" if len(self.patterns) > 1 else self.patterns[0]
        clients = f"{typed('clients', self.scenario.clients)} client{'s' if self.scenario.clients != (1,) else ''}"
        distance = f", round trip {typed('rtt_ms', self.scenario.rtt_ms)}" if any(self.scenario.rtt_ms) else ""
        times = f"{self.repeats} times" if self.repeats > 1 else "once"
        shared = f", {self.scenario.loads} load processes" if self.scenario.loads > 1 else ""
        hosts = self.scenario.workers
        shared += f" on {hosts} load host{'s' * (hosts > 1)}" if hosts else ""
        faulty = f", server faulty on purpose ({self.scenario.fault})" if self.scenario.fault else ""
        return (
            f"{self.scenario.name}: {patterns}, {clients}{distance}, {self.scenario.schedule}, {times}{shared}{faulty}"
        )

    def cells(self) -> list[PlannedCell]:
        return [
            PlannedCell(pattern, self.scenario, clients, rtt_ms, rate_per_s, repeat)
            for repeat in range(1, self.repeats + 1)
            for clients in self.scenario.clients
            for rtt_ms in self.scenario.rtt_ms
            for rate_per_s in self.scenario.schedules
            for pattern in self.patterns
        ]


def user_class_name(name: str) -> str:
    """Return the name under which Locust knows a pattern: long_polling -> LongPollingUser."""
    return "".join(part.capitalize() for part in name.split("_")) + "User"


def cell_name(scenario: str, clients: int, rtt_ms: float, rate_per_s: float | None, pattern: str, repeat: int) -> str:
    """Name a cell and its folder: feed-50-sse-1, or feed-50-40ms-5per_s-sse-1.

    rtt_ms: 0 for no round trip; rate_per_s: None where the scenario has only one.
    """
    network = f"-{duration(rtt_ms, 'ms')}" if rtt_ms else ""
    rate = "" if rate_per_s is None else f"-{plain(rate_per_s)}{RATE.suffix}"
    return f"{scenario}-{clients}{network}{rate}-{pattern}-{repeat}"


def plan_of(run: Run) -> Plan:
    """Read back the plan that a run was started with. Raises ValueError when its cells are not what it would give."""
    if run.kind == SESSION:
        raise ValueError("it was driven by hand, so there is no plan to go on with: start a new test")
    if len(run.scenarios) != 1:
        raise ValueError(f"the run has {len(run.scenarios)} scenarios; this version resumes runs of one")
    scenario = msgspec.convert(run.scenarios[0], Scenario)
    plan = Plan(scenario, tuple(run.patterns), run.repeats)
    if [cell.name for cell in plan.cells()] != run.cells:
        raise ValueError("its cells are not the ones its scenario, patterns and repeats give: run.json was edited")
    return plan


def differences(asked: Plan, saved: Plan) -> list[str]:
    """Name what differs between two plans, one "field asked, not saved" each; empty when they are the same."""
    new, old = _words(asked), _words(saved)
    return [f"{option} {new[option]} instead of {old[option]}" for option in new if new[option] != old[option]]


def _words(plan: Plan) -> dict[str, str]:
    """Return everything that a plan says, by option, as it is typed."""
    fields = {option: typed(field, getattr(plan.scenario, field)) for field, option in OPTIONS.items()}
    own = {
        "--target": plan.scenario.target or "none",
        "--scenario": plan.scenario.name,
        "--pattern": ",".join(plan.patterns),
        "--repeats": str(plan.repeats),
    }
    return fields | own


def command_line(kind: str, plan: Plan) -> str:
    """Return the command that measures this plan again: everything that is not the named scenario's is spelled out."""
    scenario, named = plan.scenario, SCENARIOS[plan.scenario.name]
    if kind == "run":
        words = ["pollbench", "run", plan.patterns[0], scenario.name]
    else:
        words = ["pollbench", "compare", "--scenario", scenario.name, "--pattern", ",".join(plan.patterns)]
    words += shlex.split(scenario.target)
    for field, option in OPTIONS.items():
        value = getattr(scenario, field)
        if value != getattr(named, field):
            words += [option] if value is True else [option, typed(field, value)]
    return shlex.join([*words, "--repeats", str(plan.repeats)])


def remaining(plan: Plan, finished: Collection[str]) -> list[PlannedCell]:
    """Return the cells still to be measured, in the plan's order."""
    return [cell for cell in plan.cells() if cell.name not in finished]


def scenario_fields(scenario: Scenario) -> dict[str, object]:
    """Return the scenario as run.json keeps it; `plan_of` reads it back."""
    return asdict(scenario)


def choose(wanted: Sequence[str], known: Mapping[str, object], what: str) -> tuple[str, ...]:
    """Split comma lists, drop repeats, and check every name. Raises ValueError, see `known_name`."""
    names = (name.strip() for text in wanted for name in text.split(","))
    return tuple(dict.fromkeys(known_name(name, known, what) for name in names if name))


def known_name(name: str, known: Mapping[str, object], what: str) -> str:
    """Return the name. Raises ValueError with the nearest known name, and all of them, when it is not known."""
    if name in known:
        return name
    nearest = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    raise ValueError(f"{what} {name!r} is none of: {', '.join(known)}{hint}")


def sampling_instants_ns(from_ns: int, until_ns: int, edges_ns: Collection[int]) -> list[int]:
    """Return when the server is looked at: every second from the first instant to the last, and at both edges.

    The window's edges get a sample of their own, so that its cost is a difference of two readings, not a guess
    between two seconds.
    """
    return sorted({*range(from_ns, until_ns, NS_PER_S), until_ns, *edges_ns})
