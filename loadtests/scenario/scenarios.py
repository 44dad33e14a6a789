"""PURE. Named scenarios: how many clients wait for what, and what each scenario is for."""

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from loadtests.scenario.backoff import parse_retry
from loadtests.scenario.poll_timing import parse_pace
from loadtests.scenario.source_address import parse_source
from servers.feed.content import CONTENTS
from servers.feed.schedule import parse_schedule
from servers.relay.units import format_bandwidth, format_duration
from servers.settings.fault_specs import parse_fault

OPTIONS: Final = {
    "clients": "--clients",
    "schedule": "--schedule",
    "message_bytes": "--message-bytes",
    "poll_interval_s": "--poll-interval",
    "poll_pace": "--poll-pace",
    "poll_start": "--poll-start",
    "hold_timeout_s": "--hold-timeout",
    "one_per_response": "--one-per-response",
    "backoff": "--backoff",
    "source": "--source",
    "etag": "--etag",
    "no_keep_alive": "--no-keep-alive",
    "compress": "--compress",
    "content": "--content",
    "spawn_per_s": "--spawn-rate",
    "warmup_s": "--warmup",
    "window_s": "--window",
    "drain_s": "--drain",
    "rtt_ms": "--rtt",
    "jitter_ms": "--jitter",
    "bandwidth_bits_per_s": "--bandwidth",
    "network": "--network",
    "server": "--server",
    "fault": "--fault",
    "heartbeat_s": "--heartbeat",
    "silence_timeout_s": "--silence-timeout",
    "send_buffer_bytes": "--send-buffer",
}
"""The command line option that overrides a field of a named scenario."""


START: Final = ("spread", "together")
"""Of polls, see patterns/short_polling.py."""

