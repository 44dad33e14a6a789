"""Measures one cell: a fresh server, its users, a window, and everything stopped and on disk at the end.

Nothing is timed by guesses. The server starts silent; when Locust says that all users run, publishing is switched
on, and the window is counted from the instant at which the server says it began. At the end publishing is switched
off before users are stopped, so the newest id is exactly what there was to deliver.
"""

import re
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec

from loadtests import netem
from loadtests.arrival import Sample
from loadtests.child import Child, ChildFailed
from loadtests.collect import collect
from loadtests.manifest import Cell, RelayAccount
from loadtests.plan import NS_PER_S, PlannedCell, sampling_instants_ns
from loadtests.programs import HOST, Programs
from loadtests.recorder import Recorder
from loadtests.sampler import Sampler
from loadtests.scenario import NETEM
from loadtests.target import Target, WrongServer
from servers.clock import now_ns

SETTLE_S: Final = 0.25
"""From the last user's start to the first message: time for the last connections to be accepted."""
SETTLE_ROUND_TRIPS: Final = 3
"""To connect, to ask, to be answered."""
TICK_S: Final = 0.1

READY_LINE: Final = re.compile(r'^\{"event": ?"ready".*\}$', re.MULTILINE)
STOPPED_LINE: Final = re.compile(r'^\{"event": ?"stopped".*\}$', re.MULTILINE)
SPAWNED_LINE: Final = re.compile(r"All users spawned: .*\((\d+) total users\)")
"""Locust's own words; its version is pinned, and a test hears them."""

Tick = Callable[[], None]


class Announcement(msgspec.Struct, frozen=True):
    """What is needed of a server's first line."""

    pid: int
    http_port: int
    http2_port: int | None = None


class RelayAnnouncement(msgspec.Struct, frozen=True):
    """What is needed of a relay's first line."""

    port: int


class CellFailed(Exception):
    """What was measured is worth nothing, and why."""


def measure(planned: PlannedCell, label: str, folder: Path, programs: Programs, tick: Tick) -> Cell:
    """Measure one cell into an empty folder; `tick` is called at least ten times a second, and may raise to end it.

    Never raises for what goes wrong in the cell: its problems say it. The caller saves the cell.
    """
    attempt = Attempt(planned, label, folder, programs, tick)
    try:
        attempt.run()
    except (ChildFailed, CellFailed, WrongServer, netem.NetworkFailed, ProcessLookupError) as problem:
        attempt.fail(str(problem))
    return attempt.cell


