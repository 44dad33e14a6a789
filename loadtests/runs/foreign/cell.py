"""Measures one cell of a server that is not ours: an outlet publishes into it, after a roll call of all clients."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from loadtests.agent.client import agent_look
from loadtests.foreign.spec import Chosen, chosen_of
from loadtests.host.managed_process import Child, ChildFailed
from loadtests.host.sampler import Family
from loadtests.records.manifest import WayUp
from loadtests.records.rows import Sample
from loadtests.runs import announcements
from loadtests.runs.announcements import Announcement
from loadtests.runs.cell import TICK_S, Attempt, CellFailed, CostLook
from loadtests.runs.commands import ADAPTER_FILE
from loadtests.runs.foreign import roll_call
from loadtests.runs.target import Target
from loadtests.runs.unheard import first_words
from loadtests.scenario.poll_timing import parse_pace
from servers.targets.url import base_url
from servers.web.urls import authority

ROLL_CALL: Final = "steady:4"
"""What is published while clients are waited for."""
LIKE_OTHERS_S: Final = 2.0
"""Rows are written once a second; so much longer than the longest pause of a client is waited at least."""


class ForeignAttempt(Attempt):
    """One try at such a cell."""

    @property
    def _chosen(self) -> Chosen:
        return chosen_of(self._scenario.adapter)

    def _meet(self, stack: ExitStack, token: str) -> Announcement:
        """Start the outlet, which starts the server or meets it."""
        (self._folder / ADAPTER_FILE).write_bytes(msgspec.json.encode(self._chosen.adapter))
        command = self._programs.outlet_command(self._planned, self._chosen.url, token, self._folder)
        within_s = self._chosen.adapter.ready_s + self._programs.ready_s
        try:
            self._server = self._start(stack, "server", command)
            said = self._server.answered(announcements.ready, within_s, self._tick)
        except ChildFailed as problem:
            raise CellFailed(of_server(str(problem))) from None
        self.note(server_pid=said.pids[0] if said.pids else 0, cost_of=said.cost_of)
        Target(self._url(said.http_port), token).require_our_clock()
        return said

    def _looks(self, said: Announcement) -> list[CostLook]:
        cost = self._chosen.adapter.cost
        if not (cost.agent and cost.measured):
            return [Family(pid, "server") for pid in said.pids]
        look = agent_look(cost, base_url(said.target).port or 0)
        look.sample()
        self.note(cost_of=look.known)
        return [look]

    def _destination(self, said: Announcement) -> str:
        return authority(*base_url(self._chosen.adapter.proxy or said.target).address)

    def _call_roll(self, host: str, token: str, load: Child) -> None:
        target, clients = Target(host, token), self._planned.clients
        pause_s = self._scenario.poll_interval_s * parse_pace(self._scenario.poll_pace).longest
        limit_s = max(self._chosen.adapter.roll_call_s, pause_s + LIKE_OTHERS_S)
        target.publish(ROLL_CALL, None)
        deadline = time.monotonic() + limit_s
        while self._heard() < clients:
            self._tick()
            load.check()
            self._server.check()
            self._check_taken(host, token)
            if time.monotonic() > deadline:
                raise CellFailed(self._unheard(limit_s, token, load, host))
            time.sleep(TICK_S)
        target.publish("manual", None)

    def _heard(self) -> int:
        if self._hosts is not None:
            return sum(self._hosts.heard().values())
        return len(roll_call.heard(self._folder, self._planned.pattern))

    def _check_taken(self, host: str, token: str) -> None:
        state = Target(host, token).stats.backplane
        if state and state.refused:
            raise CellFailed(f"roll call: the server did not take a message: {state.problem}")

    def _unheard(self, limit_s: float, token: str, load: Child, host: str) -> str:
        """Have the load end, so that it writes down what its clients were sent, and tell what that was."""
        state = Target(host, token).stats.backplane
        if self._hosts is not None:
            each = ", ".join(f"{name} {count}" for name, count in self._hosts.heard().items())
            return (
                f"roll call: {self._heard()} of {self._planned.clients} clients heard a message within {limit_s:g} s, "
                f"of {state.taken if state else 0} that the server took ({each}); see whether load hosts reach "
                "it, or run it from here without --workers, which tells what a client sees"
            )
        load.stop()
        pattern, clients = self._planned.pattern, self._planned.clients
        heard = roll_call.heard(self._folder, pattern)
        silent = [user for user in range(1, clients + 1) if user not in heard] or [1]
        log = (self._folder / "load.log").read_text(encoding="utf-8", errors="replace")
        found = roll_call.failures(self._folder, pattern)
        words = first_words(self._folder / "raw")
        return (
            f"roll call: {len(heard)} of {clients} clients heard a message within {limit_s:g} s, of "
            f"{state.taken if state else 0} that the server took; "
            f"{roll_call.report(pattern, token, silent, words, found, log)}"
        )

    def _end(self, host: str, token: str, load: Child) -> None:
        super()._end(host, token, load)
        state = Target(host, token).stats.backplane
        if state and state.refused:
            self.note(problems=[f"the server refused {state.refused} messages: {state.problem}"])

    def _collect(self, samples: list[Sample]) -> None:
        super()._collect(samples)
        self.note(way_up=way_up(self._folder))


def of_server(problem: str) -> str:
    """Return what the outlet said of the server, without what a process says of itself."""
    return problem.partition("error: ")[2] or problem


def way_up(folder: Path) -> WayUp | None:
    """Return how long the server took to accept messages, None where it took none."""
    accepted = _rows(folder / "accepted.csv", 2)
    published = _rows(folder / "published.csv", 3)
    sent_ns = dict(zip(published[:, 0].tolist(), published[:, 2].tolist(), strict=True))
    taken = [at_ns - sent_ns[number] for number, at_ns in accepted.tolist() if at_ns and number in sent_ns]
    if not taken:
        return None
    median, p99 = np.quantile(taken, [0.5, 0.99]) / 1e6
    refused = int((accepted[:, 1] == 0).sum())
    return WayUp(taken=len(taken), refused=refused, median_ms=float(median), p99_ms=float(p99))


def _rows(file: Path, columns: int) -> "np.ndarray[tuple[int, int], np.dtype[np.int64]]":
    rows = np.loadtxt(file, dtype=np.int64, delimiter=",", skiprows=1, ndmin=2)
    return rows.reshape(-1, columns)
