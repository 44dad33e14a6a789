"""Do clients that poll together make a peak, and does jitter remove it?"""

from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from reports.basics.units import quantity
from reports.charts.style import Look
from reports.experiments import Effect, Effects
from reports.experiments.effects import brief, change_text
from reports.experiments.over_time import over_time

TITLE: Final = "A thundering herd, with and without jitter"
ADVICE: Final = (
    "Spread polls over their interval and add jitter to every request, so that clients do not come together."
)
MECHANISM: Final = (
    "Requests that come in the same instant are served one after the other, so the last of N waits for N - 1 others, "
    "while the server idles for the rest of the interval. Clocks (jobs on the minute), a restart or a broadcast make "
    "clients come together, and equal intervals keep them together. Jitter lets them drift apart."
)
LIMITS: Final = (
    "The height of a peak depends only on N over the interval; how long its last client waits depends on the cost of a "
    "request. Here clients and server share two cores and all clients one process, which is late too when a herd "
    "comes. Jitter on holds does nothing for the herd that a broadcast itself makes: all of its readers ask again at "
    "once."
)
ARMS: Final = {
    "together": "short polls, all by the clock",
    "jitter": "each gap up to half longer or shorter",
    "spread": "start spread over the interval",
    "held": "long polls after a broadcast",
    "held-jitter": "each hold up to 1/16 longer",
}
EFFECTS: Final = (
    Effect("peak", "most requests in 100 ms, start spread", "", "together", "spread", expected="lower"),
    Effect("p99_ms", "p99 response time, start spread", "ms", "together", "spread", expected="lower"),
    Effect("requests_per_s", "requests per second, start spread", "", "together", "spread", expected="same"),
    Effect("peak", "most requests in 100 ms, jitter on each gap", "", "together", "jitter", expected="lower"),
    Effect("p99_ms", "p99 response time, jitter on each gap", "ms", "together", "jitter", expected="lower"),
    Effect("peak", "most in 100 ms as holds end, jitter on holds", "", "held", "held-jitter", expected="lower"),
    Effect("broadcast_peak", "most in 100 ms after the broadcast, jitter on holds", "", "held", "held-jitter", "same"),
    Effect("lost", "messages lost, jitter on holds", "", "held", "held-jitter", "same", kind="difference"),
)


def verdict(effects: Effects) -> str:
    spread, p99 = effects["peak", "spread"], effects["p99_ms", "spread"]
    jitter, hold = effects["peak", "jitter"], effects["peak", "held-jitter"]
    if not (spread.proven and p99.proven):
        return "It is not shown that spreading polls changes anything here."
    broadcast = effects["broadcast_peak", "held-jitter"]
    return (
        f"Spread the start: the peak falls from {brief(spread.base)} to {brief(spread.arm)} requests in 100 ms, and "
        f"the p99 response time from {quantity(p99.base, 'ms')} to {quantity(p99.arm, 'ms')}. Where clients start "
        f"together all the same, jitter on each gap changes the peak by {change_text(jitter)}"
        f"{'' if jitter.proven else ' (not proven)'}. Jitter on holds changes it by {change_text(hold)}"
        f"{'' if hold.proven else ' (not proven)'} as they end, but the {brief(broadcast.arm)} clients that ask again "
        "after a broadcast come together as before."
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """One panel for each arm, all on one scale: requests per 100 ms over time, the repeats on top of each other."""
    return over_time(points, look, "requests per 100 ms")
