"""One try at a cell on a load host: load processes, the folder into which they record, and what their rows come to.

Nothing of it stays: what is not handed in goes with the try.
"""

import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from copy import deepcopy
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from loadtests.host.managed_process import Child, ChildFailed, ending
from loadtests.metrics.counting import Counting, SoFar
from loadtests.metrics.tail import Tail
from loadtests.records.recorder import FOLDER_VARIABLE, HOST_VARIABLE
from loadtests.runs.hosts.messages import Piece, Work
from loadtests.runs.hosts.pieces import counts_of, pieces_of
from loadtests.summary.folding import Folding
from loadtests.summary.kept import TAKEN
from loadtests.summary.reduction import Window

EACH_S: Final = 1.0
ENDING_S: Final = 5.0
"""How long load processes may take to end once Locust's master has told them to."""
JOINED: Final = "this load process has joined"
"""What hooks.py logs in one that a master has taken in."""


class Try:
    """work: what is to be done; host: the name of this one. Raises OSError."""

    def __init__(self, work: Work, host: str) -> None:
        self.work, self._host = work, host
        self._stack = ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="pollbench-")))
        self.raw = self._folder / "raw"
        self._children: list[Child] = []
        self._calling = Tail(self._folder) if work.roll_call else None
        self._heard: set[int] = set()
        self._counting = Counting(self._folder) if work.telling else None
        self._folding: Folding | None = None
        self._looked_s = 0.0

    def start(self, command: Sequence[str]) -> None:
        """Start the load processes. Raises ChildFailed, OSError."""
        known = {HOST_VARIABLE: self._host, FOLDER_VARIABLE: str(self._folder)}
        for at in range(1, self.work.processes + 1):
            name = f"load process {at} of {self.work.processes}"
            child = Child(name, [*command], self._folder / f"load-{at}.log", extra_env=known)
            self._children.append(self._stack.enter_context(child))

    def check(self) -> None:
        """Raise ChildFailed for a load process that has ended out of order."""
        for child in self._children:
            # Locust's master may have told it to end, in order, before we hear that it did.
            if child.code() != 0:
                child.check()

    def joined(self) -> int:
        """Return how many load processes have joined Locust's master."""
        return sum(child.told(lambda line: JOINED in line or None) is not None for child in self._children)

    def count(self, window: Window) -> None:
        """Keep the rows here, and count those of the window instead."""
        if self._folding is None:
            self._folding = Folding(self._folder, window)

    def look(self) -> dict[str, object]:
        """Read what was recorded since, if that was not done within the last second, and nothing once all have ended.

        Return what is to be told of it. Raises OSError.
        """
        if not self._children or time.monotonic() < self._looked_s + EACH_S:
            return {}
        self._looked_s = time.monotonic()
        if self._folding is not None:
            self._folding.read()
        news: dict[str, object] = {}
        if self._calling is not None:
            rows = [batch.rows["user"] for batch in self._calling.read() if batch.table == "deliveries"]
            self._heard.update(*(np.unique(users).tolist() for users in rows))
            news["heard"] = len(self._heard)
        if self._counting is not None:
            news["told"] = self.told()
        return news

    def told(self) -> SoFar | None:
        """Return what was counted by now, if that is told. Raises OSError."""
        return deepcopy(self._counting.read()) if self._counting is not None else None  # it is counted on

    def end(self) -> None:
        """Let the load processes end. Raises ChildFailed."""
        for child in self._children:
            child.await_end(ENDING_S)
            if code := child.stop():
                raise ChildFailed(f"the {child.name} ended with {ending(code)}: {child.last_words()}")
        self._children.clear()

    def pieces(self) -> list[Piece]:
        """Return what is to be handed in, once they have: what they recorded, or what that came to. Raises OSError."""
        if self._folding is None:
            return pieces_of(self.raw)
        counts_of(self._host, self.raw).write_bytes(msgspec.json.encode(self._folding.finish()))
        return pieces_of(self.raw, without=TAKEN)

    def close(self) -> None:
        for reader in (self._calling, self._counting):
            if reader is not None:
                reader.close()
        self._stack.close()
