"""PURE. Chunked streaming: a stream, each message a line."""

from typing import Any, Final

from reports.theory.oracles.framing import Counts, in_chunks
from reports.theory.predictions import stream


def framed(_ids: Counts, bodies: Counts, wakes: Counts) -> Any:
    return in_chunks(bodies + len("\n"), wakes)


THEORY: Final = stream(framed)
