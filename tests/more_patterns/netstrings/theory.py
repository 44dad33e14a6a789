"""PURE. Netstrings: a stream, each message its length, a colon, the body and a comma."""

from typing import Any, Final

from reports.theory.oracles.framing import Counts, digits, in_chunks
from reports.theory.predictions import Heartbeats, stream
from reports.theory.predictions.heartbeats import STAMPED_BYTES


def framed(_ids: Counts, bodies: Counts, wakes: Counts) -> Any:
    return in_chunks(bodies + len(":,") + digits(bodies), wakes)


THEORY: Final = stream(framed, Heartbeats(len("42\r\n62:,\r\n") + STAMPED_BYTES))
