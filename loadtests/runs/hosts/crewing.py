"""A run's load hosts, as its cells use them: gathered before a cell, told what to do, missed by name, handed in.

It listens for as long as the run lasts, so hosts are set up once: what joined for the first cell works on all.
"""

import secrets
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from loadtests.host import environment, machine_limits
from loadtests.host.managed_process import Tick
from loadtests.metrics.counting import SoFar
from loadtests.records.manifest import LoadHost
from loadtests.runs.commands import Programs
from loadtests.runs.hosts.endings import INCOMPLETE, HostFailed, HostsMissing
from loadtests.runs.hosts.meeting import Meeting
from loadtests.runs.hosts.messages import READY_S, STUCK_S, TOKEN, Work, check_token
from loadtests.runs.hosts.office import Office
from loadtests.runs.hosts.roster import Roster
from loadtests.runs.hosts.store import Store, StoreFailed
from loadtests.scenario.plan import PlannedCell
from loadtests.summary.reduction import Window
from servers.settings.setting import settings
from servers.web.free_port import check_own
from servers.web.urls import authority

LOOK_S: Final = 0.05
FAREWELL_S: Final = 3.0
"""How long a run that is over waits for its hosts to ask once more, and hear it."""
ANYWHERE: Final = frozenset({"", "0.0.0.0", "::"})
OPTION: Final = {name: each.option for name, each in settings(Meeting).items()}


