"""PURE. Chunked streaming: a stream, each message a line."""

from typing import Any, Final

from reports.theory.oracles.framing import Counts, in_chunks
from reports.theory.predictions import Heartbeats, stream
from reports.theory.predictions.heartbeats import STAMPED_BYTES


def framed(_ids: Counts, bodies: Counts, wakes: Counts) -> Any:
    return in_chunks(bodies + len("\n"), wakes)


THEORY: Final = stream(framed, Heartbeats(len("3f\r\n\n\r\n") + STAMPED_BYTES))
