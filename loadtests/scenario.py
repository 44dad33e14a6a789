"""PURE. The table of settings, whole: what the server, the users, the network and the runner of a measurement are asked.

Its first part is servers/served.py; from it the command line, Locust's form, refusals, run.json, cell.json and the
reference page are made. Named scenarios, and what each is for, stand at the end.
"""

import re
import shlex
from dataclasses import MISSING, asdict, dataclass
from typing import Final

from loadtests import backoff, pace, source
from servers.relay.units import format_bandwidth, format_duration, parse_bandwidth_bits_per_s, parse_duration_ns
from servers.schedule import parse_schedule
from servers.served import Served
from servers.setting import NETWORK, RUNNER, USER, again, setting, settings

RELAY, NETEM = NETWORKS = ("relay", "netem")
"""A process that passes bytes on later (servers/relay), or the kernel (netem.py)."""
DAY_S: Final = 86_400
FURTHEST_MS: Final = 10_000


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


def client_counts(option: str, text: str) -> tuple[int, ...]:
    """Read "50" or "10,50,200", dropping repeats. Raises ValueError."""
    try:
        return tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        raise ValueError(f"{option} {text!r} is not a whole number, nor several with commas between") from None


def milliseconds(option: str, text: str) -> float:
    return parse_duration_ns(option, text) / 1e6


def round_trips_ms(option: str, text: str) -> tuple[float, ...]:
    """Read "40ms" or "0,20,80", dropping repeats; a plain number is milliseconds. Raises ValueError."""
    return tuple(dict.fromkeys(milliseconds(option, part) for part in text.split(",")))


