"""`python -m loadtests.runs.by_hand.server_costs DIR HOST PID ...`: what a server costs that nobody here started.

For tests driven by hand; the rows are those of planned runs. It is a process of its own because looking takes
milliseconds that users would wait for: it begins before they do, says so, and ends when its stdin does. Instead of pids
it takes an adapter's `cost` as JSON and the server's port, which its agent is asked for.
"""

import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from loadtests.agent.client import AgentFailed, AgentLook, agent_look
from loadtests.host.sampler import LINUX, Family, family, listens
from loadtests.records.clock_watch import ClockWatch
from loadtests.records.recorder import Recorder
from loadtests.runs.target import Target, WrongServer
from servers.home import python
from servers.outlet.costs import CostOf, cost_of
from servers.targets.adapter import Cost
from servers.targets.variables import Misunderstood
from servers.web.urls import read_url

EACH_S: Final = 1.0
LOOKING, FAILED = "looking", "failed"
"""The first words of what it says, before whose cost it looks at where an agent says that, or why it cannot."""


class ServerCosts:
    """The process that looks, running once it is made and has looked for the first time.

    host: of whom publishes, by whose clock samples count. whom: it looks at, as its command line has them.
    """

    def __init__(self, folder: Path, host: str, whom: Sequence[str]) -> None:
        """Raises WrongServer with what keeps an agent from telling."""
        command = python("loadtests.runs.by_hand.server_costs", str(folder), host, *whom)
        self._process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        assert self._process.stdout is not None
        word, _, self.known = self._process.stdout.readline().decode().strip().partition(" ")
        if word == FAILED:
            self._process.communicate()
            raise WrongServer(self.known)

    def stop(self) -> str:
        """Have it look once more, and write down how much it saw; return what kept it from that, "" for nothing."""
        said, _ = self._process.communicate()
        return said.decode().strip().removeprefix(f"{FAILED} ")


def serving(target: Target) -> CostOf:
    """Say whose cost is the server's. Raises WrongServer for processes that an adapter names and that are not there.

    A pid that a server tells must be seen to listen where users connect: behind a proxy, or in a container, it is not.
    """
    if target.foreign is not None:
        try:
            return cost_of(target.foreign.adapter.cost, None, *target.foreign.base.address)
        except Misunderstood as wrong:
            raise WrongServer(str(wrong)) from None
    host, port = read_url(target.host, "--host").address
    pid = target.stats.pid
    if not pid:
        return cost_of(Cost(), None, host, port)
    seen = listens(family(pid), port)
    return CostOf([pid] if seen or (seen is None and not LINUX) else [], "")


def main() -> int:
    folder, host, *whom = sys.argv[1:]
    target = Target(host)
    recorder = Recorder()
    recorder.start(Path(folder))
    clock = ClockWatch(target.clock_line(), target.stats.clock_id, target.offset(), recorder)
    clock.look_closely()
    try:
        looks = looks_at(whom)
        look(looks, recorder)
        say(" ".join([LOOKING, *(each.known for each in looks if isinstance(each, AgentLook))]))
        while not select.select([sys.stdin], [], [], EACH_S)[0]:
            look(looks, recorder)
            if not clock.same:
                clock.look()
        look(looks, recorder)
    except AgentFailed as failed:
        say(f"{FAILED} {failed}")
    except ProcessLookupError:
        pass  # a server that is gone is a problem that whoever drives the test finds by itself
    clock.look_closely()
    recorder.finish()
    return 0


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def looks_at(whom: Sequence[str]) -> Sequence[Family | AgentLook]:
    """Raises AgentFailed."""
    if all(word.isdigit() for word in whom):
        return [Family(int(pid), "server") for pid in whom]
    cost, port = whom
    return [agent_look(msgspec.json.decode(cost, type=Cost), int(port))]


def look(looks: Sequence[Family | AgentLook], recorder: Recorder) -> None:
    for each in looks:
        for row in each.sample():
            recorder.sample(row)
    recorder.write()


if __name__ == "__main__":
    sys.exit(main())
