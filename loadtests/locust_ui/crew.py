"""The workers of a test as its master sees them: their users are numbered, and the end waits for what they recorded.

Locust gives workers half a second when it quits (runners.py, MasterRunner.quit), which costs a short run half its
samples. So the master first sends `drain`; each worker stops its users, writes its rows, and answers `drained`; only
then does the master go on. A worker that does not answer fails the run.
"""

import os
import time
from collections.abc import Callable
from typing import Any, Final

import gevent
from gevent.event import Event
from locust.runners import HEARTBEAT_INTERVAL, HEARTBEAT_LIVENESS, STATE_MISSING, MasterRunner

from loadtests.runs.commands import DRAIN_S

REPORTS_WITHIN: Final = "LOCUST_WAIT_FOR_WORKERS_REPORT_AFTER_RAMP_UP"
"""How long Locust waits for busy workers to say that all their users run: a second, unless it is told."""


LOOK_S: Final = 0.5
SILENT_S: Final = HEARTBEAT_LIVENESS * HEARTBEAT_INTERVAL
"""After so long without a word of a worker, Locust calls it missing."""


class Crew:
    """working: the ids of those that a test began with, until it ends; nobody, where there is no master.

    problem: how many did not hand in what they recorded, "" when all did.
    hosts: the load host of each worker that is on one, by its id.
    """

    def __init__(self) -> None:
        self.working: frozenset[str] = frozenset()
        self.problem = ""
        self.hosts: dict[str, str] = {}
        self._drained: set[str] = set()
        self._news = Event()

    def listen(self, runner: MasterRunner) -> None:
        os.environ.setdefault(REPORTS_WITHIN, str(DRAIN_S))
        runner.register_message("drained", self._on_drained)
        runner.register_message("host", self._on_host)

    def begin(self, runner: MasterRunner) -> None:
        """Take those that are there, and tell each which numbers its users have: together 1, 2, 3, ...

        Locust deals users out to workers in the order of their ids, one each in turn (dispatch.py).
        """
        self._drained.clear()
        self.problem = ""
        self.working = frozenset(client.id for client in runner.clients.all)
        for first, worker in enumerate(sorted(self.working), 1):
            runner.send_message("numbers", {"first": first, "step": len(self.working)}, worker)

    def watch(self, runner: MasterRunner, lost: Callable[[str], None]) -> None:
        """Tell when a worker on a load host is heard of no more, though nobody says that it ended; until the end."""
        test = self.working
        while self.working is test:
            there = {client.id for client in runner.clients.all if client.state != STATE_MISSING}
            if silent := self._named(test - there):
                self.working = frozenset()  # who is left cannot make this test whole
                lost(f"{silent} is lost: Locust's master has not heard of a load process there for {SILENT_S} s")
                return
            gevent.sleep(LOOK_S)

    def _named(self, workers: set[str] | frozenset[str]) -> str:
        return ", ".join(sorted({f"load host {self.hosts[each]}" for each in workers if each in self.hosts}))

    def drain(self, runner: MasterRunner) -> None:
        """Return when all have handed in what they recorded. Those alive are given DRAIN_S, those gone no time."""
        if not self.working:
            return
        runner.send_message("drain")
        deadline = time.monotonic() + DRAIN_S
        while time.monotonic() < deadline:
            alive = {client.id for client in runner.clients.all if client.state != STATE_MISSING}
            if not (self.working & alive) - self._drained:
                break
            self._news.wait(0.2)
            self._news.clear()
        if missing := self.working - self._drained:
            named = f" ({self._named(missing)})" if self._named(missing) else ""
            self.problem = f"{len(missing)} of {len(self.working)} workers did not hand in their samples{named}"
        self.working = frozenset()

    def _on_host(self, environment: Any, msg: Any, **_kwargs: Any) -> None:  # noqa: ARG002
        self.hosts[msg.node_id] = msg.data["name"]

    def _on_drained(self, environment: Any, msg: Any, **_kwargs: Any) -> None:  # noqa: ARG002
        self._drained.add(msg.node_id)
        self._news.set()
