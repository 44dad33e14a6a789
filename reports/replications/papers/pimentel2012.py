"""PURE. When is long polling as fast as WebSocket? When a round trip fits between two samples."""

from collections.abc import Iterable, Mapping
from math import inf, nan
from typing import Final

from loadtests.scenario.plan import Plan
from loadtests.scenario.scenarios import Scenario
from reports.replications import PublishedClaim
from reports.validity.evidence import Evidence

TITLE: Final = "Pimentel and Nickerson 2012: the half-interval rule"
SOURCE: Final = (
    "V. Pimentel and B. G. Nickerson, Communicating and Displaying Real-Time Data with WebSocket, IEEE Internet "
    "Computing 16(4), 2012, doi 10.1109/MIC.2012.64; the rule as quoted by Van de Vyver et al. 2020"
)
SETUP: Final = (
    "A wind sensor sends four samples a second through Jetty to browsers at several distances; polling, long polling "
    "and "
    "WebSocket are compared by one-way latency."
)
PUBLISHED: Final = (
    "Long polling is about as fast as WebSocket when the one-way latency is below half the sample interval."
)
SCALED: Final = (
    "The same rate and five distances, made by the relay; ten clients of each pattern instead of one. Only the rule is "
    "judged: the paper's figures for each site are not at hand."
)
CHART: Final = ("wan", "latency-by-rtt")

INTERVAL_MS: Final = 250.0
ROUND_TRIPS_MS: Final = (20.0, 100.0, 200.0, 250.0, 400.0)
POLL_S: Final = 0.35
"""Not commensurate with the interval: polls that keep step with the samples would all find them at one age."""
SURE: Final = 0.85
"""Below this share of the threshold a turnaround of milliseconds cannot reach it; above its inverse neither."""


def stages() -> dict[str, Plan]:
    scenario = Scenario(
        name="feed",
        purpose="a sensor that reports four times a second",
        clients=(10,),
        schedule=f"steady:{1000 / INTERVAL_MS:g}",
        poll_interval_s=POLL_S,
        window_s=8.0,
        rtt_ms=ROUND_TRIPS_MS,
    )
    return {"wan": Plan(scenario, ("short_polling", "long_polling", "websocket"), 1)}


def claims(stages: Mapping[str, Evidence]) -> Iterable[PublishedClaim]:
    wan = stages["wan"]
    for rtt_ms in ROUND_TRIPS_MS:
        held, stream = (wan.row(pattern, rtt_ms=rtt_ms) for pattern in ("long_polling", "websocket"))
        extra_ms = held["mean_ms"] - stream["mean_ms"]
        gap_ms = rtt_ms + held["turnaround_ms"]
        what = f"long polling is slower than WebSocket, {rtt_ms / 2:g} ms one way"
        if gap_ms < SURE * INTERVAL_MS:
            basis = f"the next request is back after {gap_ms:.0f} ms, before the next sample: nothing waits (O2)"
            yield PublishedClaim(what, "about level", "0", extra_ms, "ms", -inf, INTERVAL_MS / 20, basis)
        elif gap_ms > INTERVAL_MS / SURE:
            basis = f"each answer finds samples of {gap_ms:.0f} ms waiting, half of that on average (O2)"
            expected = gap_ms / 2
            yield PublishedClaim(
                what, "slower", f"{expected:.0f}", extra_ms, "ms", 0.75 * expected, 1.25 * expected, basis
            )
        else:
            basis = "at the threshold itself a drift of a millisecond decides, so nothing is judged here"
            yield PublishedClaim(what, "at the threshold", "", extra_ms, "ms", nan, nan, basis)
