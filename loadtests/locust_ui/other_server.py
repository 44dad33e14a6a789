"""A server that is not ours in a test that Locust drives: who publishes into it, and the roll call before it counts."""

import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from loadtests.foreign.spec import Chosen
from loadtests.host.managed_process import ChildFailed
from loadtests.records.manifest import WayUp
from loadtests.runs.commands import HOST, OURS
from loadtests.runs.foreign import outlet, roll_call
from loadtests.runs.target import Target, WrongServer
from loadtests.scenario.asked import Asked
from servers.outlet.costs import CostOf
from servers.targets.url import base_url

LOOK_S: Final = 0.1


class OtherServer:
    """Published to from its making to `stop`, by the process that starts the test: the only one, or the master.

    host: where users and workers learn whom to follow; cost: whose cost is the server's.
    called: whether all users have heard, and what counts is published; roll_call_schedule: what is until then.
    """

    roll_call_schedule: Final = roll_call.SCHEDULE

    def __init__(self, run_dir: Path, asked: Asked, chosen: Chosen) -> None:
        """Raises WrongServer with what keeps us from publishing, and OSError."""
        self.asked, self.chosen = asked, chosen
        self._run_dir = run_dir
        self._folder = run_dir / "outlet"
        self._folder.mkdir(parents=True)
        self.run = secrets.token_hex(8)
        self._outlet = outlet.started(chosen, self.run, self._folder)
        try:
            said = outlet.answered(self._outlet, chosen, OURS.ready_s)
        except ChildFailed as problem:
            self.stop()
            raise WrongServer(str(problem)) from None
        self.host = f"http://{HOST}:{said.http_port}"
        self._port = base_url(said.target).port or 0
        self.cost = CostOf(said.pids, said.cost_of)
        self.target = Target(self.host, self.run)
        self.called = False

    @property
    def whom(self) -> list[str]:
        """Return whom `ServerCosts` is to look at."""
        cost = self.chosen.adapter.cost
        if cost.agent and cost.measured:
            return [msgspec.json.encode(cost).decode(), str(self._port)]
        return [str(pid) for pid in self.cost.pids]

    def begin(self, schedule: str) -> None:
        """Publish what counts. Raises WrongServer."""
        self.called = True
        self.target.begin(schedule, None)

    def silent(self, users: Mapping[str, int], polling: roll_call.Polling) -> str:
        """Wait until all users have heard a message; return the pattern of one that has not, in time, "" for none.

        users: pattern -> how many.
        """
        until_s = time.monotonic() + roll_call.patience_s(self.chosen.adapter, polling)
        for pattern, count in users.items():
            while len(roll_call.heard(self._run_dir, pattern)) < count:
                if time.monotonic() > until_s:
                    return pattern
                time.sleep(LOOK_S)
        return ""

    def why(self, pattern: str) -> str:
        """Say what a user was sent that heard nothing, once all that was recorded is written."""
        asked, heard = (which(self._run_dir, pattern) for which in (roll_call.asked, roll_call.heard))
        state = Target(self.host, self.run).stats.backplane
        problem = f"the server did not take a message: {state.problem}; " if state and state.problem else ""
        told = roll_call.report(self._run_dir, pattern, self.run, asked)
        return f"roll call: {problem}{len(heard)} of {len(asked)} {pattern} users heard a message; {told}"

    def stop(self) -> None:
        self._outlet.stop()

    @property
    def way_up(self) -> WayUp | None:
        """How long the server took to accept messages, once stopped."""
        return outlet.way_up(self._folder)
