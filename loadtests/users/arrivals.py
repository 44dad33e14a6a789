"""PURE. When each message of a read arrived, of which the kernel tells only when it had the last."""

from collections.abc import Iterator, Sequence
from itertools import repeat

from loadtests.protocols.events import Event, Message
from loadtests.records.rows import UNTOLD
from servers.feed.message import decode_stamp


def arrivals(events: Sequence[Event], arrived_ns: int) -> Iterator[int]:
    """Return when each event of a read arrived, if its last message did so at `arrived_ns`.

    The stamp of a read is that of its last segment. A message before it came earlier, by how much is not known: it
    counts as having been as long on the way. That is right when each was sent at once, and off by as much as the way
    changed between them.
    """
    if arrived_ns <= 0 or len(events) == 1:
        return repeat(arrived_ns)
    try:
        published_ns = [decode_stamp(event.body).published_ns for event in events if type(event) is Message]
    except (ValueError, RecursionError):
        return repeat(UNTOLD)
    return (arrived_ns - max(0, published_ns[-1] - earlier_ns) for earlier_ns in published_ns)
