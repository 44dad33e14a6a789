"""Scene in, Figure out: one function a chart, and the list of all of them in the order of the page."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from matplotlib.figure import Figure

from reports.charts import cost, latency, sweep
from reports.charts.theory import theory
from reports.charts.timeline import timeline
from reports.scene import Scene


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of the page. `reading`: how to read it, in a sentence; `applies`: whether a scene has what it shows."""

    name: str
    title: str
    reading: str
    draw: Callable[[Scene], Figure]
    applies: Callable[[Scene], bool] = lambda _scene: True


CHARTS: Final = (
    Chart(
        "timeline",
        "How each pattern works",
        "A few seconds of one client. Thin vertical lines: a message is due. Above, each message is a line from due to "
        "arrival (dot): its length is the latency. Below, each request is a bar: pale while it waits or stays open, "
        "a tick for each message it brings, a triangle for each push.",
        timeline,
    ),
    Chart(
        "latency",
        "How fast messages arrive",
        "Further left is faster: at 50 % stands the median. The lines are medians of the repeats, the pale bands "
        "their range.",
        latency.ecdf,
    ),
    Chart(
        "percentiles",
        "How bad the slow ones are",
        "Each step to the right looks at ten times rarer deliveries: at 99 %, one in a hundred is slower.",
        latency.spectrum,
    ),
    Chart(
        "theory",
        "Whether theory agrees",
        "What was measured, and dashed what theory says of the very same messages; where only one line shows, the two "
        "coincide. Each panel has a scale of its own.",
        theory,
    ),
    Chart(
        "over-time",
        "Whether it stays that way",
        "Dots are single deliveries, placed where they were due; the line is their running median. A slope means that "
        "the run was not steady, a column of dots that one message was slow for everyone.",
        latency.over_time,
    ),
    Chart(
        "requests",
        "How often clients ask",
        "Short bars are better. Requests that find nothing are the price of polling; a stream asks once.",
        cost.requests,
    ),
    Chart(
        "bytes",
        "What goes over the network",
        "Solid: the message with its own framing. Pale: heads, empty responses and heartbeats around it. "
        "Upright line: what the kernel counted in TCP.",
        cost.traffic,
    ),
    Chart(
        "server",
        "What the server spends",
        "Short bars are better; a hair spans the repeats.",
        cost.server,
    ),
    Chart(
        "latency-by-clients",
        "Latency as clients are added",
        "A line that bends upwards is a server, or a load generator, that runs out of time.",
        sweep.latency_by_clients,
        sweep.CLIENTS.is_swept,
    ),
    Chart(
        "cost-by-clients",
        "Cost as clients are added",
        "A flat line means that a client more costs as much as the one before.",
        sweep.cost_by_clients,
        sweep.CLIENTS.is_swept,
    ),
    Chart(
        "latency-by-round-trip",
        "Latency as the network gets longer",
        "A stream waits for one way of the round trip; a long poll for up to three ways, and the more often something "
        "is published the more often so.",
        sweep.latency_by_round_trip,
        sweep.ROUND_TRIP.is_swept,
    ),
    Chart(
        "cost-by-round-trip",
        "Cost as the network gets longer",
        "The longer the way, the more messages a long poll brings at a time, and the less each costs.",
        sweep.cost_by_round_trip,
        sweep.ROUND_TRIP.is_swept,
    ),
)