RELAY, NETEM = NETWORKS = ("relay", "netem")
"""A process that passes bytes on later (servers/relay), or the kernel (netem.py)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One situation to measure. A cell is pattern x scenario x client count x round trip x message rate x repeat.

    Time in a cell: ramp (clients connect, nothing is published), warmup (publishing, not measured), window (every
    message due in it is measured), drain (publishing goes on until what was due in the window has had its chance
    to arrive). drain_s None means: the longest poll interval, half a second, and two round trips.
    schedule: when messages are due; several with commas between are a sweep of the rate, see `schedules`.
    poll_pace: how regular short polls are, see poll_timing.py; poll_start: whether they begin spread over the
    interval or together; one_per_response: a long poll brings one message at a time; backoff: how long a client
    waits after an error, see backoff.py; source: where clients connect from, see source_address.py (behind a relay
    the server sees the relay).
    etag: short polls say what they hold already, and get 304; no_keep_alive: a connection for each poll; compress:
    polls, JSON lines and SSE as gzip; content: what messages say, one of servers.feed.content.CONTENTS.
    What lies between clients and server: rtt_ms: round trips, each measured; jitter_ms: what a chunk may be late beyond
    that, uniform from 0; bandwidth_bits_per_s: of each connection in each direction, 0 for no limit; network: one of
    NETWORKS, who sees to it.
    server: command of a server to measure instead of ours (docs/howto/own-server.md); "" for none.
    fault: how the server is wrong on purpose (servers/settings/fault_specs.py), "" for not at all.
    target: what was typed to name a server that is not ours, "" for none; adapter: what came of it, as JSON
    (loadtests/foreign/spec.py).
    heartbeat_s: longest silence on a stream, 0 for no end; silence_timeout_s: how long a client bears one before it
    resumes elsewhere, 0 for ever; send_buffer_bytes: how far a stream's reader may lag, 0 for no limit.
    """

    name: str
    purpose: str
    clients: tuple[int, ...]
    schedule: str
    message_bytes: int = 200
    poll_interval_s: float = 1.0
    poll_pace: str = "rate"
    poll_start: str = "spread"
    hold_timeout_s: float = 30.0
    one_per_response: bool = False
    backoff: str = "exponential"
    source: str = ""
    etag: bool = False
    no_keep_alive: bool = False
    compress: bool = False
    content: str = CONTENTS[0]
    spawn_per_s: float = 200.0
    warmup_s: float = 0.5
    window_s: float = 5.0
    drain_s: float | None = None
    rtt_ms: tuple[float, ...] = (0.0,)
    jitter_ms: float = 0.0
    bandwidth_bits_per_s: int = 0
    network: str = RELAY
    server: str = ""
    target: str = ""
    adapter: str = ""
    fault: str = ""
    heartbeat_s: float = 15.0
    silence_timeout_s: float = 60.0
    send_buffer_bytes: int = 1_048_576

    def __post_init__(self) -> None:
        parse_pace(self.poll_pace)
        parse_retry(self.backoff)
        parse_source(self.source)
        checks: dict[str, tuple[bool, str]] = {
            "clients": (bool(self.clients) and all(1 <= n <= 50_000 for n in self.clients), "1 to 50000 each"),
            "schedule": (all(self.schedules), "a schedule that publishes"),
            "message_bytes": (0 <= self.message_bytes <= 1_000_000, "0 to 1000000"),
            "poll_interval_s": (0 < self.poll_interval_s <= 3600, "more than 0, at most 3600"),
            "poll_start": (self.poll_start in START, " or ".join(START)),
            "hold_timeout_s": (1 <= self.hold_timeout_s <= 300, "1 to 300"),
            "spawn_per_s": (0 < self.spawn_per_s <= 10_000, "more than 0, at most 10000"),
            "warmup_s": (0 <= self.warmup_s <= 86_400, "0 to 86400"),
            "window_s": (0 < self.window_s <= 86_400, "more than 0, at most 86400"),
            "rtt_ms": (bool(self.rtt_ms) and all(0 <= ms <= 10_000 for ms in self.rtt_ms), "0 to 10s each"),
            "jitter_ms": (0 <= self.jitter_ms <= 10_000, "0 to 10s"),
            "network": (self.network in NETWORKS, f"{' or '.join(NETWORKS)}"),
            "server": (_can_be_split(self.server), "a command line, its quotes closed"),
            "heartbeat_s": (not self.heartbeat_s or 0.05 <= self.heartbeat_s <= 3600, "0 (none) or 0.05 to 3600"),
            "silence_timeout_s": (self._takes_no_silence_for_an_end(), "0 (never) or more than --heartbeat, to 3600"),
            "send_buffer_bytes": (self.send_buffer_bytes >= 0, "0 (no limit) or more"),
            "content": (self.content in CONTENTS, f"one of {', '.join(CONTENTS)}"),
            "drain_s": (self.drain_s is None or 0 <= self.drain_s <= 86_400, "0 to 86400"),
        }
        if self.fault:
            parse_fault(self.fault)
        for field, (good, remedy) in checks.items():
            if not good:
                value = typed(field, getattr(self, field))
                raise ValueError(f"{OPTIONS[field]} {value} is out of range: it must be {remedy}")
        for field in ("jitter_ms", "bandwidth_bits_per_s"):
            if self.network != RELAY and getattr(self, field):
                value = typed(field, getattr(self, field))
                raise ValueError(f"{OPTIONS[field]} {value} is the relay's: leave it out, or use --network {RELAY}")

    @property
    def schedules(self) -> dict[float, str]:
        return schedules(self.schedule)

    def drain_or_default_s(self, rtt_ms: float) -> float:
        if self.drain_s is not None:
            return self.drain_s
        return self.poll_interval_s * parse_pace(self.poll_pace).longest + 0.5 + 2 * self.slowest_rtt_s(rtt_ms)

    def slowest_rtt_s(self, rtt_ms: float) -> float:
        """Return seconds there and back when jitter does its worst."""
        return (rtt_ms + 2 * self.jitter_ms) / 1000

    def _takes_no_silence_for_an_end(self) -> bool:
        """Without heartbeats it cannot be known how long a healthy stream is silent, so that any limit may be meant."""
        return not self.silence_timeout_s or self.heartbeat_s < self.silence_timeout_s <= 3600

    def load_s(self, clients: int, rtt_ms: float) -> float:
        """Seconds of load for one cell, start-up not included."""
        return self.ramp_s(clients) + self.warmup_s + self.window_s + self.drain_or_default_s(rtt_ms)

    def ramp_s(self, clients: int) -> float:
        return clients / self.spawn_per_s


