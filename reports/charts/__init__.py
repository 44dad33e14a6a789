"""Scene in, Figure out: one function a chart, and the list of all of them in the order of the page."""

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
        "A long poll that is on its way back when a message comes lets it wait, which happens the more often the more "
        f"messages there are. {RINGS}",
        partial(sweep.latency, along=RATE),
        partial(words.sweep, along=RATE, shown=sweep.LATENCIES),
        partial(sweep.is_sweep, along=RATE),
        RATE,
    ),
    Chart(
        "cost-by-rate",
        "Cost as messages become more frequent",
        "A request costs the same whether it brings one message or ten, so polling becomes cheaper by the message; a "
        f"stream pays for each. {RINGS}",
        partial(sweep.linear, along=RATE, shown=sweep.COSTS_OF_A_DELIVERY),
        partial(words.sweep, along=RATE, shown=sweep.COSTS_OF_A_DELIVERY),
        partial(sweep.is_sweep, along=RATE),
        RATE,
    ),
    Chart(
        "requests-by-rate",
        "Asking as messages become more frequent",
        "On the left, below 1 an answer brings several messages. On the right, polls that were for nothing.",
        partial(sweep.linear, along=RATE, shown=sweep.REQUESTS),
        partial(words.sweep, along=RATE, shown=sweep.REQUESTS),
        partial(sweep.is_sweep, along=RATE),
        RATE,
    ),
    Chart(
        "latency-by-rtt",
        "Latency as clients are further away",
        "Dotted: half a round trip, the least that the network allows. A line that leaves it pays for asking: a "
        f"message that comes while the next long poll is still on its way has to wait for it. {RINGS}",
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
    ),
    Chart(
        "latency",
        "How fast messages arrive",
        "Further left is faster: at 50 % stands the median. The lines are medians of the repeats, the pale bands "
        "their range.",
        latency.ecdf,
        words.distribution,
    ),
    Chart(
        "percentiles",
        "How bad the slow ones are",
        "Each step to the right looks at ten times rarer deliveries: at 99 %, one in a hundred is slower.",
        latency.spectrum,
        words.tail,
    ),
    Chart(
        "theory",
        "Whether theory agrees",
        "What was measured, and dashed what theory says of the very same messages; where only one line shows, the two "
        "coincide. Each panel has a scale of its own.",
        theory,
        words.theory,
    ),
    Chart(
        "over-time",
        "Whether it stays that way",
        "Dots are single deliveries, placed where they were due; the line is their running median. A slope means that "
        "the run was not steady, a column of dots that one message was slow for everyone.",
        latency.over_time,
        words.over_time,
    ),
    Chart(
        "whose-time",
        "Whose time it was",
        "A ring: how late the publisher was. A dot: the server and the network, for a poll also the wait for it to be "
        "asked. A grey square: ours, the message lay in the client's kernel until the load generator read it; that "
        "belongs to the measurement and not to the pattern. Each step of the scale is ten times as long. A dash: too "
        "few of them came alone, so nobody knows.",
        breakdown.whose,
        words.whose,
        breakdown.is_known,
    ),
    Chart(
        "fan-out",
        "How a message reaches one client after the other",
        "Left the first client that had a message, right the last; the line is the median over messages. A line that "
        "rises is a broadcast that drains: what the last client waits, the first does not. Grey, as above, is ours.",
        breakdown.fan_out,
        words.fan_out,
        breakdown.is_broadcast,
    ),
    Chart(
        "requests",
        "How often clients ask",
        "Short bars are better. Requests that find nothing are the price of polling; a stream asks once.",
        cost.requests,
        words.requests,
    ),
    Chart(
        "bytes",
        "What goes over the network",
        "Solid: the message with its own framing. Pale: heads, empty responses and heartbeats around it. "
        "Upright line: what the kernel counted in TCP.",
        cost.traffic,
        words.traffic,
    ),
    Chart(
        "server",
        "What the server spends",
        "Short bars are better; a hair spans the repeats.",
        cost.server,
        words.server,
        lambda scene: bool(scene.rows["cpu_ms_per_1000"].notna().any()),
    ),
    Chart(
        "latency-by-clients",
        "Latency as clients are added",
        f"A line that bends upwards is a server, or a load generator, that runs out of time. {RINGS}",
        sweep.latency,
        partial(words.sweep, along=CLIENTS, shown=sweep.LATENCIES),
        sweep.is_sweep,
        CLIENTS,
    ),
    Chart(
        "cost-by-clients",
        "Cost as clients are added",
        f"A flat line means that a client more costs as much as the one before. {RINGS}",
        sweep.linear,
        partial(words.sweep, along=CLIENTS, shown=sweep.COSTS),
        sweep.is_sweep,
        CLIENTS,
    ),
)
