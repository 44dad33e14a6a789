"""Which load hosts are there, what each is to do, and what each has handed in. Many threads ask, one decides.

Hosts come by `join`, `orders`, `piece`, `handed_in` and `leave`, each in a thread of its own; the run, in its main
thread, calls the rest. Nothing here knows of sockets, so that every order of events can be tested.
"""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition
from typing import Any, Final

from loadtests.metrics.counting import SoFar
from loadtests.runs.hosts.endings import HostFailed
from loadtests.runs.hosts.messages import (
    HELD_S,
    LOST_S,
    Asking,
    HandedIn,
    HostRefused,
    Joining,
    Leaving,
    Order,
    Piece,
    Work,
    disagreement,
)
from loadtests.summary.reduction import Window

FRESH_S: Final = 2 * HELD_S
"""Nothing is begun with a host that has been silent for longer, though it is not lost yet."""
STEP_S: Final = 1.0
"""No look counts for more silence than this: when we stood still ourselves, nobody could be heard."""


@dataclass(slots=True)
class Member:
    """A host that takes part. received: what has arrived of this try's files, name -> (bytes, digest).

    pieces: what it says that it handed in, once it has; silent_s: since it was heard of last.
    """

    joined: Joining
    address: str
    order: Order = field(default_factory=lambda: Order(number=0, do="wait"))
    silent_s: float = 0.0
    ready: int = 0
    heard: int = 0
    moved_bytes: int = 0
    problem: str = ""
    received: dict[str, tuple[int, str]] = field(default_factory=dict)
    pieces: list[Piece] | None = None


