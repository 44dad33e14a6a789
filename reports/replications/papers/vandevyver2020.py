"""PURE. Polling against SSE for open data: who scales further, and from which latency goal on polling is cheaper."""

from collections.abc import Iterable, Mapping
from math import inf, nan
from typing import Final

from loadtests.scenario.plan import Plan
from loadtests.scenario.scenarios import Scenario
from reports.replications import PublishedClaim
from reports.validity.evidence import Evidence

TITLE: Final = "Van de Vyver, Colpaert and Verborgh 2020: polling or SSE for live open data"
SOURCE: Final = (
    "B. Van de Vyver, P. Colpaert and R. Verborgh, Comparing a polling and push-based approach for live open data "
    "interfaces, ICWE 2020; brechtvdv/Article-Live-Open-Data-Interfaces@767ad5b, content/benchmark.md"
)
SETUP: Final = (
    "5.2 kB of JSON every 5 s, from one thread of Node; clients poll half a second after each answer, or listen to SSE."
)
PUBLISHED: Final = (
    "Polling: most within 1 s up to 2,000 clients, unusable past 5,000, memory below 100 MiB whatever the number. "
    "SSE: 5,000 "
    "clients within 1 s, 25,000 within 4, memory linear. Polling is the cheaper choice only for a goal above 10 s. "
    "Requests/s = users / acceptable latency."
)
SCALED: Final = (
    "400 clients instead of 25,000 and a message a second instead of one in five: this is two cores that also carry "
    "the "
    "clients. The break-even is worked out for their rate. nginx's cache is not in it."
)
CHART: Final = ("open-data", "latency-by-clients")

CLIENTS: Final = (100, 200, 400)
POLL_S: Final = 0.5
THEIR_RATE_PER_S: Final = 0.2
MIB: Final = 2**20


def stages() -> dict[str, Plan]:
    scenario = Scenario(
        name="feed",
        purpose="live open data",
        clients=CLIENTS,
        schedule="steady:1",
        message_bytes=5_200,
        poll_interval_s=POLL_S,
        window_s=12.0,
    )
    return {"open-data": Plan(scenario, ("short_polling", "sse"), 1)}


def claims(stages: Mapping[str, Evidence]) -> Iterable[PublishedClaim]:
    data = stages["open-data"]
    polls, streams = ({n: data.row(pattern, clients=n) for n in CLIENTS} for pattern in ("short_polling", "sse"))
    most, half = CLIENTS[-1], CLIENTS[-2]
    for label, rows, published in (
        ("polling", polls, "most, up to 2,000 clients"),
        ("SSE", streams, "up to 5,000 clients"),
    ):
        yield PublishedClaim(
            f"99 % latency of {label}, {most} clients",
            f"below 1 s for {published}",
            "below 1,000",
            rows[most]["p99_ms"],
            "ms",
            0,
            1000,
            "well below what either held then",
        )
    growth = streams[most]["memory_per_client_bytes"] / streams[half]["memory_per_client_bytes"]
    yield PublishedClaim(
        f"SSE's memory for each client, {most} over {half} clients",
        "linear",
        "1",
        growth,
        "",
        0.7,
        1.3,
        "memory that is linear in clients is constant for each",
    )
    memory_mib = polls[most]["memory_per_client_bytes"] * most / MIB
    yield PublishedClaim(
        f"polling's memory, {most} clients",
        "below 100 MiB, flat",
        "below 100",
        memory_mib,
        "MiB",
        -inf,
        100,
        "a poll leaves nothing behind but its connection",
    )
    asked = polls[most]["responses_per_s"] / (most / POLL_S)
    yield PublishedClaim(
        "requests/s over users / interval", "1 (their equation 1)", "1", asked, "", 0.97, 1.03, "fixed instants (O1)"
    )
    spread = {n: broadcast_spread_ms(data, n) for n in (half, most)}
    yield PublishedClaim(
        f"from SSE's first to its last client, {most} over {half} clients",
        "one loop writes to each in turn",
        f"{most / half:g}",
        spread[most] / spread[half],
        "",
        1.3,
        3.0,
        "the last of N waits N writes (O4)",
    )
    per_request_ms = polls[most]["server_cpu_share"] * 1000 / polls[most]["responses_per_s"]
    per_delivery_ms = streams[most]["cpu_ms_per_1000"] / 1000
    break_even_s = per_request_ms / (THEIR_RATE_PER_S * per_delivery_ms)
    yield PublishedClaim(
        "poll interval from which polling costs less CPU than SSE, a message every 5 s",
        "above 10 s",
        "above 10",
        break_even_s,
        "s",
        10,
        inf,
        "cost of a request over rate times cost of a delivery (O7); that SSE is the cheaper one below 10 s must agree",
    )
    yield PublishedClaim(
        f"SSE's memory, {most} clients",
        "",
        "",
        streams[most]["memory_per_client_bytes"] * most / MIB,
        "MiB",
        nan,
        nan,
        "no figure published for so few",
    )


def broadcast_spread_ms(data: Evidence, clients: int) -> float:
    """From a message's first arrival to its last: the lower quartile over messages, which a busy machine spares."""
    own = data.latency[(data.latency["pattern"] == "sse") & (data.latency["clients"] == clients)]
    arrivals = own.groupby(["cell", "id"], observed=True)["received_ns"].agg(["min", "max"])
    return float((arrivals["max"] - arrivals["min"]).quantile(0.25) / 1e6)
