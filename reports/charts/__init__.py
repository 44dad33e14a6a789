"""Scene in, Figure out: one function per chart, and the list of all of them in the order of the page."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from matplotlib.figure import Figure

from loadtests.scenario.dimensions import CLIENTS, RATE, RTT, Dimension
from reports.charts import breakdown, cost, latency, sweep, words
from reports.charts.chart_data import Scene
from reports.charts.theory import theory
from reports.charts.timeline import timeline

RINGS: Final = "A ring marks where one pattern overtakes another."


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of the page. `reading`: how to read it, in a sentence; `applies`: whether a scene has what it shows.

    along: the dimension that it shows all of; None for a chart of one scene. words: what it shows, for those who cannot
    see it.
    """

    name: str
    title: str
    reading: str
    draw: Callable[[Scene], Figure]
    words: Callable[[Scene], str]
    applies: Callable[[Scene], bool] = lambda _scene: True
    along: Dimension | None = None


CHARTS: Final = (
    Chart(
        "latency-by-rate",
        "Latency as messages become more frequent",
        "A message that comes between two long polls waits for the next one; this happens more often with more "
        f"messages. {RINGS}",
        partial(sweep.latency, along=RATE),
        partial(words.sweep, along=RATE, shown=sweep.LATENCIES),
        partial(sweep.is_sweep, along=RATE),
        RATE,
    ),
    Chart(
        "cost-by-rate",
        "Cost as messages become more frequent",
        "A request costs the same whether it brings one message or ten, so polling becomes cheaper per message; a "
        f"stream pays for each message. {RINGS}",
        partial(sweep.linear, along=RATE, shown=sweep.COSTS_OF_A_DELIVERY),
        partial(words.sweep, along=RATE, shown=sweep.COSTS_OF_A_DELIVERY),
        partial(sweep.is_sweep, along=RATE),
        RATE,
    ),
    Chart(
        "requests-by-rate",
        "Requests as messages become more frequent",
        "Left: below 1, a response brings several messages. Right: the share of polls that found nothing.",
        partial(sweep.linear, along=RATE, shown=sweep.REQUESTS),
        partial(words.sweep, along=RATE, shown=sweep.REQUESTS),
        partial(sweep.is_sweep, along=RATE),
        RATE,
    ),
    Chart(
        "latency-by-rtt",
        "Latency as clients are further away",
        "Dotted: half a round trip, the least that the network allows. A line above it shows the cost of requests: a "
        f"message that comes while the next long poll is in transit has to wait for it. {RINGS}",
        partial(sweep.latency, along=RTT),
        partial(words.sweep, along=RTT, shown=sweep.LATENCIES),
        partial(sweep.is_sweep, along=RTT),
        RTT,
    ),
    Chart(
        "cost-by-rtt",
        "Cost as clients are further away",
        "A falling line means that messages come in batches, which need fewer requests.",
        partial(sweep.linear, along=RTT),
        partial(words.sweep, along=RTT, shown=sweep.COSTS),
        partial(sweep.varies, along=RTT),
        RTT,
    ),
    Chart(
        "timeline",
        "How each pattern works",
        "A few seconds of one client. Thin vertical lines: a message is due. Above, each message is a line from due to "
        "arrival (dot): its length is the latency. Below, each request is a bar: pale while it waits or stays open, "
        "a tick for each message it brings, a triangle for each push.",
        timeline,
        words.timeline,
        lambda scene: scene.has_rows,
    ),
    Chart(
        "latency",
        "How fast messages arrive",
        "Further left is faster; the median is at 50 %. The lines are medians of the repeats, the pale bands "
        "their range.",
        latency.ecdf,
        words.distribution,
    ),
    Chart(
        "percentiles",
        "Tail latency",
        "Each step to the right shows deliveries that are ten times rarer: at 99 %, one in a hundred is slower.",
        latency.spectrum,
        words.tail,
    ),
    Chart(
        "theory",
        "Measured latency beside theory",
        "Solid: measured. Dashed: theory for the same messages. Where only one line shows, the two "
        "coincide. Each panel has its own scale.",
        theory,
        words.theory,
    ),
    Chart(
        "over-time",
        "Latency over time",
        "Dots are single deliveries at their due instants; the line is their running median. A slope means that "
        "the run was not steady; a column of dots, that one message was slow for all clients.",
        latency.over_time,
        words.over_time,
        lambda scene: scene.has_rows,
    ),
    Chart(
        "latency-parts",
        "Parts of latency",
        "A ring: how late the publisher was. A dot: server and network, and for polls the wait until the next "
        "request. A grey square: the message waited in the client's kernel until the load generator read it, which is "
        "part of the measurement, not of the pattern. Each step of the scale is ten times as long. A dash: too few "
        "messages came alone, so the parts are unknown.",
        breakdown.parts,
        words.parts,
        breakdown.is_known,
    ),
    Chart(
        "fan-out",
        "How a message reaches one client after the other",
        "Left: the first client that got a message; right: the last. The line is the median over messages. A line that "
        "rises shows a broadcast: the last client waits longer than the first. Grey, as above, is the load generator.",
        breakdown.fan_out,
        words.fan_out,
        breakdown.is_broadcast,
    ),
    Chart(
        "requests",
        "Requests per message",
        "Short bars are better. Requests that find nothing are the cost of polling; a stream needs one request.",
        cost.requests,
        words.requests,
    ),
    Chart(
        "bytes",
        "Network traffic",
        "Solid: the message with its framing. Pale: headers, empty responses and heartbeats. "
        "Vertical line: TCP bytes, as the kernel counted them.",
        cost.traffic,
        words.traffic,
    ),
    Chart(
        "server",
        "Server cost",
        "Short bars are better; a thin line spans the repeats.",
        cost.server,
        words.server,
        lambda scene: bool(scene.rows["cpu_ms_per_1000"].notna().any()),
    ),
    Chart(
        "latency-by-clients",
        "Latency as clients are added",
        f"A line that bends upwards shows a server, or a load generator, at its limit. {RINGS}",
        sweep.latency,
        partial(words.sweep, along=CLIENTS, shown=sweep.LATENCIES),
        sweep.is_sweep,
        CLIENTS,
    ),
    Chart(
        "cost-by-clients",
        "Cost as clients are added",
        f"A flat line means that each further client costs as much as the one before. {RINGS}",
        sweep.linear,
        partial(words.sweep, along=CLIENTS, shown=sweep.COSTS),
        sweep.is_sweep,
        CLIENTS,
    ),
)
