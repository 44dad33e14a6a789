"""PURE. Server-sent events: a stream, each message an event with its id (WHATWG HTML 9.2)."""

from typing import Any, Final

from reports.theory.oracles.framing import Counts, digits, in_chunks
from reports.theory.predictions import Heartbeats, stream


def framed(ids: Counts, bodies: Counts, wakes: Counts) -> Any:
    return in_chunks(bodies + len("id: \ndata: \n\n") + digits(ids), wakes)


THEORY: Final = stream(framed, Heartbeats(len("d\r\n: heartbeat\n\n\r\n")))
