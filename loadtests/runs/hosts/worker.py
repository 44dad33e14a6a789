"""A load host: joins a run, drives a share of the users of each of its cells, and hands in what they recorded.

It keeps nothing: each try at a cell has a folder of its own, which goes with the try. What it is told is data, never a
command: the programs that it starts are its own.
"""

import secrets
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadtests.host import environment
from loadtests.host.managed_process import Child, ChildFailed, ending
from loadtests.records.recorder import FOLDER_VARIABLE, HOST_VARIABLE
from loadtests.runs.commands import OURS, Programs
from loadtests.runs.foreign import roll_call
from loadtests.runs.hosts.line import AGAIN_S, UNHEARD, Line, NoRun, Pulse, WrongToken
from loadtests.runs.hosts.messages import (
    INTERRUPTED,
    TOKEN,
    Asking,
    HandedIn,
    HostRefused,
    Joining,
    Leaving,
    Order,
    Work,
)
from loadtests.runs.hosts.pieces import pieces_of
from loadtests.runs.hosts.store import Store, StoreFailed
from loadtests.runs.signals import Interrupt

LOOK_S: Final = 0.05
CALLED_EACH_S: Final = 1.0
ENDING_S: Final = 5.0
"""How long load processes may take to end once Locust's master has told them to."""
JOINED: Final = "this load process has joined"
"""What hooks.py logs in one that a master has taken in."""
DONE, REFUSED, NO_RUN, NOT_HANDED_IN = 0, 2, 3, 4


class _Stale(Exception):
    """What is being done is not wanted any more: there is another order."""


@dataclass(slots=True)
class _Try:
    """A try at a cell: its folder, and the load processes that record into it."""

    work: Work
    folder: Path
    children: list[Child]
    stack: ExitStack


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
        self._try: _Try | None = None
        self._called = 0.0
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
                    self._look_at_processes(pulse)
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
        elif order.do == "hand in" and self._try is not None:
            self._hand_in(self._try, pulse)

    def _begin(self, work: Work, pulse: Pulse) -> None:
        """Start the load processes of a try. Raises ChildFailed, OSError."""
        self._let_go()
        pulse.note(attempt=work.attempt, ready=0, moved_bytes=0, problem="")
        stack = ExitStack()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pollbench-")))
        self._try = _Try(work, folder, [], stack)
        command = self._programs.worker_command(work.pattern, self._line.address[0], work.port)
        known = {HOST_VARIABLE: self._name, FOLDER_VARIABLE: str(folder)}
        for at in range(1, work.processes + 1):
            name = f"load process {at} of {work.processes}"
            child = Child(name, command, folder / f"load-{at}.log", extra_env=known)
            self._try.children.append(stack.enter_context(child))

    def _look_at_processes(self, pulse: Pulse) -> None:
        """Tell how many have joined Locust's master. Raises ChildFailed for one that has ended."""
        if self._try is None:
            return
        for child in self._try.children:
            # Locust's master may have told it to end, in order, before we hear that it did.
            if child.code() != 0:
                child.check()
        if self._try.work.roll_call and time.monotonic() > self._called + CALLED_EACH_S:
            self._called = time.monotonic()
            pulse.note(heard=len(roll_call.heard(self._try.folder, self._try.work.pattern)))
        if not pulse.all_ready(self._try.work.processes):
            heard = sum(child.told(lambda line: JOINED in line or None) is not None for child in self._try.children)
            pulse.ready(heard)

    def _hand_in(self, now: _Try, pulse: Pulse) -> None:
        """Let the load processes end, and hand in what they recorded.

        Raises _Stale when it is not wanted any more, ChildFailed, StoreFailed, OSError.
        """
        for child in now.children:
            child.await_end(ENDING_S)
            if code := child.stop():
                raise ChildFailed(f"the {child.name} ended with {ending(code)}: {child.last_words()}")
        now.children.clear()
        raw, work = now.folder / "raw", now.work
        told = HandedIn(name=self._name, instance=self._instance, attempt=work.attempt, pieces=pieces_of(raw))
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
            now.stack.close()

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
