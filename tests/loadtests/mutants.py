"""Users that are wrong in what they make of what they read, by name: a contract worth its name finds each of them."""

from collections.abc import Callable
from typing import Any

from servers.feed.message import Stamp

Deliver = Callable[..., None]


def late(deliver: Deliver) -> Deliver:
    """Each message comes out when the next one does."""
    held: list[Stamp] = []

    def delivered(stamp: Stamp, *rest: Any) -> None:
        held.append(stamp)
        if len(held) > 1:
            deliver(held.pop(0), *rest)

    return delivered


def lossy(deliver: Deliver) -> Deliver:
    """Of what comes in one read the last is lost; fed byte by byte, that is everything from the second on."""
    got: list[int] = []

    def delivered(stamp: Stamp, *rest: Any) -> None:
        got.append(stamp.id)
        if len(got) == 1:
            deliver(stamp, *rest)

    return delivered


def doubling(deliver: Deliver) -> Deliver:
    def delivered(*row: Any) -> None:
        deliver(*row)
        deliver(*row)

    return delivered


MUTANTS: dict[str, Callable[[Deliver], Deliver]] = {"late": late, "lossy": lossy, "doubling": doubling}
