"""A real nginx before the server, with and without buffering, and one client of every pattern behind it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from loadtests.experiments.observations import Observation, Points
from loadtests.host.nginx_config import ProxyOptions
from loadtests.probes.followers import Followed
from loadtests.probes.proxied import Proxied, through

PROGRAMS: Final = {"nginx": "nginx"}
ARMS: Final[Mapping[str, ProxyOptions | None]] = {
    "buffered": ProxyOptions(http_1_0=True, honour_accel=False),
    "honoured": ProxyOptions(http_1_0=True),
    "unbuffered": ProxyOptions(http_1_0=True, honour_accel=False, buffering=False),
    "http11": ProxyOptions(honour_accel=False),
    "gzip": ProxyOptions(honour_accel=False, gzip=True),
    "gzip-honoured": ProxyOptions(gzip=True),
    "direct": None,
}
SCHEDULE: Final = "steady:20"
WINDOW_S: Final = 3.5
QUICK_WINDOW_S: Final = 1.0


def measure(arm: str, where: Path, *, quick: bool) -> Observation:
    seen = through(ARMS[arm], SCHEDULE, QUICK_WINDOW_S if quick else WINDOW_S, where)
    figures = {"missed": 0.0, "published": float(seen.published)}
    for pattern, got in seen.followed.items():
        figures["missed"] += seen.published - len(got.received_ns)
        figures |= figures_of(pattern, got) if got.received_ns else {}
    return Observation(figures, _points(seen))


def figures_of(pattern: str, got: Followed) -> dict[str, float]:
    first_ns = min(got.received_ns.values())
    latencies = [received_ns - got.due_ns[at] for at, received_ns in got.received_ns.items()]
    return {
        f"first_ms_{pattern}": (first_ns - min(got.due_ns.values())) / 1e6,
        f"worst_ms_{pattern}": max(latencies) / 1e6,
        f"behind_{pattern}": float(sum(due_ns < first_ns for due_ns in got.due_ns.values()) - 1),
        f"repeated_{pattern}": float(got.repeated),
    }


def _points(seen: Proxied) -> Points:
    return [
        {
            "pattern": pattern,
            "due_s": (got.due_ns[at] - seen.started_ns) / 1e9,
            "latency_ms": (received_ns - got.due_ns[at]) / 1e6,
            "proxy": seen.proxy,
        }
        for pattern, got in seen.followed.items()
        for at, received_ns in got.received_ns.items()
    ]
