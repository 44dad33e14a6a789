"""A server restarts under load. How should its clients wait between their attempts to come back?"""

from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from reports.basics.units import quantity
from reports.charts.style import Look
from reports.experiments import Effect, Effects
from reports.experiments.effects import brief, change_text
from reports.experiments.over_time import over_time

TITLE: Final = "A reconnect storm, with and without backoff"
ADVICE: Final = (
    "Reconnect with exponential backoff and full jitter, and resume by a cursor, so that a restart is no storm."
)
MECHANISM: Final = (
    "A restart cuts all clients at the same instant. Clients that try again at once keep the machine busy with "
    "attempts that cannot succeed; clients that wait a fixed time come back together, again and again. Waits drawn "
    "from a range that doubles make attempts fewer with each failure and spread them. The server keeps its messages in "
    "a file (--keep) and clients name the last message they have, so nothing is lost in any arm."
)
LIMITS: Final = (
    "On loopback a refused connection costs microseconds and no network, and there is no TLS handshake or login, which "
    "make real storms worse. The clients' one process bounds how often those without backoff try. Clients and server "
    "share two cores. Backoff costs time: the longer a server is away, the longer its clients wait after it has come "
    "back, up to the cap (here 5 s, for outages of seconds)."
)
ARMS: Final = {
    "none": "again at once",
    "fixed": "again after 1 s",
    "exponential": "exponential backoff, full jitter",
}
EFFECTS: Final = (
    Effect("attempts_per_client", "attempts to connect per client", "", "none", "exponential", expected="lower"),
    Effect("peak", "most attempts in 100 ms", "", "none", "exponential", expected="lower"),
    Effect("let_in_peak", "most admitted in 100 ms, against a fixed delay", "", "fixed", "exponential", "lower"),
    Effect("boot_ms", "until the server is up again", "ms", "none", "exponential", expected="lower"),
    Effect("recovery_ms", "from then until the last client is back", "ms", "none", "exponential"),
    Effect("lost", "messages lost", "", "none", "exponential", expected="same", kind="difference"),
)


def verdict(effects: Effects) -> str:
    attempts, peak = effects["attempts_per_client", "exponential"], effects["let_in_peak", "exponential"]
    lost, back = effects["lost", "exponential"], effects["recovery_ms", "exponential"]
    if not (attempts.proven and peak.proven):
        return "It is not shown that backoff changes anything here."
    kept = "With cursors and a server that keeps its messages, nothing was lost."
    return (
        f"Back off exponentially with full jitter: {brief(attempts.arm)} attempts per client instead of "
        f"{brief(attempts.base)}, and the server admits at most {brief(peak.arm)} clients in 100 ms where a fixed "
        f"delay has {brief(peak.base)} ({change_text(peak)}). It costs time: the last client is back "
        f"{quantity(back.arm, 'ms')} after the server, not {quantity(back.base, 'ms')}"
        f"{'' if back.proven else ' (not proven)'}. {kept if lost.base == lost.arm == 0 else 'Messages WERE lost.'}"
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """Attempts per 100 ms since the crash; the scales are logarithmic, or two of three arms would be flat."""
    what = "attempts to connect per 100 ms (log)"
    return over_time(points, look, what, "since the crash", "the server is up again", log=True)