class Roster:
    """All hosts of a run. versions: the run's own. say: told when one comes, goes or is refused.

    crew: the names of those that work on a cell. One that is lost then is lost to that cell, even if it comes back.
    told: what each of them has counted, last; kept until it is forgotten, and replaced as a whole.
    """

    def __init__(
        self,
        versions: Mapping[str, str],
        say: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.crew: tuple[str, ...] = ()
        self.told: dict[str, SoFar] = {}
        self._versions, self._say, self._clock = dict(versions), say, clock
        self._news = Condition()
        self._members: dict[str, Member] = {}
        self._gone: dict[str, str] = {}
        self._lost: dict[str, str] = {}
        self._work: Work | None = None
        self._window: Window | None = None
        self._folder = Path()
        self._over: Order | None = None
        self._looked_s = clock()

    # what hosts ask, each in a thread of its own

    def join(self, joining: Joining, address: str) -> None:
        """Let a host take part. Raises HostRefused."""
        name = joining.name
        if wrong := disagreement(self._versions, joining.versions):
            with self._news:
                self._gone[name] = f"was refused ({wrong})"
            self._say(f"load host {name} at {address} was refused: {wrong}")
            raise HostRefused(f"this host has {wrong}: install the same pollbench here and there")
        with self._news:
            known = self._members.get(name)
            if known and known.joined.instance != joining.instance:
                raise HostRefused(
                    f"there is a load host {name} already, at {known.address}: name this one by --name", for_good=False
                )
            self._members[name] = Member(joining, address)
            self._gone.pop(name, None)
            if self._over:
                self._members[name].order = self._over
            self._news.notify_all()
        if not known:
            self._say(f"load host {name} at {address} has joined: {joining.machine.cores} cores, {joining.machine.cpu}")

    def orders(self, asking: Asking) -> Order:
        """Return what a host is to do, as soon as that is news to it, or after HELD_S. Raises HostRefused."""
        with self._news:
            member = self._of(asking)
            member.silent_s = 0.0
            if self._work and asking.attempt == self._work.attempt:
                member.ready, member.heard, member.problem = asking.ready, asking.heard, asking.problem
                member.moved_bytes = max(member.moved_bytes, asking.moved_bytes)
                if asking.told is not None:
                    self.told = self.told | {asking.name: asking.told}
                self._news.notify_all()
            self._news.wait_for(lambda: member.order.number > asking.seen, HELD_S)
            if member.order is self._over:
                self._members.pop(asking.name, None)
                self._news.notify_all()
            return member.order

    def piece(self, name: str, instance: str, attempt: str) -> Path:
        """Return the folder for a file of a host's. Raises HostRefused for what nobody waits for."""
        with self._news:
            self._handing_in(name, instance, attempt)
            return self._folder

    def moved(self, name: str, size_bytes: int) -> None:
        """Note that a part of a file has come: who sends is alive."""
        with self._news:
            if member := self._members.get(name):
                member.silent_s = 0.0
                member.moved_bytes += size_bytes

    def arrived(self, name: str, instance: str, attempt: str, file: str, size_bytes: int, digest: str) -> None:
        """Note that a file has come whole. Raises HostRefused where that try is over by now."""
        with self._news:
            self._handing_in(name, instance, attempt).received[file] = size_bytes, digest

    def handed_in(self, told: HandedIn) -> None:
        """Take a host's word for what it recorded, where that is what has come. Raises HostRefused.

        The same may be said again. Where rows go to a store, nothing has come yet, and it is looked at later.
        """
        with self._news:
            member = self._handing_in(told.name, told.instance, told.attempt)
            if not (self._work and self._work.store):
                for piece in told.pieces:
                    if member.received.get(piece.file) != (piece.size_bytes, piece.sha256):
                        raise HostRefused(f"{piece.file} has not come as it was sent: send it again", for_good=False)
            member.pieces = told.pieces
            if told.told is not None:
                self.told = self.told | {told.name: told.told}
            self._news.notify_all()

    def leave(self, leaving: Leaving) -> None:
        with self._news:
            self._of(leaving)
            self._lose(leaving.name, f"left: {leaving.why}")

    def _of(self, told: Any) -> Member:
        member = self._members.get(told.name)
        if member is None or member.joined.instance != told.instance:
            raise HostRefused(
                f"load host {told.name} has not joined, or was lost meanwhile: join again", for_good=False
            )
        return member

    def _handing_in(self, name: str, instance: str, attempt: str) -> Member:
        member = self._members.get(name)
        if not self._work or self._work.attempt != attempt or name not in self.crew or member is None:
            raise HostRefused("that try at a cell is over: its rows are wanted no more")
        if member.joined.instance != instance or name in self._lost:
            raise HostRefused("this host was lost meanwhile, so its rows are wanted no more")
        member.silent_s = 0.0
        return member

    def _lose(self, name: str, why: str) -> None:
        del self._members[name]
        self._gone[name] = why
        if name in self.crew:
            self._lost.setdefault(name, why)
        self._news.notify_all()
        self._say(f"load host {name} {why}")

    # what the run does, in its main thread

    def look(self) -> None:
        """Lose those that have been silent for too long. To be called several times a second."""
        with self._news:
            now_s = self._clock()
            step_s, self._looked_s = min(now_s - self._looked_s, STEP_S), now_s
            for name, member in list(self._members.items()):
                member.silent_s += step_s
                if member.silent_s > LOST_S and not self._over:
                    self._lose(name, f"was not heard of for {LOST_S:g} s")

    def check(self) -> None:
        """Raise HostFailed where one of the crew is gone, or cannot go on."""
        self.look()
        with self._news:
            for name, why in self._lost.items():
                raise HostFailed(f"load host {name} {why}")
            for name in self.crew:
                if problem := self._members[name].problem:
                    raise HostFailed(f"load host {name}: {problem}")

    def there(self) -> list[Member]:
        """Return all hosts, in the order in which they joined."""
        with self._news:
            return list(self._members.values())

    def of_crew(self) -> list[Member]:
        with self._news:
            return [self._members[name] for name in self.crew if name in self._members]

    def _awake(self) -> list[str]:
        """Return those that can be counted on, in the order in which they joined."""
        return [name for name, member in self._members.items() if member.silent_s <= FRESH_S]

    def lacking(self, count: int) -> str:
        """Say who is missing of so many hosts; "" when all are there."""
        with self._news:
            names = sorted(self._awake())
            if len(names) >= count:
                return ""
            there = f" ({', '.join(names)})" if names else ""
            gone = "".join(f"; {name} {why}" for name, why in self._gone.items() if name not in self._members)
            gone += "".join(f"; {name} is silent" for name in self._members if name not in names)
            return f"{len(names)} of {count} load hosts are there{there}{gone}"

    def begin(self, count: int, work: Work, folder: Path) -> None:
        """Have the first `count` hosts work. folder: where their files are to go. Raises HostFailed."""
        with self._news:
            if lacking := self.lacking(count):
                raise HostFailed(lacking)
            self.crew, self._work, self._folder = tuple(sorted(self._awake()[:count])), work, folder
            self._window = None
            for name in self.crew:
                member = self._members[name]
                member.ready, member.heard, member.moved_bytes, member.problem = 0, 0, 0, ""
                member.received, member.pieces = {}, None
            self._order(self.crew, do="work", work=work)

    def count(self, window: Window) -> None:
        """Have the crew keep their rows, and hand in what those of this window came to."""
        with self._news:
            self._window = window
            self._order(self.crew, do="count", work=self._work, window=window)

    def hand_in(self) -> None:
        with self._news:
            self._order(self.crew, do="hand in", work=self._work, window=self._window)

    def release(self) -> None:
        """Let all go of what they have; what comes of this try from now on is refused."""
        with self._news:
            self._work = None
            self._order(self.crew, do="wait")
            self.crew, self._lost = (), {}

    def end(self, code: int, why: str) -> None:
        """Have all end, and those that come later."""
        with self._news:
            self._over = Order(number=2**31, do="end", code=code, why=why)
            for member in self._members.values():
                member.order = self._over
            self._news.notify_all()

    def await_news(self, within_s: float) -> None:
        with self._news:
            self._news.wait(within_s)

    def _order(self, names: Collection[str], **what: Any) -> None:
        """Tell those of these that are not lost."""
        for member in (self._members[name] for name in names if name in self._members):
            member.order = Order(number=member.order.number + 1, **what)
        self._news.notify_all()
