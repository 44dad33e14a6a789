"""Measures one cell: a fresh server, its users, a window, and everything stopped and on disk at the end.

Nothing is timed by guesses. The server starts silent; when Locust says that all users run, publishing is switched
on, and the window is counted from the instant at which the server says it began. At the end publishing is switched
off before users are stopped, so the newest id is exactly what there was to deliver.
"""

import re
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from signal import SIGKILL
from typing import Final, Protocol

import msgspec

from loadtests.agent.client import AgentFailed
from loadtests.host import netem
from loadtests.host.managed_process import GRACE_S, TERMINATED, Child, ChildFailed, Tick, ending
from loadtests.host.sampler import Family, family, listens
from loadtests.records.manifest import Cell
from loadtests.records.recorder import Recorder
from loadtests.records.rows import Sample
from loadtests.runs import announcements
from loadtests.runs.announcements import Announcement
from loadtests.runs.commands import DRAIN_S, Programs
from loadtests.runs.hosts.crewing import LoadHosts
from loadtests.runs.hosts.endings import HostFailed
from loadtests.runs.hosts.pieces import counted_by
from loadtests.runs.keeping import ended
from loadtests.runs.target import Target, WrongServer
from loadtests.scenario.plan import PlannedCell, sampling_instants_ns
from loadtests.scenario.settings import NETEM, SUMMARY
from loadtests.summary.folding import Folding
from loadtests.summary.kept import Folded
from loadtests.summary.reduction import Window
from servers.timing import NS_PER_S
from servers.timing.clock import now_ns
from servers.web.urls import authority

SETTLE_S: Final = 0.25
"""From the last user's start to the first message: time for the last connections to be accepted."""
SETTLE_ROUND_TRIPS: Final = 3
"""To connect, to ask, to be answered."""
TICK_S: Final = 0.1
ENDING_S: Final = 2.0
HAND_IN_S: Final = DRAIN_S + GRACE_S
EXPECTED: Final = (
    "--server takes a program that accepts the options it is given here, and says when it listens, on stdout: "
    '{"event": "ready", "pid": 1234, "http_port": 40123}; see docs/howto/own-server.md'
)

SPAWNED_LINE: Final = re.compile(r"All users spawned: .*\((\d+) total users\)")
"""Locust's own words; its version is pinned, and a test hears them."""
ERROR_LINE: Final = re.compile(r"/ERROR/pollbench: (.+)")
"""Why a load process ends; Locust may have more to say behind it."""
JOIN_LINE: Final = re.compile(r"load processes may join at port (\d+)")
"""Ours, see hooks.py."""


class CostLook(Protocol):
    """Looks at processes from outside: `Family` at those of this machine, an agent at those of another."""

    def sample(self) -> list[Sample]:
        """Read their counters now. Raises ProcessLookupError, AgentFailed."""


class CellFailed(Exception):
    """What was measured is worth nothing, and why."""


def measure(attempt: "Attempt") -> Cell:
    """Measure one cell. Never raises for what goes wrong in it: its problems say it. The caller saves the cell."""
    try:
        attempt.run()
    except (
        AgentFailed,
        CellFailed,
        ChildFailed,
        HostFailed,
        WrongServer,
        netem.NetworkFailed,
        ProcessLookupError,
    ) as problem:
        attempt.fail(str(problem))
    return attempt.cell


