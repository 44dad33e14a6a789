"""What does a token bucket do for many clients against one that polls as fast as it can?"""

from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from reports.basics.units import quantity
from reports.charts.style import Look
from reports.experiments import Effect, Effects
from reports.experiments.effects import brief, change_text
from reports.experiments.over_time import over_time

TITLE: Final = "A rate limit against one greedy client"
ADVICE: Final = "Limit the rate of each client with a token bucket: 429 and Retry-After protect the others."
MECHANISM: Final = (
    "A server that answers one request after the other gives its time to the clients that ask most: a client without a "
    "pause takes all that the others leave, and they queue behind it. A bucket refuses requests that come too often. "
    "It saves the difference between an answer and a refusal; when the client heeds Retry-After, it saves the whole "
    "request."
)
LIMITS: Final = (
    "An empty poll is about the cheapest answer there is, so a refusal saves least here; where an answer costs a "
    "query, it saves more. The bucket is per address: clients behind one NAT share it, as the last arm shows. Clients "
    "and server share two cores, so the greedy client also takes time from the others' process."
)
ARMS: Final = {
    "off": "no limit",
    "on": "10/s per address; the greedy client heeds Retry-After",
    "deaf": "10/s per address; the greedy client ignores Retry-After",
    "nat": "as 10/s, and all others share one address",
}
EFFECTS: Final = (
    Effect("p99_ms", "p99 of the others' answers", "ms", "off", "on", expected="lower"),
    Effect("cpu", "server, percent of a core", "", "off", "on", expected="lower"),
    Effect("greedy_per_s", "answers per second to the greedy client", "", "off", "on", expected="lower"),
    Effect("refused", "share of the others' polls refused", "%", "off", "on", expected="same", kind="difference"),
    Effect("p99_ms", "p99 of the others, Retry-After ignored", "ms", "off", "deaf", expected="lower"),
    Effect("cpu", "server, percent of a core, Retry-After ignored", "", "off", "deaf", expected="lower"),
    Effect("greedy_per_s", "answers per second, Retry-After ignored", "", "off", "deaf", expected="lower"),
    Effect("refused", "share of the others' polls refused, one address", "%", "on", "nat", "higher", "difference"),
)


def verdict(effects: Effects) -> str:
    p99, cpu, ignored, nat = (
        effects[key] for key in (("p99_ms", "on"), ("cpu", "on"), ("cpu", "deaf"), ("refused", "nat"))
    )
    if not cpu.proven:
        return "It is not shown that a rate limit changes anything here."
    return (
        f"Limit each client: when the greedy client heeds Retry-After, the server needs {brief(cpu.arm)} % of a core, "
        f"not {brief(cpu.base)}, and the p99 of the others changes by {change_text(p99)} (from "
        f"{quantity(p99.base, 'ms')}){'' if p99.proven else ', which is not proven'}. A refusal alone saves little: "
        f"when the client ignores Retry-After, the server still needs {brief(ignored.arm)} %. Do not limit by address "
        f"alone: behind one NAT, {quantity(nat.arm, '%')} of the innocent polls were refused."
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """The requests of the greedy client, per 100 ms."""
    return over_time(points, look, "requests of the greedy client per 100 ms (log)", log=True)
