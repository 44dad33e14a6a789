"""What is to be known of a test that a person drives, so that its folder can be reported like any other run.

It has no plan: users come when the form is sent, and it ends with the Stop button. So the conductor notes here what
happens when, the server is asked from time to time what it has published, and a separate process samples its cost;
another one (loadtests/runs/by_hand) then ends its cells like planned ones, because pyarrow would stall the users.
"""

import logging
import shlex
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import gevent
import msgspec

from loadtests.clocks.offset import OffsetInterval
from loadtests.records.manifest import SESSION, SessionRecord
from loadtests.runs.by_hand.server_costs import ServerCosts, serving
from loadtests.runs.run_folder import save
from loadtests.runs.target import Stats, Target, WrongServer
from loadtests.scenario.locust_options import LoadOptions
from loadtests.scenario.plan import PlannedCell, scenario_fields
from loadtests.scenario.scenarios import Scenario
from loadtests.scenario.settings import NEWEST, UserSettings
from servers.home import python
from servers.outlet.costs import CostOf
from servers.settings.setting import USER, settings
from servers.timing.clock import now_ns, wall_timestamp

if TYPE_CHECKING:
    from loadtests.locust_ui.other_server import OtherServer

log = logging.getLogger("pollbench")

ASK_EACH_S: Final = 5.0
"""How often the server is asked; it keeps 10,000 messages unless told otherwise."""


class HandDriven:
    """One test, as seen by the process that started it. labels: pattern -> name. other: a server that is not ours."""

    def __init__(
        self,
        folder: Path,
        target: Target,
        options: LoadOptions,
        labels: Mapping[str, str],
        other: "OtherServer | None" = None,
    ) -> None:
        self.folder = folder
        self._target = target
        self._other = other
        self._before = self._target.newest_id if options.join_at == NEWEST else None
        self._last_id = self._before or 0
        self._started_at = wall_timestamp()
        self._scheduled = bool(options.schedule)
        self._scenario = scenario_of(options, self._target.stats, other)
        self._labels = labels
        self._users: dict[str, int] = {}
        self._spawned_by_ns = self._reset_ns = 0
        self._problems: list[str] = []
        self._asking: gevent.Greenlet | None = None
        self._cost = CostOf([], "")
        self._costs: ServerCosts | None = None
        self._offset = OffsetInterval(0, 0, 0)

    def start(self) -> None:
        """Begin to write down what the server publishes, and what it costs. Raises OSError, WrongServer."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "published.csv").write_text("id,due_ns,published_ns\n", encoding="ascii")
        self._ask()
        self._asking = gevent.spawn(self._ask_on)
        self._cost = serving(self._target) if self._other is None else self._other.cost
        if whom := [*map(str, self._cost.pids)] if self._other is None else self._other.whom:
            self._costs = ServerCosts(self.folder, self._target.host, whom)

    def spawned(self, users: Mapping[str, int]) -> None:
        """Note that all users run, pattern -> users. They may become more while the test runs, and never fewer."""
        for pattern, before in self._users.items():
            if users.get(pattern, 0) < before:
                self._problems.append(
                    f"users were taken away while it ran ({pattern}: {before}, then {users.get(pattern, 0)}), so it "
                    "cannot be said what each should have received: start a new test instead"
                )
        self._users = dict(users)
        self._spawned_by_ns = self._there_ns(now_ns())

    def reset(self) -> None:
        """Leave out what came before, as the screen does from now on."""
        self._reset_ns = self._there_ns(now_ns())

    def begun(self, target: Target) -> None:
        """Leave out what came before the roll call was over. target: as it publishes now."""
        self._target = target
        self.reset()

    def finish(self, ended_ns: int, users: Mapping[str, int], problems: list[str]) -> None:
        """Make a run of the folder. ended_ns: by our clock. users: those that run now. Raises OSError."""
        if self._asking is not None:
            self._asking.kill()
        if self._costs is not None and (failed := self._costs.stop()):
            self._problems.append(failed)
        self._ask()
        self._problems += self._changes()
        if not self._users:
            self._problems.append("it was stopped before all users had started")
        command = shlex.join(["locust", *sys.argv[1:]])
        self._problems += problems
        facts = {
            "problems": self._problems,
            "server_pid": self._target.stats.pid if self._other is None else next(iter(self._cost.pids), 0),
            "cost_of": (self._costs is not None and self._costs.known) or self._cost.known,
            "load_command": shlex.split(command),
            "spawned_by_ns": self._spawned_by_ns,
            "publish_from_ns": self._publish_from_ns(),
            "window_from_ns": self._reset_ns,
            "load_ended_ns": self._there_ns(ended_ns),
            "published": self._last_id,
            "published_before": self._before or 0,
        }
        if self._other is not None:
            self._other.stop()  # now its journals are whole
            facts["way_up"] = self._other.way_up
        cells = [
            msgspec.structs.replace(cell.unmeasured(self._labels.get(cell.pattern, cell.pattern)), **facts)
            for cell in cells_of(self._scenario, self._users or users)
        ]
        scenario = scenario_fields(self._scenario)
        record = SessionRecord(command=command, started_at=self._started_at, scenario=scenario, cells=cells)
        save(self.folder / "session.json", record)
        subprocess.run(python("loadtests.runs.by_hand.manual_run", str(self.folder)), check=False)  # noqa: S603

    def _there_ns(self, at_ns: int) -> int:
        """Return which instant of the publisher's clock one of ours is. Without an answer, as it was found before."""
        with suppress(WrongServer):
            self._offset = self._target.offset()
        return at_ns + self._offset.midpoint_ns

    def _publish_from_ns(self) -> int:
        """Return when the schedule began; 0 where another process may publish, so that its schedule is not known."""
        shared = self._target.stats.backplane is not None and not self._scheduled
        return 0 if shared else self._target.start_at_ns

    def _changes(self) -> list[str]:
        """Return what another client changed at the server, after which no one setting describes the test."""
        then = self._target.stats
        try:
            now = Target(self._target.host).stats
        except WrongServer as wrong:
            return [] if self._problems else [str(wrong)]
        if (now.schedule, now.message_bytes, now.start_at_ns) == (then.schedule, then.message_bytes, then.start_at_ns):
            return []
        problem = (
            f"the server was made to publish by {now.schedule} ({now.message_bytes} bytes) while it ran, instead of "
            f"{then.schedule} ({then.message_bytes} bytes): start a new test"
        )
        return [problem]

    def _ask_on(self) -> None:
        while not self._problems:
            gevent.sleep(ASK_EACH_S)
            self._ask()

    def _ask(self) -> None:
        """Write down what was published since. A hole in the ids, or no answer, ends it, and is a problem."""
        if self._problems:
            return
        try:
            lines = self._target.published(self._last_id)
        except WrongServer as wrong:
            self._problems.append(str(wrong))
            return
        if not lines:
            return
        first, last = (int(line.partition(b",")[0]) for line in (lines, lines[lines.rstrip().rfind(b"\n") + 1 :]))
        if self._before is None:
            # Users that begin with the oldest are sent what the server still keeps.
            self._before = self._last_id = first - 1
        if first != self._last_id + 1:
            self._problems.append(
                f"the server went on with message {first} after {self._last_id}: it was restarted, or keeps too few "
                "messages (pollbench serve --history)"
            )
            return
        with (self.folder / "published.csv").open("ab") as file:
            file.write(lines)
        self._last_id = last