def schedules(text: str) -> dict[float, str]:
    """Return messages per second -> schedule, in the order written, of one schedule or of several with commas between.

    Raises ValueError for two of the same rate, which is all that tells their cells apart, and for two forms, since
    what then differs would not be the rate's doing.
    """
    found: dict[float, str] = {}
    for part in (part.strip() for part in re.split(r",(?=\s*[a-z]+:)", text)):
        rate_per_s = parse_schedule(part).rate_per_s
        first = found.get(rate_per_s, part)
        if first != part:
            raise ValueError(
                f"--schedule {text}: {first} and {part} both publish {rate_per_s:g} messages a second, and cells are "
                "told apart by their rate: leave one out"
            )
        found[rate_per_s] = part
    one, *others = dict.fromkeys(part.partition(":")[0] for part in found.values())
    if others:
        raise ValueError(
            f"--schedule {text}: what differs between {one} and {others[0]} would not be the rate's doing: sweep one "
            "form, and measure the other in a run of its own"
        )
    return found


def _can_be_split(command: str) -> bool:
    try:
        shlex.split(command)
    except ValueError:
        return False
    return True


def typed(field: str, value: object) -> str:
    """Return a field's value as it is typed on the command line."""
    items = value if isinstance(value, tuple) else (value,)
    return ",".join(WRITTEN.get(field, plain)(item) for item in items)


def plain(value: object) -> str:
    return str(value).removesuffix(".0")


def duration_of_ms(ms: float) -> str:
    """Write milliseconds as a duration, exact to the nanosecond: 40ms, 1.5s, 0."""
    return format_duration(round(ms * 1e6))


WRITTEN: Final[dict[str, Callable[[Any], str]]] = {
    "rtt_ms": duration_of_ms,
    "jitter_ms": duration_of_ms,
    "bandwidth_bits_per_s": format_bandwidth,
}


_ALL: Final = (
    Scenario(
        name="feed",
        purpose="a live feed: steady updates, several a second, at random instants (the default)",
        clients=(50,),
        schedule="poisson:5",
        poll_interval_s=1.0,
        window_s=4.0,
    ),
    Scenario(
        name="quiet",
        purpose="notifications: a message every few seconds, most polls find nothing",
        clients=(50,),
        schedule="poisson:0.4",
        poll_interval_s=2.0,
        window_s=47.0,
    ),
    Scenario(
        name="burst",
        purpose="alarms: nothing, then 20 messages at once, every 2 seconds",
        clients=(50,),
        schedule="burst:20/2",
        poll_interval_s=1.0,
        window_s=8.0,
    ),
    Scenario(
        name="busy",
        purpose="above the comfort zone of long polling: 40 messages a second to everyone",
        clients=(50,),
        schedule="poisson:40",
        poll_interval_s=0.5,
    ),
    Scenario(
        name="clients",
        purpose="how each pattern scales: the same feed for 10, 50, 200 and 500 clients",
        clients=(10, 50, 200, 500),
        schedule="poisson:2",
        poll_interval_s=1.0,
        window_s=9.0,
    ),
    Scenario(
        name="rates",
        purpose="how each pattern takes more frequent messages: 5, 12, 30 and 100 a second, 40 ms away",
        clients=(20,),
        schedule="poisson:5,poisson:12,poisson:30,poisson:100",
        poll_interval_s=0.5,
        window_s=4.0,
        rtt_ms=(40.0,),
    ),
)

SCENARIOS: Final = {scenario.name: scenario for scenario in _ALL}
