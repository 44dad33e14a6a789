"""PURE. What a run and its load hosts say to each other: JSON over HTTP, and who may say it.

A host joins, then asks for orders again and again; that it asks is also how it is known to be alive. An order is a
state, not an event: it has a number, and asking twice gives the same one, so nothing is lost with a connection.
"""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from loadtests.agent import messages
from loadtests.metrics.counting import SoFar
from loadtests.records.manifest import Count, HostName, Machine, Name, Text
from loadtests.summary.reduction import Window

TOKEN: Final = "POLLBENCH_TOKEN"  # noqa: S105  (its name)
"""The variable in the environment that holds the secret of a run and its hosts."""
HELD_S: Final = 1.0
"""How long a question for orders is held while there is nothing new."""
LOST_S: Final = 5.0
"""A host that has not asked for so long is lost; the same for a load process that Locust's master does not hear."""
STUCK_S: Final = 30.0
"""A host that hands in, and from which nothing has come for so long, will not hand in any more."""
READY_S: Final = 60.0
Secret = Annotated[str, Meta(pattern=r"\A[0-9a-f]{16}\Z")]
FileName = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.@+-]*\Z", max_length=200)]
Digest = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class Joining(msgspec.Struct, frozen=True, kw_only=True):
    """A host that wants to take part. instance: of this process, so that one that is started anew is told apart."""

    name: HostName
    instance: Secret
    machine: Machine
    versions: dict[Text, Text]


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What a host does in one try at a cell: start load processes that join Locust's master at `port`.

    attempt: a new name for each try, so that rows of an earlier one are refused. roll_call: whether to tell how many
    users have heard a message; telling: whether to tell what is counted, once a second. store: where rows go, "" for to
    us; place: the folder there.
    """

    attempt: Secret
    pattern: Name
    port: Annotated[int, Meta(ge=1, le=65_535)]
    processes: Annotated[int, Meta(ge=1, le=64)]
    roll_call: bool = False
    telling: bool = False
    store: Text = ""
    place: Text = ""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a host is to do now. number: grows with each order to it.

    wait: for the next cell, and let go of what you have. work: start load processes. count: keep their rows, and count
    those of the window, which a later order says again. hand in: let them end, then send their rows, or what they came
    to. end: the run is over, with this exit code and for this reason.
    """

    number: Count
    do: Literal["wait", "work", "count", "hand in", "end"]
    work: Work | None = None
    window: Window | None = None
    code: int = 0
    why: Text = ""


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """A host that is alive. seen: the number of the last order it has, -1 for none.

    ready: how many of its load processes have joined Locust's master; heard: how many of its users have heard a
    message; moved_bytes: of rows, so far; told: what was counted so far, None where nobody asks; attempt: to which
    try these belong, and `problem`, which is why it cannot go on with that, "" where it can.
    """

    name: HostName
    instance: Secret
    seen: int = -1
    attempt: str = ""
    ready: Count = 0
    heard: Count = 0
    moved_bytes: Count = 0
    told: SoFar | None = None
    problem: Text = ""


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A file of records as its host has it. rows: of a table, 0 for any other file."""

    file: FileName
    size_bytes: Count
    rows: Count
    sha256: Digest


class HandedIn(msgspec.Struct, frozen=True, kw_only=True):
    """All that a host recorded in a try at a cell, and what was counted in all. May be said again."""

    name: HostName
    instance: Secret
    attempt: Secret
    pieces: Annotated[list[Piece], Meta(max_length=10_000)]
    told: SoFar | None = None


class Leaving(msgspec.Struct, frozen=True, kw_only=True):
    """A host that ends by itself, and why."""

    name: HostName
    instance: Secret
    why: Text


class HostRefused(Exception):
    """What a host asked is not done; one line that says why. for_good: asking again will not help."""

    def __init__(self, why: str, *, for_good: bool = True) -> None:
        super().__init__(why)
        self.for_good = for_good


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """The same on its way."""

    why: Text
    for_good: bool = True


check_token = partial(
    messages.check_token,
    variable=TOKEN,
    least=8,
    remedy="leave it unset where the run starts, and one is made and printed",
)


def disagreement(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """Say which versions there are not those that are here, "" where all are."""
    return ", ".join(
        f"{name} {there.get(name) or 'unknown'} instead of {here.get(name) or 'unknown'}"
        for name in here
        if here.get(name) != there.get(name)
    )
