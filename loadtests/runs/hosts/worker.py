"""A load host: joins a run, drives a share of the users of each of its cells, and hands in what they recorded.

It keeps nothing: each try at a cell has a folder of its own, which goes with the try. What it is told is data, never a
command: the programs that it starts are its own.
"""

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from loadtests.host import environment
from loadtests.host.managed_process import ChildFailed
from loadtests.runs.commands import OURS, Programs
from loadtests.runs.hosts.endings import INTERRUPTED
from loadtests.runs.hosts.line import AGAIN_S, UNHEARD, Line, NoRun, Pulse, WrongToken
from loadtests.runs.hosts.messages import (
    TOKEN,
    Asking,
    HandedIn,
    HostRefused,
    Joining,
    Leaving,
    Order,
    Work,
)
from loadtests.runs.hosts.store import Store, StoreFailed
from loadtests.runs.hosts.trying import Try
from loadtests.runs.signals import Interrupt

LOOK_S: Final = 0.05
DONE, REFUSED, NO_RUN, NOT_HANDED_IN = 0, 2, 3, 4


class _Stale(Exception):
    """What is being done is not wanted any more: there is another order."""


class Worker:
    """line: to the run. name: of this host. say: told what a person should know. check: raises to end it, see
    Interrupt.

    versions: what is told of this host; None: what it has.
    """

    def __init__(
        self,
        line: Line,
        name: str,
        patience_s: float,
        say: Callable[[str], None],
        check: Callable[[], None] = lambda: None,
        programs: Programs = OURS,
        versions: dict[str, str] | None = None,
    ) -> None:
        self._line, self._name, self._patience_s = line, name, patience_s
        self._say, self._check, self._programs = say, check, programs
        self._machine = environment.machine()
        self._versions = versions or environment.decisive_versions()
        self._instance = secrets.token_hex(8)
        self._pulse: Pulse | None = None
        self._try: Try | None = None
        self._failed = 0
        self._handed_in = 0

    def serve(self) -> int:
        """Take part until the run is over; return the exit code. Raises KeyboardInterrupt when `check` does."""
        try:
            while True:
                self._join()
                try:
                    return self._obey()
                except HostRefused:
                    self._say("the run has dropped this host meanwhile; joining again")
                finally:
                    self._let_go()
        except WrongToken:
            self._say(f"the run at {self._line} does not take our token: set {TOKEN} to the one that it printed")
            return REFUSED
        except HostRefused as refused:
            self._say(f"the run at {self._line} refused this host: {refused}")
            return REFUSED
        except NoRun as gone:
            self._say(f"{gone}; start it with: pollbench compare --workers N --bind ADDRESS")
            return NO_RUN
        except KeyboardInterrupt:
            self._line.leave(Leaving(name=self._name, instance=self._instance, why="interrupted there"))
            raise

    def _join(self) -> None:
        joining = Joining(name=self._name, instance=self._instance, machine=self._machine, versions=self._versions)
        self._line.join(joining, self._pause)
        self._say(f"joined the run at {self._line} as {self._name}")

    def _pause(self, for_s: float) -> None:
        time.sleep(for_s)
        self._check()

    def _obey(self) -> int:
        """Do what the run says until it says that it is over. Raises HostRefused where it does not know us any more."""
        pulse = self._pulse = Pulse(self._line, Asking(name=self._name, instance=self._instance), self._patience_s)
        try:
            while True:
                self._check()
                order = pulse.order(LOOK_S)
                try:
                    if order is not None and order.do == "end":
                        return self._over(order)
                    if order is not None:
                        self._do(order, pulse)
                    self._look(pulse)
                except _Stale:
                    continue
                except (ChildFailed, StoreFailed, OSError) as problem:
                    self._give_up(str(problem), pulse)
        finally:
            pulse.close()

    def _do(self, order: Order, pulse: Pulse) -> None:
        if order.do == "wait":
            self._let_go()
        elif order.do == "work" and order.work is not None:
            self._begin(order.work, pulse)
        if order.window is not None and self._try is not None:
            self._try.count(order.window)
        if order.do == "hand in" and self._try is not None:
            self._hand_in(self._try, pulse)

    def _begin(self, work: Work, pulse: Pulse) -> None:
        """Start the load processes of a try. Raises ChildFailed, OSError."""
        self._let_go()
        pulse.note(attempt=work.attempt, ready=0, moved_bytes=0, told=None, problem="")
        self._try = Try(work, self._name)
        self._try.start(self._programs.worker_command(work.pattern, self._line.address[0], work.port))

    def _look(self, pulse: Pulse) -> None:
        """Tell how far the load processes are. Raises ChildFailed for one that has ended, OSError."""
        if self._try is None:
            return
        self._try.check()
        if news := self._try.look():
            pulse.note(**news)
        if not pulse.all_ready(self._try.work.processes):
            pulse.ready(self._try.joined())

    def _hand_in(self, now: Try, pulse: Pulse) -> None:
        """Let the load processes end, and hand in what there is.

        Raises _Stale when it is not wanted any more, ChildFailed, StoreFailed, OSError.
        """
        now.end()
        work, raw, counted = now.work, now.raw, now.told()
        told = HandedIn(
            name=self._name, instance=self._instance, attempt=work.attempt, pieces=now.pieces(), told=counted
        )
        if work.store:
            store = Store(work.store)
            for piece in told.pieces:
                store.put(work.place, raw / piece.file, pulse.moved)
        while not self._handed(told, None if work.store else raw, pulse):
            self._pause(AGAIN_S)
            if pulse.newer():
                raise _Stale
        self._handed_in += 1

    def _handed(self, told: HandedIn, raw: Path | None, pulse: Pulse) -> bool:
        """Send what was recorded, unless it is in a store, and say so; return whether that was heard.

        Raises _Stale when it is not wanted any more.
        """
        try:
            if raw is not None:
                for piece in told.pieces:
                    self._line.send(piece, raw / piece.file, told, pulse.moved)
            self._line.hand_in(told)
        except HostRefused as refused:
            if refused.for_good:
                raise _Stale from None
            return False
        except (*UNHEARD, WrongToken):
            return False  # the run may be busy, or gone, which the pulse notices
        return True

    def _give_up(self, problem: str, pulse: Pulse) -> None:
        """Say that this try cannot be gone on with, and let go of it."""
        if self._try is not None:
            self._failed += 1
            self._say(f"this host failed in a cell: {problem}")
            pulse.urge(problem=problem[:1000])
        self._let_go()

    def _let_go(self) -> None:
        now, self._try = self._try, None
        if now is not None:
            now.close()

    def _over(self, order: Order) -> int:
        self._let_go()
        cells = f"{self._handed_in} cell{'s' * (self._handed_in != 1)} handed in"
        if order.code:
            self._say(f"the run at {self._line} is over: {order.why}; {cells}")
            return order.code
        if self._failed:
            self._say(f"the run at {self._line} is done, but this host failed in {self._failed}; {cells}")
            return NOT_HANDED_IN
        self._say(f"the run at {self._line} is done; {cells}")
        return DONE


def serve(line: Line, name: str, patience_s: float, say: Callable[[str], None]) -> int:
    """Be a load host until the run is over, or a signal comes; return the exit code."""
    with Interrupt() as interrupt:
        try:
            return Worker(line, name, patience_s, say, interrupt.check).serve()
        except KeyboardInterrupt:
            say("interrupted: this host has left the run")
            return INTERRUPTED
