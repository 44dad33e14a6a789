"""PURE. Long polling under a rate far above its comfort zone: what makes it survive is that answers carry batches."""

from collections.abc import Iterable, Mapping
from math import inf, nan
from typing import Final

from loadtests.scenario.plan import Plan
from loadtests.scenario.scenarios import Scenario
from reports.replications import PublishedClaim
from reports.theory.oracles import LongPoll
from reports.validity.evidence import Evidence

TITLE: Final = "CometD's own benchmark: messages a response"
SOURCE: Final = "CometD documentation, benchmarking.adoc, cometd/cometd@ac44759f2"
SETUP: Final = (
    "Long polling on one host: 1,000 clients, each in 10 of 100 rooms; 1,000 batches of 10 messages of 50 bytes, 10 "
    "ms apart. "
    "Each client is owed 92 messages a second."
)
PUBLISHED: Final = (
    "91,853 messages/s arrived in 36,083 responses/s (39.28 %, 2.55 messages each); latency 22.8 ms on average, "
    "22.3 ms median, 51.9 ms p99; 1,000,280 of 1,000,280 arrived."
)
SCALED: Final = (
    "100 clients at the same 92 messages a second each, at random instants, to everyone. Their clients were back after "
    "26.8 ms (the closed form for long polling, inverted), spent in a busy server; here the relay's round trip of 26 "
    "ms "
    "takes its place, so latency is compared with theory and not with theirs."
)
CHART: Final = ("published", "timeline")

RATE_PER_S: Final = 92.0
GENTLE_PER_S: Final = 10.0
ROUND_TRIP_MS: Final = 26.0
PUBLISHED_MESSAGES_PER_RESPONSE: Final = 91_853 / 36_083
CLIENTS: Final = 100


def stages() -> dict[str, Plan]:
    def plan(rate_per_s: float) -> Plan:
        scenario = Scenario(
            name="feed",
            purpose="a chat server's rate for each client",
            clients=(CLIENTS,),
            schedule=f"poisson:{rate_per_s:g}",
            message_bytes=50,
            window_s=8.0,
            rtt_ms=(ROUND_TRIP_MS,),
        )
        return Plan(scenario, ("long_polling",), 1)

    return {"published": plan(RATE_PER_S), "gentle": plan(GENTLE_PER_S)}


def claims(stages: Mapping[str, Evidence]) -> Iterable[PublishedClaim]:
    busy, gentle = (stages[name].row("long_polling") for name in ("published", "gentle"))
    per_response = 1 / busy["requests_per_delivery"]
    gap_s = (ROUND_TRIP_MS + busy["turnaround_ms"] + busy["lateness_p99_ms"]) / 1000
    theory = LongPoll(rate=RATE_PER_S, gap=gap_s, hold=30.0, delay=ROUND_TRIP_MS / 2000)
    published = PUBLISHED_MESSAGES_PER_RESPONSE
    yield PublishedClaim(
        "messages in each response",
        f"{published:.2f}",
        f"{published:.2f}",
        per_response,
        "",
        0.85 * published,
        1.15 * published,
        "the paper's figure, at its rate for each client and its gap between two requests",
    )
    mean_ms = theory.mean_latency * 1000
    yield PublishedClaim(
        "mean latency",
        "22.8 ms, their distance being none",
        f"{mean_ms:.1f}",
        busy["mean_ms"],
        "ms",
        0.85 * mean_ms,
        1.25 * mean_ms,
        "one way, and half a gap squared over the cycle (O2), with this run's own turnaround",
    )
    yield PublishedClaim("messages that never arrived", "0 of 1,000,280", "0", busy["missed"], "", 0, 0, "conservation")
    yield PublishedClaim(
        "server CPU for each delivery, as a share of that at 10 messages a second",
        "(RFC 6202: under load it degrades gracefully)",
        "below 1",
        busy["cpu_ms_per_1000"] / gentle["cpu_ms_per_1000"],
        "",
        -inf,
        1.0,
        "a response costs the same with two messages as with one",
    )
    yield PublishedClaim(
        "median latency", "22.3 ms", "", busy["p50_ms"], "ms", nan, nan, "their gap was a busy server, ours is distance"
    )