class Attempt:
    """One try at a cell. `cell` holds what is known so far, so that a failure keeps what came before it."""

    def __init__(self, planned: PlannedCell, label: str, folder: Path, programs: Programs, tick: Tick) -> None:
        self._planned = planned
        self._scenario = planned.scenario
        self._folder = folder
        self._programs = programs
        self._tick = tick
        self.cell = unmeasured(planned, label)

    def note(self, **facts: object) -> None:
        self.cell = msgspec.structs.replace(self.cell, **facts)

    def fail(self, problem: str) -> None:
        self.note(status="failed", problems=[*self.cell.problems, problem])

    def run(self) -> None:
        """The whole cell, in the order in which it happens."""
        token = secrets.token_hex(8)
        with ExitStack() as stack:
            if self._scenario.network == NETEM:
                stack.enter_context(netem.delayed(self._planned.rtt_ms))
            server = self._start(stack, "server", self._programs.server_command(self._planned, token, self._folder))
            said = self._meet(server, token)
            host = f"http://{HOST}:{said.http_port}"
            samplers = [Sampler(server.pid, "server")]
            samples = [samplers[0].sample()]
            users_hosts, relays = self._network(stack, said)
            samplers += [Sampler(relay.pid, "relay") for relay in relays]
            command = self._programs.load_command(self._planned, users_hosts, token, self._folder)
            load = self._start(stack, "load", command)
            self._await_users(load)
            self._publish(host, token)
            samples += self._watch(samplers, [server, load, *relays])
            self._end(host, token, load)
            for relay in relays:
                self._end_process(relay)
                self._keep_account(relay)
            self._end_process(server)
        self._collect(samples)
        self.note(status="failed" if self.cell.problems else "finished")

    def _start(self, stack: ExitStack, name: str, command: list[str]) -> Child:
        if name != "relay":
            self.note(**{f"{name}_command": command})
        return stack.enter_context(Child(name, command, self._folder / f"{name}.log"))

    def _network(self, stack: ExitStack, said: Announcement) -> tuple[dict[str, str], list[Child]]:
        """Put the cell's network before the port this pattern's users use; return their hosts and the relay."""
        hosts = {"--host": f"http://{HOST}:{said.http_port}"}
        if not self._planned.relayed:
            return hosts, []
        command = self._programs.relay_command(self._planned, said.http2_port or said.http_port)
        relay = self._start(stack, "relay", command)
        line = relay.heard(READY_LINE, self._programs.ready_s, self._tick)[0]
        through = f"http://{HOST}:{msgspec.json.decode(line, type=RelayAnnouncement).port}"
        return hosts | {"--http2-host" if said.http2_port else "--host": through}, [relay]

    def _meet(self, server: Child, token: str) -> Announcement:
        """Find out where the server listens, and make sure that whoever answers there is the one we started."""
        line = server.heard(READY_LINE, self._programs.ready_s, self._tick)[0]
        said = msgspec.json.decode(line, type=Announcement)
        self.note(server_pid=said.pid)
        Target(f"http://{HOST}:{said.http_port}", token)
        return said

    def _await_users(self, load: Child) -> None:
        ramp_s = self._scenario.ramp_s(self._planned.clients)
        started = int(load.heard(SPAWNED_LINE, ramp_s + self._programs.ready_s, self._tick)[1])
        self.note(spawned_by_ns=now_ns())
        if started != self._planned.clients:
            raise CellFailed(f"{started} users were started instead of {self._planned.clients}")
        time.sleep(SETTLE_S + SETTLE_ROUND_TRIPS * self._scenario.slowest_rtt_s(self._planned.rtt_ms))

    def _publish(self, host: str, token: str) -> None:
        Target(host, token).publish(self._planned.schedule, None)
        publish_from_ns = Target(host, token).start_at_ns
        window_from_ns = publish_from_ns + round(self._scenario.warmup_s * NS_PER_S)
        self.note(
            publish_from_ns=publish_from_ns,
            window_from_ns=window_from_ns,
            window_until_ns=window_from_ns + round(self._scenario.window_s * NS_PER_S),
        )

    def _watch(self, samplers: Sequence[Sampler], children: Sequence[Child]) -> list[Sample]:
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
            samples += [sampler.sample() for sampler in samplers]
        return samples

    def _end(self, host: str, token: str, load: Child) -> None:
        Target(host, token).publish("manual", None)
        self.note(published=Target(host, token).newest_id, load_ended_ns=now_ns())
        code = load.stop()
        self.note(load_exit_code=code)
        if code != 0:
            raise CellFailed(f"the load ended with exit code {code}: {load.last_words()}")

    def _end_process(self, child: Child) -> None:
        code = child.stop()
        if code != 0:
            raise CellFailed(f"the {child.name} ended with exit code {code} when told to stop: {child.last_words()}")

    def _keep_account(self, relay: Child) -> None:
        said = relay.said(STOPPED_LINE)
        if said is None:
            raise CellFailed(f"the relay ended without saying how late it was: {relay.last_words()}")
        self.note(relay=msgspec.json.decode(said[0], type=RelayAccount))

    def _collect(self, samples: list[Sample]) -> None:
        """Put what was seen of the server beside what the users recorded, and turn all of it into Parquet."""
        if not any((self._folder / "raw").glob("counts-*.json")):
            raise CellFailed("the load ended without saying what it recorded, so rows may be missing")
        recorder = Recorder()
        recorder.start(self._folder)
        for sample in samples:
            recorder.sample(sample)
        recorder.finish()
        collected = collect(self._folder)
        self.note(rows=collected.rows, problems=collected.problems)


def unmeasured(planned: PlannedCell, label: str) -> Cell:
    return Cell(
        name=planned.name,
        pattern=planned.pattern,
        label=label,
        scenario=planned.scenario.name,
        clients=planned.clients,
        rtt_ms=planned.rtt_ms,
        rate_per_s=planned.rate_per_s,
        repeat=planned.repeat,
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
