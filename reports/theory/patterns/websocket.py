"""PURE. WebSocket: a stream, each message a frame (RFC 6455 section 5.2)."""

from typing import Any, Final

import numpy as np

from reports.theory.oracles.framing import Counts
from reports.theory.predictions import stream


def framed(_ids: Counts, bodies: Counts, _wakes: Counts) -> Any:
    """Two bytes, and two or eight more for a length that does not fit."""
    return bodies + np.where(bodies < 126, 2, np.where(bodies < 65_536, 4, 10))


THEORY: Final = stream(framed)
