"""PURE. The whole table of settings: those of the server, users, network and runner of a measurement.

Its first part is servers/settings/served.py. From it the command line, Locust's options and form, refusals, run.json,
cell.json and the reference page are made: a new setting is one field here and the line that obeys it.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from typing import Any, Final

from loadtests.protocols.http1_bodies import LIMIT_BYTES
from loadtests.scenario import backoff, poll_timing, source_address
from servers.feed.schedule import parse_schedule
from servers.settings.served import Distance, Served
from servers.settings.setting import NETWORK, RUNNER, USER, again, setting, settings

START: Final = ("spread", "together")
"""Of polls, see loadtests/users/poll_loops.py."""
NEWEST, OLDEST = JOIN = ("newest", "oldest")
RELAY, NETEM = NETWORKS = ("relay", "netem")
"""A process that passes bytes on later (servers/relay), or the kernel (netem.py)."""
ROWS, SUMMARY = KEPT = ("rows", "summary")
"""A row of each delivery and request, or counts of them (loadtests/summary)."""
DAY_S: Final = 86_400
LIMIT_LEAST_BYTES, LIMIT_MOST_BYTES = 65_536, 1_073_741_824


AN_ADDRESS: Final = re.compile(r"(?i)[a-z][a-z0-9+.-]*://|[\w.-]+:\d+(/|$)|\[[0-9a-f:.]+\]")


def a_command(text: str) -> list[str]:
    """Return the words of a command line. Raises ValueError where there is none, as in the address of a server."""
    words = shlex.split(text)
    if words and AN_ADDRESS.match(words[0]):
        raise ValueError(f"{words[0]} is an address")
    return words


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSettings(Served):
    """Settings of a simulated client, beside those of its server. Raises ValueError naming option, value and range."""

    poll_interval_s: float = setting(
        1.0,
        "interval between two polls of a short-polling client",
        USER,
        low=0,
        high=3600,
        off="poll again as soon as the response is there, only in tests driven by hand",
    )
    poll_pace: str = setting(
        "rate",
        f"regularity of short polls: {poll_timing.FORMS}",
        USER,
        metavar="PACE",
        valid=poll_timing.parse_pace,
    )
    poll_start: str = setting(
        START[0],
        "start of short polls: spread over the interval, or together, as jobs that start on the minute",
        USER,
        metavar="WHEN",
        choices=START,
    )
    etag: bool = setting(False, "short polls send If-None-Match, and get 304 while nothing is new", USER)
    no_keep_alive: bool = setting(False, "open a connection for each poll, as clients without a session do", USER)
    message_limit_bytes: int = setting(
        LIMIT_BYTES,
        "longest message or poll response; a longer one is an error (protocol)",
        USER,
        low=LIMIT_LEAST_BYTES,
        high=LIMIT_MOST_BYTES,
    )
    backoff: str = setting(
        "exponential",
        f"wait of clients after an error: {backoff.FORMS}; none ignores Retry-After",
        USER,
        metavar="FORM",
        valid=backoff.parse_retry,
    )
    source: str = setting(
        "",
        f"source address of clients: {source_address.FORMS} (Linux)",
        USER,
        metavar="ADDRESS",
        valid=source_address.parse_source,
    )
    join_at: str = setting(
        OLDEST,
        "where a new client starts: newest (only what comes from now on) or oldest (everything the server keeps)",
        USER,
        metavar="WHERE",
        choices=JOIN,
    )
    silence_timeout_s: float = setting(
        60.0,
        "silence after which a client closes a stream and resumes it",
        USER,
        low=0,
        high=3600,
        off="never",
    )


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
                f"schedule {text}: {first} and {part} both publish {rate_per_s:g} messages a second, and cells are "
                "identified by their rate: leave one out"
            )
        found[rate_per_s] = part
    one, *others = dict.fromkeys(part.partition(":")[0] for part in found.values())
    if others:
        raise ValueError(
            f"schedule {text}: {one} and {others[0]} differ by more than the rate: sweep one "
            "form, and measure the other in a separate run"
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(UserSettings):
    """Everything that a measurement depends on. Time in a cell: ramp (clients connect, nothing is published), warmup
    (publishing, not measured), window (every message due in it is measured), drain (publishing goes on until what was
    due in the window has had its chance to arrive). drain_s None: the longest poll interval, half a second, and two
    round trips.
    """

    clients: tuple[int, ...] = setting(
        MISSING, "number of clients; several counts are a sweep", RUNNER, low=1, high=50_000
    )
    schedule: str = again(
        Served,
        "schedule",
        MISSING,
        help="when messages are due: poisson:RATE, steady:RATE or burst:SIZE/PERIOD_S; several are a sweep of the rate",
        metavar="FORM[,FORM]",
        valid=schedules,
        tidy=lambda text: ",".join(schedules(text).values()),
    )
    spawn_per_s: float = setting(
        200.0, "clients started per second", RUNNER, option="--spawn-rate", low=0, high=10_000, above=True
    )
    warmup_s: float = setting(0.5, "time of publishing before the window, not measured", RUNNER, low=0, high=DAY_S)
    window_s: float = setting(5.0, "time in which due messages are measured", RUNNER, low=0, high=DAY_S, above=True)
    drain_s: float | None = setting(
        None, "time after the window, for messages still in flight", RUNNER, low=0, high=DAY_S
    )
    rtt_ms: tuple[float, ...] = again(
        Distance, "rtt_ms", (0.0,), help="round-trip time between clients and server; several are a sweep: 0,20,80"
    )
    jitter_ms: float = again(Distance, "jitter_ms")
    bandwidth_bits_per_s: int = again(Distance, "bandwidth_bits_per_s")
    workers: int = setting(
        0,
        "load hosts that share the clients, each started with pollbench worker",
        RUNNER,
        low=0,
        high=1000,
        off="this machine drives the clients",
    )
    load_processes: int | None = setting(
        None,
        "load processes; without it, one for each 500 clients, as far as there are cores beside the server; with "
        "--workers, on each load host, and without it one",
        RUNNER,
        low=1,
        high=64,
    )
    server_processes: int = again(Served, "server_processes", option="--server-processes")
    network: str = setting(
        RELAY,
        "network emulation: relay (a process) or netem (the kernel; needs Linux and root)",
        NETWORK,
        choices=NETWORKS,
    )
    keep: str = setting(
        ROWS,
        "what to keep of a cell: rows, one for each delivery and request, or a summary, whose size stays the same",
        RUNNER,
        metavar="WHAT",
        choices=KEPT,
    )
    server: str = setting(
        "",
        "measure the server that this command starts (see docs/howto/own-server.md)",
        RUNNER,
        metavar="COMMAND",
        valid=a_command,
        form="a command line with closed quotes that starts a server, not an address: see docs/howto/own-server.md",
    )


_ALL: Final = settings(Settings)
SETTINGS: Final = {name: _ALL[name] for name in [*Settings.__annotations__, *_ALL]}
"""Every setting of a measurement, by the name of its field; first those that make a scenario."""
OPTIONS: Final[Mapping[str, str]] = {name: each.option for name, each in SETTINGS.items()}
"""The command line option that overrides a field of a named scenario."""


def typed(field: str, value: Any) -> str:
    """Return a field's value as it is typed on the command line."""
    return SETTINGS[field].typed(value)
