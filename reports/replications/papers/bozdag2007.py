"""PURE. Pull against push for a ticker: what a wrong interval loses, and what it wastes."""

from collections.abc import Iterable, Mapping
from math import inf, nan
from typing import Final

from loadtests.scenario.plan import Plan
from loadtests.scenario.scenarios import Scenario
from reports.replications import PublishedClaim
from reports.validity.evidence import Evidence

TITLE: Final = "Bozdag, Mesbah and van Deursen 2007: coherence of pull and push"
SOURCE: Final = "E. Bozdag, A. Mesbah and A. van Deursen, TUD-SERG-2007-016a, arXiv 0706.3984"
SETUP: Final = (
    "A stock ticker publishes every 1 to 50 s; 100 to 1,000 clients pull (DWR) every 1 to 50 s, or CometD pushes to "
    "them."
)
PUBLISHED: Final = (
    "Push is more coherent. Pulling less often than is published loses updates, more often wastes traffic; only an "
    "equal interval is good. Push cost the server seven times the CPU of pull, and saturated at 350 to 500 users."
)
SCALED: Final = (
    "Ten times as fast: a price every 0.5 s, 30 clients that pull every 0.25, 0.5, 1 and 2 s, or are pushed to by "
    "SSE. Our clients have a cursor and lose nothing; counted as unseen is what a client of the newest price alone "
    "would not have seen. Their factor of seven is not judged: their push held a thread for each client."
)
CHART: Final = ("pull-1s", "timeline")

PUBLISH_S: Final = 0.5
PULL_S: Final = (0.25, 0.5, 1.0, 2.0)
LEEWAY: Final = 0.04
"""The window cuts a response at either end, and a poll that is late by a millisecond finds one message more."""


def stages() -> dict[str, Plan]:
    def plan(pattern: str, pull_s: float) -> Plan:
        scenario = Scenario(
            name="feed",
            purpose="a ticker",
            clients=(30,),
            schedule=f"steady:{1 / PUBLISH_S:g}",
            poll_interval_s=pull_s,
            window_s=12.0,
            drain_s=2.5,
        )
        return Plan(scenario, (pattern,), 1)

    return {f"pull-{pull_s:g}s": plan("short_polling", pull_s) for pull_s in PULL_S} | {"push": plan("sse", 1.0)}


def claims(stages: Mapping[str, Evidence]) -> Iterable[PublishedClaim]:
    push = stages["push"].row("sse")
    pulls = {pull_s: stages[f"pull-{pull_s:g}s"] for pull_s in PULL_S}
    rows = {pull_s: pull.row("short_polling") for pull_s, pull in pulls.items()}
    for pull_s, pull in pulls.items():
        yield _share("updates unseen", "lost", pull_s, unseen_ratio(pull), 1 - PUBLISH_S / pull_s, "publish over pull")
    for pull_s, row in rows.items():
        yield _share(
            "empty responses", "wasted", pull_s, row["empty_ratio"], 1 - pull_s / PUBLISH_S, "pull over publish"
        )
    fastest = min(row["mean_ms"] for row in rows.values())
    yield PublishedClaim(
        "mean latency of push, as a share of the best pull's",
        "push is more coherent",
        "below 0.1",
        push["mean_ms"] / fastest,
        "",
        0.0,
        0.1,
        "a pull waits for half its interval (O1), a push for none of it (O4)",
    )
    cpu = {pull_s: push["server_cpu_share"] / row["server_cpu_share"] for pull_s, row in rows.items()}
    yield PublishedClaim(
        f"push's CPU over pull's, relative between pulls every {PULL_S[-1]:g} s and every {PULL_S[0]:g} s",
        "push costs more",
        "above 1",
        cpu[PULL_S[-1]] / cpu[PULL_S[0]],
        "",
        1.0,
        inf,
        "a poll costs whether or not it brings something, so there is no one factor but a crossover (O7)",
    )
    for pull_s, ratio in cpu.items():
        basis = "not judged: theirs is a thread for each client, ours a write"
        yield PublishedClaim(
            f"push's CPU over that of pulling every {pull_s:g} s",
            "7 (at equal intervals)",
            "",
            ratio,
            "",
            nan,
            nan,
            basis,
        )


def _share(what: str, published: str, pull_s: float, measured: float, formula: float, ratio: str) -> PublishedClaim:
    expected = max(0.0, formula)
    return PublishedClaim(
        f"{what}, pulling every {pull_s:g} s",
        published if expected else "none",
        f"{expected:.2f}",
        measured,
        "",
        expected - LEEWAY,
        expected + LEEWAY,
        f"1 less {ratio} interval (O1, periodic)",
    )


def unseen_ratio(pull: Evidence) -> float:
    """Share of the deliveries that were not the newest of their response: arrivals of a user at one instant are one.

    The window cuts a user's first and last response, so these do not count.
    """
    arrivals = pull.latency.groupby(["cell", "user", "received_ns"], observed=True).size()
    users = arrivals.groupby(["cell", "user"], observed=True)
    whole = arrivals[(users.cumcount() > 0) & (users.cumcount(ascending=False) > 0)]
    return float(1 - len(whole) / whole.sum())