def duration_of_ms(ms: float) -> str:
    """Write milliseconds as a duration, exact to the nanosecond: 40ms, 1.5s, 0."""
    return format_duration(round(ms * 1e6))


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSettings(Served):
    """What a simulated client is told. Raises ValueError naming option, value and range."""

    poll_interval_s: float = setting(
        1.0,
        "seconds between the polls of a short-polling client; driven by hand, 0: as fast as answers come",
        "S",
        USER,
        low=0,
        high=3600,
    )
    poll_pace: str = setting(
        "rate", f"how regularly short polls follow each other: {pace.FORMS}", "PACE", USER, valid=pace.parse_pace
    )
    poll_start: str = setting(
        "spread",
        "short polls begin spread over the interval, or together, as jobs that start on the minute do",
        "WHEN",
        USER,
        choices=("spread", "together"),
    )
    etag: bool = setting(
        False, "short polls say which state they know (If-None-Match), and get 304 while it lasts", "", USER
    )
    no_keep_alive: bool = setting(False, "a connection for each poll, as clients without a session have it", "", USER)
    backoff: str = setting(
        "exponential",
        f"how long clients wait after an error: {backoff.FORMS}; none ignores Retry-After",
        "FORM",
        USER,
        valid=backoff.parse_retry,
    )
    source: str = setting(
        "", f"where clients connect from: {source.FORMS} (Linux)", "ADDRESS", USER, valid=source.parse_source
    )
    silence_timeout_s: float = setting(
        60.0,
        "seconds of silence after which a client gives a stream up and resumes it",
        "S",
        USER,
        low=0,
        high=3600,
        off="never",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario(UserSettings):
    """One situation to measure. A cell is pattern x scenario x client count x round trip x message rate x repeat.

    Time in a cell: ramp (clients connect, nothing is published), warmup (publishing, not measured), window (every
    message due in it is measured), drain (publishing goes on until what was due in the window has had its chance
    to arrive). drain_s None means: the longest poll interval, half a second, and two round trips.
    """

    name: str
    purpose: str
    clients: tuple[int, ...] = setting(
        MISSING,
        "how many clients wait; several counts are a sweep",
        "N[,N]",
        RUNNER,
        low=1,
        high=50_000,
        read=client_counts,
    )
    schedule: str = again(
        Served,
        "schedule",
        MISSING,
        metavar="FORM[,FORM]",
        help="when messages are due: poisson:RATE, steady:RATE or burst:SIZE/PERIOD_S; several are a sweep of the rate",
        read=lambda _option, text: ",".join(schedules(text).values()),
        valid=schedules,
    )
    spawn_per_s: float = setting(
        200.0, "clients that start per second", "N", RUNNER, option="--spawn-rate", low=0, high=10_000, above=True
    )
    warmup_s: float = setting(
        0.5, "seconds of publishing before the window, not measured", "S", RUNNER, low=0, high=DAY_S
    )
    window_s: float = setting(
        5.0, "seconds in which every message due is measured", "S", RUNNER, low=0, high=DAY_S, above=True
    )
    drain_s: float | None = setting(
        None, "seconds after the window, for what is still under way", "S", RUNNER, low=0, high=DAY_S
    )
    rtt_ms: tuple[float, ...] = setting(
        (0.0,),
        "round trip put between clients and server: 40ms, or a sweep: 0,20,80",
        "MS[,MS]",
        NETWORK,
        low=0,
        high=FURTHEST_MS,
        read=round_trips_ms,
        write=duration_of_ms,
    )
    jitter_ms: float = setting(
        0.0,
        "maximum random extra delay per chunk; order is kept, nothing is lost",
        "MS",
        NETWORK,
        low=0,
        high=FURTHEST_MS,
        read=milliseconds,
        write=duration_of_ms,
    )
    bandwidth_bits_per_s: int = setting(
        0,
        "of each connection, each way: 10mbit, 500kbit; 0: unlimited",
        "RATE",
        NETWORK,
        read=parse_bandwidth_bits_per_s,
        write=format_bandwidth,
    )
    network: str = setting(
        RELAY,
        "network emulation: relay (a process) or netem (the kernel; needs Linux and root)",
        "NAME",
        NETWORK,
        choices=NETWORKS,
    )
    server: str = setting(
        "",
        "measure the server that this command starts (how: docs/howto/own-server.md)",
        "COMMAND",
        RUNNER,
        valid=shlex.split,
        form="a command line, its quotes closed",
    )

    def check_planned(self) -> None:
        """Raise ValueError for what may be found, or asked by hand, but cannot be planned."""
        relayed = f"left out, or --network {RELAY}: only the relay can do it"
        for name, good, remedy in [
            ("schedule", all(self.schedules), "a schedule that publishes"),
            ("poll_interval_s", self.poll_interval_s > 0, "more than 0"),
            (
                "silence_timeout_s",
                not self.silence_timeout_s or self.heartbeat_s < self.silence_timeout_s,
                f"0 (never) or more than {OPTIONS['heartbeat_s']}",
            ),
            *((name, self.network == RELAY or not getattr(self, name), relayed) for name in RELAYED),
        ]:
            if not good:
                raise SETTINGS[name].refusal(getattr(self, name), remedy)

    @property
    def schedules(self) -> dict[float, str]:
        return schedules(self.schedule)

    def drain_or_default_s(self, rtt_ms: float) -> float:
        if self.drain_s is not None:
            return self.drain_s
        return self.poll_interval_s * pace.parse_pace(self.poll_pace).longest + 0.5 + 2 * self.slowest_rtt_s(rtt_ms)

    def slowest_rtt_s(self, rtt_ms: float) -> float:
        """Return seconds there and back when jitter does its worst."""
        return (rtt_ms + 2 * self.jitter_ms) / 1000

    def load_s(self, clients: int, rtt_ms: float) -> float:
        """Seconds of load for one cell, start-up not included."""
        return self.ramp_s(clients) + self.warmup_s + self.window_s + self.drain_or_default_s(rtt_ms)

    def ramp_s(self, clients: int) -> float:
        return clients / self.spawn_per_s

    def as_recorded(self) -> dict[str, object]:
        """Return what run.json and cell.json keep."""
        return asdict(self)


SETTINGS: Final = settings(Scenario)
OPTIONS: Final = {name: each.option for name, each in SETTINGS.items()}
"""The command line option that overrides a field of a named scenario."""
RELAYED: Final = ("jitter_ms", "bandwidth_bits_per_s")


def typed(field: str, value: object) -> str:
    """Return a field's value as it is typed on the command line."""
    return SETTINGS[field].typed(value)


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
        window_s=20.0,
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
        window_s=6.0,
    ),
    Scenario(
        name="rates",
        purpose="how each pattern takes more frequent messages: 3, 10, 30 and 100 a second, 40 ms away",
        clients=(20,),
        schedule="poisson:3,poisson:10,poisson:30,poisson:100",
        poll_interval_s=0.5,
        window_s=4.0,
        rtt_ms=(40.0,),
    ),
)

SCENARIOS: Final = {scenario.name: scenario for scenario in _ALL}
