"""Measures one cell of a server that is not ours: an outlet publishes into it, after a roll call of all clients."""

import time
from contextlib import ExitStack

from loadtests.agent.client import agent_look
from loadtests.foreign.spec import Chosen, chosen_of
from loadtests.host.managed_process import Child
from loadtests.host.sampler import Family
from loadtests.records.rows import Sample
from loadtests.runs.announcements import Announcement
from loadtests.runs.cell import TICK_S, Attempt, CellFailed, CostLook
from loadtests.runs.foreign import outlet, roll_call
from loadtests.runs.target import Target
from servers.targets.url import base_url
from servers.web.urls import authority


class ForeignAttempt(Attempt):
    """One try at such a cell."""

    @property
    def _chosen(self) -> Chosen:
        return chosen_of(self._scenario.adapter)

    def _meet(self, stack: ExitStack, token: str) -> Announcement:
        """Start the outlet, which starts the server or meets it."""
        outlet.tell(self._chosen, self._folder)
        command = self._programs.outlet_command(self._planned, self._chosen.url, token, self._folder)
        self._server = self._start(stack, "server", command)
        said = outlet.answered(self._server, self._chosen, self._programs.ready_s, self._tick)
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
        limit_s = roll_call.patience_s(self._chosen.adapter, self._scenario)
        target.publish(roll_call.SCHEDULE, None)
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
        log = (self._folder / "load.log").read_text(encoding="utf-8", errors="replace")
        return (
            f"roll call: {len(roll_call.heard(self._folder, pattern))} of {clients} clients heard a message within "
            f"{limit_s:g} s, of {state.taken if state else 0} that the server took; "
            f"{roll_call.report(self._folder, pattern, token, range(1, clients + 1), log)}"
        )

    def _end(self, host: str, token: str, load: Child) -> None:
        super()._end(host, token, load)
        state = Target(host, token).stats.backplane
        if state and state.refused:
            self.note(problems=[f"the server refused {state.refused} messages: {state.problem}"])

    def _collect(self, samples: list[Sample]) -> None:
        super()._collect(samples)
        self.note(way_up=outlet.way_up(self._folder))
