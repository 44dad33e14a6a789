"""A server that is not ours in a test that Locust drives: who publishes into it, and the roll call before it counts."""

import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from loadtests.foreign.spec import Chosen
from loadtests.host.managed_process import Child, ChildFailed
from loadtests.records.manifest import WayUp
from loadtests.runs import announcements
from loadtests.runs.commands import ADAPTER_FILE, HOST, OURS
from loadtests.runs.foreign import roll_call
from loadtests.runs.foreign.cell import LIKE_OTHERS_S, ROLL_CALL, of_server, way_up
from loadtests.runs.target import Target, WrongServer
from loadtests.runs.unheard import first_words
from loadtests.scenario.asked import Asked
from servers.targets.url import base_url

LOOK_S: Final = 0.1


class OtherServer:
    """Published to from its making to `stop`, by the process that starts the test: the only one, or the master.

    host: where users and workers learn whom to follow; pids: that count as the server, none where that is not known;
    cost_of: which they are, or why that is not known.
    called: whether all users have heard, and what counts is published; roll_call: the schedule until then.
    """

    roll_call: Final = ROLL_CALL

    def __init__(self, run_dir: Path, asked: Asked, chosen: Chosen) -> None:
        """Raises WrongServer with what keeps us from publishing, and OSError."""
        self.asked, self.chosen = asked, chosen
        self._run_dir = run_dir
        self._folder = run_dir / "outlet"
        self._folder.mkdir(parents=True)
        self.run = secrets.token_hex(8)
        (self._folder / ADAPTER_FILE).write_bytes(msgspec.json.encode(chosen.adapter))
        command = OURS.outlet_command_of(chosen.url, self.run, self._folder)
        self._outlet = Child("outlet", command, self._folder / "outlet.log")
        try:
            said = self._outlet.answered(announcements.ready, chosen.adapter.ready_s + OURS.ready_s)
        except ChildFailed as problem:
            self.stop()
            raise WrongServer(of_server(str(problem))) from None
        self.host = f"http://{HOST}:{said.http_port}"
        self.pids, self.cost_of = said.pids, said.cost_of
        self._port = base_url(said.target).port or 0
        self.target = Target(self.host, self.run)
        self.called = False

    @property
    def whom(self) -> list[str]:
        """Return whom `ServerCosts` is to look at."""
        cost = self.chosen.adapter.cost
        if cost.agent and cost.measured:
            return [msgspec.json.encode(cost).decode(), str(self._port)]
        return [str(pid) for pid in self.pids]

    def begin(self, schedule: str) -> None:
        """Publish what counts. Raises WrongServer."""
        self.called = True
        self.target.begin(schedule, None)

    def silent(self, users: Mapping[str, int], pause_s: float) -> str:
        """Wait until all users have heard a message; return the pattern of one that has not, in time, "" for none.

        users: pattern -> how many. pause_s: the longest between two polls. Rows are written once a second.
        """
        until_s = time.monotonic() + max(self.chosen.adapter.roll_call_s, pause_s + LIKE_OTHERS_S)
        for pattern, count in users.items():
            while len(roll_call.heard(self._run_dir, pattern)) < count:
                if time.monotonic() > until_s:
                    return pattern
                time.sleep(LOOK_S)
        return ""

    def why(self, pattern: str) -> str:
        """Say what a user was sent that heard nothing, once all that was recorded is written."""
        asked, heard = (which(self._run_dir, pattern) for which in (roll_call.asked, roll_call.heard))
        silent = sorted(asked - heard) or [1]
        words, failed = first_words(self._run_dir / "raw"), roll_call.failures(self._run_dir, pattern)
        state = Target(self.host, self.run).stats.backplane
        problem = f"the server did not take a message: {state.problem}; " if state and state.problem else ""
        told = roll_call.report(pattern, self.run, silent, words, failed, "")
        return f"roll call: {problem}{len(heard)} of {len(asked)} {pattern} users heard a message; {told}"

    def stop(self) -> None:
        self._outlet.stop()

    @property
    def way_up(self) -> WayUp | None:
        """How long the server took to accept messages, once stopped."""
        return way_up(self._folder)