class Attempt:
    """One try at a cell. `cell` holds what is known so far, so that a failure keeps what came before it.

    folder: an empty one. tick: called at least ten times a second, and may raise to end it. hosts: those that drive the
    clients, where the plan wants some.
    """

    def __init__(
        self,
        planned: PlannedCell,
        label: str,
        folder: Path,
        programs: Programs,
        tick: Tick,
        hosts: LoadHosts | None = None,
    ) -> None:
        self._planned = planned
        self._scenario = planned.scenario
        self._folder = folder.absolute()
        self._hosts = hosts
        self._programs = programs if hosts is None else hosts.programs(programs)
        self._told = tick
        self._workers: list[Child] = []
        self._folding: Folding | None = None
        self.cell = planned.unmeasured(label)

    def note(self, **facts: object) -> None:
        self.cell = msgspec.structs.replace(self.cell, **facts)

    def fail(self, problem: str) -> None:
        self.note(status="failed", problems=[*self.cell.problems, problem])

    def _tick(self) -> None:
        """What is done at least ten times a second: tell whoever watches, and notice a load process that has ended."""
        self._told()
        if self._folding is not None:
            self._folding.tick()
        if self._hosts is not None:
            self._hosts.check()
        for worker in self._workers:
            worker.check()

    def run(self) -> None:
        """The whole cell, in the order in which it happens."""
        token = secrets.token_hex(8)
        with ExitStack() as stack:
            if self._scenario.network == NETEM:
                stack.enter_context(netem.delayed(self._planned.rtt_ms))
            said = self._meet(stack, token)
            host = self._url(said.http_port)
            samplers = self._looks(said)
            samples = [sample for sampler in samplers for sample in sampler.sample()]
            users_hosts, relays = self._network(stack, said)
            samplers += [Family(relay.pid, "relay") for relay in relays]
            command = self._programs.load_command(self._planned, users_hosts, token, self._folder)
            load = self._start(stack, "load", command)
            self._share_out(stack, load)
            with self._told_if_the_server_ended():
                self._await_users(load)
                self._call_roll(host, token, load)
                self._publish(host, token)
                samples += self._watch(samplers, [self._server, load, *relays])
                self._end(host, token, load)
            for relay in relays:
                self._end_process(relay)
                self._keep_account(relay)
            self._end_process(self._server)
        self._collect(samples)

    @contextmanager
    def _told_if_the_server_ended(self) -> Iterator[None]:
        """Tell of a server that cannot be reached because it ended how it ended; it may be about to."""
        try:
            yield
        except WrongServer:
            self._server.await_end(ENDING_S)
            self._server.check()
            raise

    def _start(self, stack: ExitStack, name: str, command: list[str]) -> Child:
        if name != "relay":
            self.note(**{f"{name}_command": command})
        return stack.enter_context(Child(name, command, self._folder / f"{name}.log"))

    def _network(self, stack: ExitStack, said: Announcement) -> tuple[dict[str, str], list[Child]]:
        """Put the cell's network before the port this pattern's users use; return their hosts and the relay."""
        direct = self._url(said.http_port)
        hosts = {"--host": direct}
        if not self._planned.relayed:
            return hosts, []
        command = self._programs.relay_command(self._planned, self._destination(said))
        relay = self._start(stack, "relay", command)
        port = relay.answered(announcements.relay_ready, self._programs.ready_s, self._tick).port
        through = self._url(port)
        beside = said.http2_port or said.https_port or said.target
        return hosts | {"--http2-host" if beside else "--host": through, "--clock-host": direct}, [relay]

    def _url(self, port: int) -> str:
        return f"http://{authority(self._programs.bind, port)}"

    def _destination(self, said: Announcement) -> str:
        return authority(self._programs.bind, said.http2_port or said.https_port or said.http_port)

    def _looks(self, said: Announcement) -> list[CostLook]:
        """Return who looks at the processes whose cost, with that of what they started, is the server's."""
        return [Family(said.pid, "server")]

    def _call_roll(self, host: str, token: str, load: Child) -> None:
        """Our servers tell a client all that it missed, so nothing depends on who is there yet."""

    def _meet(self, stack: ExitStack, token: str) -> Announcement:
        """Start the server, find out where it listens, and make sure that it is ours that answers there."""
        command = self._programs.server_command(self._planned, token, self._folder)
        try:
            self._server = self._start(stack, "server", command)
            said = self._server.answered(announcements.ready, self._programs.ready_s, self._tick)
        except ChildFailed as problem:
            raise CellFailed(f"{problem}; {EXPECTED}" if self._scenario.server else str(problem)) from None
        self.note(server_pid=said.pid)
        Target(self._url(said.http_port), token).require_our_clock()
        # What it costs is that of the process that serves, so it had better be that one.
        if not self._server.owns(said.pid):
            raise CellFailed(f"the server says that its pid is {said.pid}, which is not a process that it started")
        if listens(family(said.pid), said.http_port) is False:
            raise CellFailed(
                f"the server says that its pid is {said.pid}, but another process listens on port {said.http_port}: "
                "announce the pid of the process that serves, or of one that started it"
            )
        return said

    def _share_out(self, stack: ExitStack, load: Child) -> None:
        """Start the processes that share the clients, if there are several; `load` then is the one they listen to."""
        loads = self._scenario.loads
        if loads == 1 and self._hosts is None:
            return
        port = int(load.heard(JOIN_LINE, self._programs.ready_s, self._tick)[1])
        if self._hosts is not None:
            stack.callback(self._hosts.release)
            self.note(hosts=self._hosts.start(self._planned, port, self._folder))
            self._hosts.await_ready(self._tick, load.check)
            return
        command = self._programs.worker_command(self._planned.pattern, self._programs.bind, port)
        for at in range(1, loads + 1):
            worker = Child(f"load process {at} of {loads}", command, self._folder / f"load-{at}.log")
            self._workers.append(stack.enter_context(worker))

    def _await_users(self, load: Child) -> None:
        ramp_s = self._scenario.ramp_s(self._planned.clients)
        started = int(load.heard(SPAWNED_LINE, ramp_s + self._programs.ready_s, self._tick)[1])
        self.note(spawned_by_ns=now_ns())
        if started != self._planned.clients:
            raise CellFailed(f"{started} users were started instead of {self._planned.clients}")
        time.sleep(SETTLE_S + SETTLE_ROUND_TRIPS * self._scenario.slowest_rtt_s(self._planned.rtt_ms))

    def _publish(self, host: str, token: str) -> None:
        target = Target(host, token)
        target.begin(self._planned.schedule, None)
        publish_from_ns = target.start_at_ns
        window_from_ns = publish_from_ns + round(self._scenario.warmup_s * NS_PER_S)
        self.note(
            publish_from_ns=publish_from_ns,
            window_from_ns=window_from_ns,
            window_until_ns=window_from_ns + round(self._scenario.window_s * NS_PER_S),
        )
        if self._scenario.keep == SUMMARY:
            interval_ns = round(self._scenario.poll_interval_s * NS_PER_S)
            window = Window(self.cell.window_from_ns, self.cell.window_until_ns, interval_ns)
            if self._hosts is not None:
                self._hosts.count(window)
            else:
                self._folding = Folding(self._folder, window)

    def _watch(self, samplers: Sequence[CostLook], children: Sequence[Child]) -> list[Sample]:
        """Wait out window and drain, taking samples from time to time and minding the processes all the time."""
        edges = self.cell.window_from_ns, self.cell.window_until_ns
        until_ns = edges[1] + round(self._scenario.drain_or_default_s(self._planned.rtt_ms) * NS_PER_S)
        samples = []
        for instant_ns in sampling_instants_ns(self.cell.publish_from_ns, until_ns, edges):
            while (left_s := (instant_ns - now_ns()) / NS_PER_S) > 0:
                time.sleep(min(left_s, TICK_S))
                self._tick()
                for child in children:
                    child.check()
            samples += [sample for sampler in samplers for sample in sampler.sample()]
        return samples

    def _end(self, host: str, token: str, load: Child) -> None:
        Target(host, token).publish("manual", None)
        self.note(published=Target(host, token).newest_id, load_ended_ns=now_ns())
        self.note(load_exit_code=load.stop(HAND_IN_S if self._workers or self._hosts else GRACE_S))
        for worker in self._workers:
            worker.await_end(ENDING_S)
        # Where one of them failed, that is why the load did.
        for child in (*self._workers, load):
            if code := child.stop():
                error = child.said(ERROR_LINE)
                told = error[1] if error else child.last_words()
                raise CellFailed(f"the {child.name} ended with {ending(code)}: {told}")
        self._workers = []
        if self._hosts is not None:
            self._hosts.hand_in(self._folder, self._told)

    def _end_process(self, child: Child) -> None:
        code = child.stop()
        if code == -SIGKILL:
            raise CellFailed(f"the {child.name} did not end within {GRACE_S:g} s of SIGTERM: {child.last_words()}")
        if code != 0 and not (child is self._server and code in TERMINATED):
            raise CellFailed(f"the {child.name} ended with exit code {code} when told to stop: {child.last_words()}")

    def _keep_account(self, relay: Child) -> None:
        account = relay.told(announcements.relay_stopped)
        if account is None:
            raise CellFailed(f"the relay ended without saying how late it was: {relay.last_words()}")
        self.note(relay=account)

    def _collect(self, samples: list[Sample]) -> None:
        """Put what was seen of the server beside what the users recorded, and turn all of it into Parquet."""
        self._tick()  # whoever reads the rows as they come has the last of them now
        silent = self._scenario.loads - len(list((self._folder / "raw").glob("counts-*.json")))
        if silent:
            who = "the load" if self._scenario.loads == 1 else f"{silent} of {self._scenario.loads} load processes"
            raise CellFailed(f"{who} ended without reporting its records, so rows may be missing")
        recorder = Recorder()
        recorder.start(self._folder)
        for sample in samples:
            recorder.sample(sample)
        recorder.finish()
        self.cell = ended(self._planned, self.cell, self._folder, self._folded())

    def _folded(self) -> Folded | None:
        """Return what deliveries and requests came to, where they are not kept."""
        if self._scenario.keep != SUMMARY:
            return None
        if self._folding is not None:
            return self._folding.finish()
        try:
            return counted_by([host.name for host in self.cell.hosts], self._folder / "raw")
        except ValueError as problem:
            raise CellFailed(str(problem)) from None
