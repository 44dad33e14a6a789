"""`python -m loadtests.runs.by_hand.server_costs DIR HOST PID ...`: what a server costs that nobody here started.

For tests driven by hand; the rows are those of planned runs. It is a process of its own because looking takes
milliseconds that users would wait for: it begins before they do, says so, and ends when its stdin does.
"""

import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

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


class ServerCosts:
    """The process that looks, running once it is made and has looked for the first time.

    host: of whom publishes, by whose clock samples count. pids: whom it looks at.
    """

    def __init__(self, folder: Path, host: str, pids: Sequence[int]) -> None:
        command = python("loadtests.runs.by_hand.server_costs", str(folder), host, *map(str, pids))
        self._process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def stop(self) -> None:
        """Have it look once more, and write down how much it saw."""
        self._process.communicate()


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
    folder, host, *pids = sys.argv[1:]
    target = Target(host)
    families = [Family(int(pid), "server") for pid in pids]
    recorder = Recorder()
    recorder.start(Path(folder))
    clock = ClockWatch(target.clock_line(), target.stats.clock_id, target.offset(), recorder)
    clock.look_closely()
    try:
        look(families, recorder)
        sys.stdout.write("looking\n")
        sys.stdout.flush()
        while not select.select([sys.stdin], [], [], EACH_S)[0]:
            look(families, recorder)
            if not clock.same:
                clock.look()
        look(families, recorder)
    except ProcessLookupError:
        pass  # a server that is gone is a problem that whoever drives the test finds by itself
    clock.look_closely()
    recorder.finish()
    return 0


def look(families: Sequence[Family], recorder: Recorder) -> None:
    for each in families:
        for row in each.sample():
            recorder.sample(row)
    recorder.write()


if __name__ == "__main__":
    sys.exit(main())
