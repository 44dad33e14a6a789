"""PURE. What can be wrong with a server on purpose, and what then happens to message n.

Most faults are the feed's, two are the handlers': those leave messages alone and waste the server's memory and time.
A fault answers, the feed acts (`servers/faults/feed.py`). Chance falls on messages, not on users: a dropped message is
dropped for everyone. The seed is the fault's own form, so the same fault befalls the same messages in every run.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from random import Random
from typing import NamedTuple

from servers.timing import NS_PER_MS


class Fate(NamedTuple):
    """What becomes of one message.

    copies: how often it is sent, 0 for never. overtaken: it is sent right behind the next message that is not.
    delay_ns: how long after it was published it is sent.
    """

    copies: int = 1
    overtaken: bool = False
    delay_ns: int = 0


AS_IT_SHOULD_BE = Fate()


class Fault:
    """One way to be wrong. `str(fault)` is the form that `parse_fault` reads."""

    __slots__ = ()

    @property
    def meaning(self) -> str:
        """What such a server does, in words that follow "a server that"."""
        raise NotImplementedError

    def fates(self) -> Iterator[Fate]:
        """Yield what becomes of message 1, 2, 3, ... without end."""
        return repeat(AS_IT_SHOULD_BE)


@dataclass(frozen=True, slots=True)
class Drop(Fault):
    """Never sends a share of the messages."""

    share: float

    @property
    def meaning(self) -> str:
        return f"drops {_percent(self.share)} of the messages"

    def fates(self) -> Iterator[Fate]:
        return (Fate(copies=0) if hit else AS_IT_SHOULD_BE for hit in _hits(self, self.share))

    def __str__(self) -> str:
        return f"drop:{self.share:g}"


@dataclass(frozen=True, slots=True)
class Duplicate(Fault):
    """Sends a share of the messages twice."""

    share: float

    @property
    def meaning(self) -> str:
        return f"sends {_percent(self.share)} of the messages twice"

    def fates(self) -> Iterator[Fate]:
        return (Fate(copies=2) if hit else AS_IT_SHOULD_BE for hit in _hits(self, self.share))

    def __str__(self) -> str:
        return f"duplicate:{self.share:g}"


@dataclass(frozen=True, slots=True)
class Reorder(Fault):
    """Sends a share of the messages after a newer one."""

    share: float

    @property
    def meaning(self) -> str:
        return f"sends {_percent(self.share)} of the messages after a newer one"

    def fates(self) -> Iterator[Fate]:
        return (Fate(overtaken=True) if hit else AS_IT_SHOULD_BE for hit in _hits(self, self.share))

    def __str__(self) -> str:
        return f"reorder:{self.share:g}"


@dataclass(frozen=True, slots=True)
class Delay(Fault):
    """Sends every message `fast_ms` after it was published, a share of them after `slow_ms` instead.

    A message never overtakes a slower one before it: to see the two delays alone, publish further apart than they are.
    """

    fast_ms: float
    slow_ms: float = 0.0
    slow_share: float = 0.0

    @property
    def meaning(self) -> str:
        if not self.slow_share:
            return f"sends every message {self.fast_ms:g} ms late"
        return f"sends messages {self.fast_ms:g} ms late, {_percent(self.slow_share)} of them {self.slow_ms:g} ms"

    def fates(self) -> Iterator[Fate]:
        fast, slow = (Fate(delay_ns=round(ms * NS_PER_MS)) for ms in (self.fast_ms, self.slow_ms))
        return (slow if hit else fast for hit in _hits(self, self.slow_share)) if self.slow_share else repeat(fast)

    def __str__(self) -> str:
        return f"delay:{self.fast_ms:g}" + (f",{self.slow_ms:g},{self.slow_share:g}" if self.slow_share else "")


@dataclass(frozen=True, slots=True)
class Freeze(Fault):
    """Is stopped by the kernel (SIGSTOP) `at_s` after its first message, and goes on `for_s` later."""

    at_s: float
    for_s: float

    @property
    def meaning(self) -> str:
        return f"is frozen for {self.for_s:g} s, {self.at_s:g} s after its first message"

    def __str__(self) -> str:
        return f"freeze:{self.at_s:g},{self.for_s:g}"


@dataclass(frozen=True, slots=True)
class Forget(Fault):
    """Keeps nothing and takes no cursor: a message reaches only who is waiting at that moment."""

    @property
    def meaning(self) -> str:
        return "keeps nothing, so that a message reaches only clients that wait at that moment"

    def __str__(self) -> str:
        return "forget"


@dataclass(frozen=True, slots=True)
class LeakWaiters(Fault):
    """Never removes a long poll from those that wait, answered, timed out or gone."""

    @property
    def meaning(self) -> str:
        return "never forgets a long poll that once waited"

    def __str__(self) -> str:
        return "leak-waiters"


@dataclass(frozen=True, slots=True)
class IgnoreDisconnect(Fault):
    """Lets handlers over HTTP/1.1 go on when their client has left, as aiohttp does unless it is told otherwise."""

    @property
    def meaning(self) -> str:
        return "goes on working for clients that have left"

    def __str__(self) -> str:
        return "ignore-disconnect"


@dataclass(frozen=True, slots=True)
class Slow(Fault):
    """Stands still for `each_ms` with every request of a pattern, so that it serves 1000 / each_ms of them a second."""

    each_ms: float

    @property
    def meaning(self) -> str:
        return f"stands still for {self.each_ms:g} ms with every request"

    def __str__(self) -> str:
        return f"slow:{self.each_ms:g}"


SHARE_MAX, DELAY_MAX_MS, AT_MAX_S, FOR_MAX_S = 0.9, 60_000, 3600, 60
FORMS = (
    "drop:SHARE | duplicate:SHARE | reorder:SHARE | delay:MS[,MS,SHARE] | freeze:AT_S,FOR_S | forget | "
    "leak-waiters | ignore-disconnect | slow:MS "
    f"(SHARE above 0, at most {SHARE_MAX:g}; MS 0 to {DELAY_MAX_MS}; AT_S 0 to {AT_MAX_S}; FOR_S above 0, at most "
    f"{FOR_MAX_S})"
)


def parse_fault(text: str) -> Fault:
    """Read a fault from its one-line form, the inverse of `str(fault)`.

    Raises ValueError naming the text and the accepted forms.
    """
    kind, _, rest = text.strip().partition(":")
    try:
        values = [float(value) for value in rest.split(",")] if rest else []
    except ValueError:
        values = [-1.0]
    match kind, values:
        case "drop", [share] if _is_share(share):
            return Drop(share)
        case "duplicate", [share] if _is_share(share):
            return Duplicate(share)
        case "reorder", [share] if _is_share(share):
            return Reorder(share)
        case "delay", [fast_ms] if 0 <= fast_ms <= DELAY_MAX_MS:
            return Delay(fast_ms)
        case "delay", [fast_ms, slow_ms, share] if 0 <= fast_ms <= slow_ms <= DELAY_MAX_MS and _is_share(share):
            return Delay(fast_ms, slow_ms, share)
        case "freeze", [at_s, for_s] if 0 <= at_s <= AT_MAX_S and 0 < for_s <= FOR_MAX_S:
            return Freeze(at_s, for_s)
        case "forget", []:
            return Forget()
        case "leak-waiters", []:
            return LeakWaiters()
        case "ignore-disconnect", []:
            return IgnoreDisconnect()
        case "slow", [each_ms] if 0 <= each_ms <= DELAY_MAX_MS:
            return Slow(each_ms)
    raise ValueError(f"fault {text!r} is none of: {FORMS}")


def _is_share(value: float) -> bool:
    return 0 < value <= SHARE_MAX


def _percent(share: float) -> str:
    return f"{share * 100:g} %"


def _hits(fault: Fault, share: float) -> Iterator[bool]:
    """Draw, without end, whether a message is among the chosen share; the same for the same fault."""
    random = Random(str(fault))
    while True:
        yield random.random() < share
