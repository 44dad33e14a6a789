"""A server and crowds of users around it, each in a process of its own, moved about as no cell does it.

A cell is one crowd from beginning to end. Here the server can die and come back on its port, and a second crowd can
misbehave beside the first. All of it has ended when the block has.
"""

import secrets
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from loadtests.host.managed_process import Child, ChildFailed
from loadtests.host.sampler import Sampler
from loadtests.probes.reference import Server
from loadtests.records.rows import Sample
from loadtests.records.to_parquet import collect
from loadtests.runs.cell import SPAWNED_LINE
from loadtests.runs.commands import OURS
from loadtests.runs.target import Stats
from loadtests.scenario.plan import Plan
from loadtests.scenario.scenarios import Scenario


class Crowd:
    """Users of one pattern. `folder` has what they recorded, once `end` has returned."""

    def __init__(self, child: Child, folder: Path) -> None:
        self._child = child
        self.folder = folder

    def end(self) -> None:
        """Stop them and collect their rows. Raises ChildFailed when some are missing."""
        code = self._child.stop()
        if code:
            raise ChildFailed(f"the {self._child.name} ended with exit code {code}: {self._child.last_words()}")
        if problems := collect(self.folder).problems:
            raise ChildFailed(f"the {self._child.name} left a doubtful record: {'; '.join(problems)}")


class ServerAndCrowds:
    """pattern: what the server serves. options: further ones of its command, option -> value ("" for a flag)."""

    def __init__(self, folder: Path, pattern: str, options: Mapping[str, object]) -> None:
        self._folder = folder
        self._pattern = pattern
        self._options = dict(options)
        self._stack = ExitStack()
        self._token = secrets.token_hex(8)
        self._starts = 0
        self._server: Server | None = None

    @property
    def server(self) -> Server:
        """The one that runs, or ran last."""
        assert self._server is not None
        return self._server

    def start(self) -> None:
        """Start the server and return when it listens: on any port at first, later where it was. Raises ChildFailed."""
        self._starts += 1
        where = {"--port": self._server.port} if self._server else {}
        words = [word for pair in (where | self._options).items() for word in pair if word != ""]
        self._server = Server(self._folder, f"server-{self._starts}", self._pattern, *words, token=self._token)
        self._stack.enter_context(self._server.child)
        self._server.meet()

    def kill(self) -> None:
        """End the server as a crash would: no good-bye, connections cut by the kernel."""
        self.server.child.kill()

    def crowd(self, name: str, scenario: Scenario) -> Crowd:
        """Start users as the scenario has them, and return when all run. Raises ChildFailed."""
        # Its name is the seed of all that users draw, and repeats are to be independent.
        folder = self._folder / f"{name}-{self._token}"
        folder.mkdir()
        (planned,) = Plan(scenario, (self._pattern,), 1).cells()
        command = OURS.load_command(planned, {"--host": self.server.url}, self._token, folder)
        child = self._stack.enter_context(Child(name, command, folder / "load.log"))
        child.heard(SPAWNED_LINE, scenario.ramp_s(planned.clients) + OURS.ready_s)
        return Crowd(child, folder)

    def stats(self) -> Stats:
        return self.server.target.stats

    def publish(self, schedule: str) -> None:
        """Have the server publish by this schedule from now on. Raises WrongServer."""
        self.server.target.publish(schedule, None)

    def post(self, content: str) -> None:
        """Publish one message now. Raises WrongServer."""
        self.server.target.post(content)

    def sample(self) -> Sample:
        """Look at the server from outside."""
        return Sampler(self.server.pid, "server").sample()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


ITS_OWN: Final = "127.0.0.2"
"""The address of a crowd that misbehaves."""
ONE_EACH: Final = "127.1.0.0/16"
"""The addresses of the other users: a limit for each address would take users of one address for one client."""
