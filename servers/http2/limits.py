"""PURE. What one connection may ask of the server, as numbers, and the budgets that enforce the rates.

h2 stops malformed traffic; traffic that is well formed and abusive is ours to count (CVE-2023-44487 and the
CVE-2019-951x family). A client that refuses *pushes* is not an attacker: those resets are never charged.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rate:
    """Allow `burst` at once, and `per_s` every second from then on."""

    burst: float
    per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one connection. Seconds, bytes, and counts as the names say.

    client_resets: RST_STREAM of the client's own requests. control_frames: PING, SETTINGS, PRIORITY, unknown
    frames and DATA without content. output_bytes: what may wait for a client that reads nothing.
    pushes_open: pushed streams the client's flow control keeps open. head_timeout_s: how long a frame, or a request's
    fields, may take from the first byte to the last, and the first frame from the start; 0 for no limit.
    """

    streams: int = 100
    header_list_bytes: int = 16_384
    client_resets: Rate = Rate(200, 33)
    control_frames: Rate = Rate(1_000, 50)
    output_bytes: int = 4 * 1_048_576
    pushes_open: int = 100
    head_timeout_s: float = 30.0
    settings_timeout_s: float = 10.0
    ping_every_s: float = 20.0
    ping_timeout_s: float = 10.0
    idle_s: float = 60.0
    drain_s: float = 5.0


DEFAULT_LIMITS: Final = Limits()


class Budget:
    """A token bucket that is told the time."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._left = rate.burst
        self._at_s = 0.0

    def spend(self, now_s: float) -> bool:
        """Take one token; False when there is none left."""
        self._left = min(self._rate.burst, self._left + (now_s - self._at_s) * self._rate.per_s)
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True
