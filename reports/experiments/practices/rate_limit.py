"""One client polls as fast as it can among many that do not: what a token bucket does for the many."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from loadtests.probes.stage import EACH_ITS_OWN, NOBODY_ELSE, Stage
from loadtests.scenario.scenarios import Scenario
from reports.basics.units import quantity
from reports.charts.style import Look
from reports.experiments import Effect, Effects, Observation
from reports.experiments.effects import change_text
from reports.experiments.practices._crowds import (
    S,
    bin_points,
    brief,
    cpu_percent,
    over_time,
    p99_ms,
    per_bin,
    rows,
    within,
)

TITLE: Final = "A rate limit against one greedy client"
ADVICE: Final = "Limit the rate of each client with a token bucket: 429 and Retry-After protect the others."
MECHANISM: Final = (
    "A server that answers one request after the other shares its time by who asks, not fairly: a client without a "
    "pause takes whatever the others leave, and they queue behind it. A bucket refuses what comes too often. What that "
    "saves is the difference between an answer and a refusal, unless the client heeds Retry-After: then it is the "
    "whole request."
)
LIMITS: Final = (
    "An empty poll is about the cheapest answer there is, so refusing saves the least here; where an answer costs a "
    "query, it saves more. The bucket is per address: clients behind one NAT share it, as the last arm shows. Clients "
    "and server share two cores, so the greedy one also takes time from the others' process."
)
ARMS: Final = {
    "off": "no limit",
    "on": "10/s for each address; the greedy one heeds Retry-After",
    "deaf": "the same; the greedy one does not heed it",
    "nat": "as 10/s, and all others share one address",
}
EFFECTS: Final = (
    Effect("p99_ms", "p99 of the others' answers", "ms", "off", "on", expected="lower"),
    Effect("cpu", "server, percent of a core", "", "off", "on", expected="lower"),
    Effect("greedy_per_s", "answers a second to the greedy one", "", "off", "on", expected="lower"),
    Effect("refused", "share of the others' polls refused", "%", "off", "on", expected="same", kind="difference"),
    Effect("p99_ms", "p99 of the others, the greedy one deaf", "ms", "off", "deaf", expected="lower"),
    Effect("cpu", "server, percent of a core, the greedy one deaf", "", "off", "deaf", expected="lower"),
    Effect("greedy_per_s", "answers a second to it, deaf", "", "off", "deaf", expected="lower"),
    Effect("refused", "share of the others' polls refused, one address", "%", "on", "nat", "higher", "difference"),
)
LIMIT_PER_S: Final = 10
SHARED: Final = "127.0.0.3"
CONNECTIONS: Final = 20
"""Of the greedy client, each with one request after the other."""


def measure(arm: str, where: Path, *, quick: bool) -> Observation:
    window_s = 1.5 if quick else 5.0
    others = Scenario(
        name="others",
        purpose="clients that poll as they should",
        clients=(50,),
        schedule="poisson:1",
        poll_interval_s=0.5,
        spawn_per_s=200,
        source=SHARED if arm == "nat" else EACH_ITS_OWN,
    )
    greedy = replace(
        others,
        name="greedy",
        clients=(CONNECTIONS,),
        poll_interval_s=1e-4,
        source=NOBODY_ELSE,
        backoff="none" if arm == "deaf" else "exponential",
    )
    with Stage(where, "short_polling", {} if arm == "off" else {"--rate-limit": LIMIT_PER_S}) as stage:
        crowds = stage.crowd("others", others), stage.crowd("greedy", greedy)
        time.sleep(1.0)
        before = stage.sample()
        time.sleep(window_s)
        after = stage.sample()
        for crowd in crowds:
            crowd.end()
    mine, its = (within(rows(crowd, "requests"), "started_ns", before.at_ns, after.at_ns) for crowd in crowds)
    answered, refused = its[its["status"] == 200], its[its["status"] == 429]
    seconds = (after.at_ns - before.at_ns) / S
    figures = {
        "p99_ms": p99_ms((mine["ended_ns"] - mine["due_ns"])[mine["status"] == 200]),
        "cpu": cpu_percent(before, after),
        "greedy_per_s": len(answered) / seconds,
        "greedy_refused_per_s": len(refused) / seconds,
        "refused": float((mine["status"] == 429).mean()),
    }
    return Observation(figures, bin_points(per_bin(its["started_ns"], before.at_ns, after.at_ns)))


def verdict(effects: Effects) -> str:
    p99, cpu, deaf, nat = (
        effects[key] for key in (("p99_ms", "on"), ("cpu", "on"), ("cpu", "deaf"), ("refused", "nat"))
    )
    if not cpu.proven:
        return "It is not shown that a rate limit changes anything here."
    return (
        f"Limit each client: with one that heeds Retry-After, the server needs {brief(cpu.arm)} % of a core, not "
        f"{brief(cpu.base)}, and the p99 of the others changes by {change_text(p99)} (from {quantity(p99.base, 'ms')})"
        f"{'' if p99.proven else ', which is not proven'}. A refusal alone saves little: with one that asks on, the "
        f"server still needs {brief(deaf.arm)} %. Key the limit by more than the address: behind one NAT, "
        f"{quantity(nat.arm, '%')} of the innocent polls were refused."
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """What the greedy client sent, per 100 ms."""
    return over_time(points, look, "requests of the greedy client per 100 ms (log)", log=True)
