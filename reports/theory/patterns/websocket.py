"""PURE. WebSocket: a stream, each message a frame (RFC 6455 section 5.2)."""

from typing import Any, Final

import numpy as np

from reports.theory.oracles.framing import Counts
from reports.theory.predictions import Heartbeats, stream
from reports.theory.predictions.heartbeats import STAMPED_BYTES


def framed(_ids: Counts, bodies: Counts, _wakes: Counts) -> Any:
    """Two bytes, and two or eight more for a length that does not fit."""
    return bodies + np.where(bodies < 126, 2, np.where(bodies < 65_536, 4, 10))


PING_BYTES: Final = 2
PONG_BYTES: Final = 6
"""Its frame is masked, as all of a client are."""
HEARTBEAT_BYTES: Final = PING_BYTES + PONG_BYTES + 2 + STAMPED_BYTES

THEORY: Final = stream(framed, Heartbeats(HEARTBEAT_BYTES, asked=True))