def scenario_of(options: LoadOptions, stats: Stats, other: "OtherServer | None" = None) -> Scenario:
    """Return what would have been planned: users obey the form, and the server what it was started with.

    Raises ValueError for a server that says what no server can be told.
    """
    schedule = options.schedule or stats.schedule
    said = stats.settings | {"schedule": schedule, "message_bytes": stats.message_bytes, "fault": stats.fault}
    in_force: dict[str, Any] = {
        name: getattr(options, name) if USER in each.who else said.get(name, each.default)
        for name, each in settings(UserSettings).items()
    }
    if other is not None:
        in_force |= {"target": other.asked.words(), "adapter": other.chosen.encoded()}
    return Scenario(name=SESSION, purpose="driven by hand in Locust", clients=(1,), **in_force)


def cells_of(scenario: Scenario, users: Mapping[str, int]) -> list[PlannedCell]:
    """Return a cell for each pattern that had users. users: pattern -> users.

    Patterns with unequal numbers of users are not comparable, so they are not of one scenario.
    """
    counts = {pattern: count for pattern, count in sorted(users.items()) if count}
    alike = len(set(counts.values())) == 1
    (rate_per_s,) = scenario.schedules
    return [
        PlannedCell(
            pattern,
            replace(scenario, name=SESSION if alike else f"{SESSION}-of-{clients}", clients=(clients,)),
            clients,
            rtt_ms=0.0,
            rate_per_s=rate_per_s,
            repeat=1,
        )
        for pattern, clients in counts.items()
    ]