class LoadHosts:
    """The load hosts of a run, from the first that joins to the last that hears of its end.

    say: told what a person should know. telling: whether they tell what they count. Raises ValueError for an option
    that cannot be obeyed.
    """

    def __init__(
        self,
        meeting: Meeting,
        surroundings: Mapping[str, str],
        say: Callable[[str], None],
        runs_own: Mapping[str, str] | None = None,
        *,
        telling: bool = False,
    ) -> None:
        """surroundings: the environment, which may have the token; runs_own: versions, if not those of here."""
        self._meeting, self._say, self._telling = meeting, say, telling
        self.address = own_address(meeting.bind)
        self._store = Store(meeting.store) if meeting.store else None
        self._check_store()
        given = surroundings.get(TOKEN, "")
        self.token = check_token(given) if given else secrets.token_hex(16)
        self._told_token = not given
        self._roster = Roster(runs_own or environment.decisive_versions(), say)
        self._unwritten: list[OSError] = []
        try:
            self._office = Office(self.address, meeting.worker_port, self.token, self._roster, self._unwritten.append)
        except OSError as problem:
            raise ValueError(
                f"{OPTION['worker_port']} {meeting.worker_port}: {problem.strerror} at {self.address}; choose another, "
                "or 0 for any free one"
            ) from None
        self._work: Work | None = None
        self._over = False

    @property
    def port(self) -> int:
        return self._office.port

    def programs(self, programs: Programs) -> Programs:
        """Return the programs of cells with the address at which they must listen."""
        return replace(programs, bind=self.address)

    def gather(self, count: int, tick: Tick) -> None:
        """Return when so many hosts are there. Raises HostsMissing when they are not in time."""
        self._roster.look()
        if self._roster.lacking(count):
            self._invite(count)
        deadline = time.monotonic() + self._meeting.worker_wait_s
        while lacking := self._roster.lacking(count):
            if time.monotonic() > deadline:
                raise HostsMissing(
                    f"{lacking}, after {self._meeting.worker_wait_s:g} s ({OPTION['worker_wait_s']}); start the others "
                    f"with: {self._invitation()}"
                )
            self._roster.await_news(LOOK_S)
            self._roster.look()
            tick()

    def _invitation(self) -> str:
        return f"pollbench worker --master {authority(self._meeting.bind, self.port)}"

    def _invite(self, count: int) -> None:
        shown = f"{TOKEN}={self.token} " if self._told_token else ""
        self._say(f"waiting for {count} load hosts; on each: {shown}{self._invitation()}")

    def start(self, planned: PlannedCell, port: int, folder: Path) -> list[LoadHost]:
        """Have hosts start load processes that join Locust's master at this port; return who they are.

        folder: of the cell, whose raw/ takes their files. Raises HostFailed.
        """
        count, attempt = planned.scenario.workers, secrets.token_hex(8)
        self._work = Work(
            attempt=attempt,
            pattern=planned.pattern,
            port=port,
            processes=planned.scenario.load_processes or 1,
            roll_call=bool(planned.scenario.adapter),
            telling=self._telling,
            store=self._meeting.store,
            place=f"{folder.parent.parent.name}/{folder.name}/{attempt}",
        )
        self._roster.begin(count, self._work, folder / "raw")
        share = -(-planned.clients // count)
        for member in self._roster.of_crew():
            if lacking := machine_limits.lacking(
                share, relayed=False, machine=member.joined.machine, loads=self._work.processes
            ):
                raise HostFailed(f"load host {member.joined.name}: {lacking}")
        return [
            LoadHost(
                name=member.joined.name,
                address=member.address,
                processes=self._work.processes,
                machine=member.joined.machine,
            )
            for member in self._roster.of_crew()
        ]

    def await_ready(self, *ticks: Tick, within_s: float = READY_S) -> None:
        """Return when every load process has joined Locust's master. Raises HostFailed for one that has not in time."""
        work, deadline = self._work, time.monotonic() + within_s
        assert work is not None
        while late := [each for each in self._roster.of_crew() if each.ready < work.processes]:
            self.check()
            if time.monotonic() > deadline:
                raise HostFailed(
                    f"load host {late[0].joined.name} was not ready after {within_s:g} s: {late[0].ready} of "
                    f"{work.processes} load processes joined; see whether it reaches {self.address}:{work.port}"
                )
            self._roster.await_news(LOOK_S)
            for tick in ticks:
                tick()
        self.check()

    def heard(self) -> dict[str, int]:
        """Return how many users of each host have heard a message, where that is asked."""
        return {each.joined.name: each.heard for each in self._roster.of_crew()}

    def count(self, window: Window) -> None:
        """Have hosts keep their rows, and hand in what those of this window came to."""
        self._roster.count(window)

    def told(self) -> dict[str, SoFar]:
        """Return what each host has counted of this cell, as far as it has said by now."""
        return self._roster.told

    def forget(self) -> None:
        """Begin with nothing told."""
        self._roster.told = {}

    def check(self) -> None:
        """Raise HostFailed where one of those that work is lost; OSError where what they send cannot be written."""
        if self._unwritten:
            raise self._unwritten[0]
        self._roster.check()

    def hand_in(self, folder: Path, tick: Tick) -> None:
        """Return when all that hosts recorded is in the cell's raw/, as it was sent. Raises HostFailed, OSError."""
        (folder / "raw").mkdir(exist_ok=True)
        self._roster.hand_in()
        moved, since = -1, time.monotonic()
        while waiting := [each for each in self._roster.of_crew() if each.pieces is None]:
            self.check()
            if (now_moved := sum(each.moved_bytes for each in waiting)) != moved:
                moved, since = now_moved, time.monotonic()
            if time.monotonic() - since > STUCK_S:
                raise HostFailed(
                    f"load host {waiting[0].joined.name} did not hand in its rows: nothing came for {STUCK_S:g} s"
                )
            self._roster.await_news(LOOK_S)
            tick()
        self.check()
        if self._store is not None and self._work is not None:
            self._fetch(self._store, self._work.place, folder / "raw", tick)

    def _fetch(self, store: Store, place: str, raw: Path, tick: Tick) -> None:
        for member in self._roster.of_crew():
            for piece in member.pieces or ():
                try:
                    store.get(place, piece, raw, lambda _: tick())
                except StoreFailed as problem:
                    raise HostFailed(f"load host {member.joined.name}: {problem}") from None
        try:
            store.clear(place)
        except StoreFailed as problem:
            self._say(f"{problem}; what is left there is not needed any more")

    def release(self) -> None:
        """End a try at a cell, however it went: hosts stop what they have, and what they still send is refused."""
        self._work = None
        self._roster.release()

    def dismiss(self, code: int, why: str) -> None:
        """Tell all hosts that the run is over; return when they have heard it, or after FAREWELL_S."""
        self._over = True
        self._roster.end(code, why)
        deadline = time.monotonic() + FAREWELL_S
        while self._roster.there() and time.monotonic() < deadline:
            self._roster.await_news(LOOK_S)

    def _check_store(self) -> None:
        try:
            if self._store is not None:
                self._store.check()
        except StoreFailed as problem:
            raise ValueError(f"{OPTION['store']}: {problem}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._over:
            self.dismiss(INCOMPLETE, f"it ended early: {problem or 'nothing was to be measured'}")
        self._office.close()


def own_address(name: str) -> str:
    """Return the address of this machine that a name or an address stands for. Raises ValueError."""
    if name in ANYWHERE:
        raise ValueError(
            f"{OPTION['bind']} {name!r} is every address, and load hosts need one: name the one that they reach"
        )
    try:
        address = str(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0][4][0])
        check_own(address)
    except OSError as problem:
        raise ValueError(
            f"{OPTION['bind']} {name}: {problem.strerror or problem}; name an address of this machine, as "
            "`hostname -I` prints them"
        ) from None
    return address
