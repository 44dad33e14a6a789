"""PURE. What a load process can be told beyond Locust's own options, and how wrong values are refused.

Values arrive as text, from the command line or the web form: Locust answers a bad number in the form with HTTP 500,
so they are read here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from loadtests.protocols.http1_bodies import LIMIT_BYTES
from loadtests.scenario import backoff, source_address
from loadtests.scenario.backoff import EXPONENTIAL, Retry, parse_retry
from loadtests.scenario.poll_timing import FORMS, RATE, Pace, parse_pace
from loadtests.scenario.scenarios import START
from loadtests.scenario.source_address import ANY, Source, parse_source
from servers.feed.schedule import parse_schedule
from servers.web.urls import read_url

JOIN: Final = ("newest", "oldest")
LIMIT_LEAST_BYTES, LIMIT_MOST_BYTES = 65_536, 1_073_741_824

HELP: Final = {
    "poll_interval": "Seconds between the polls of a short-polling user, up to 3600; 0: as fast as answers come",
    "poll_pace": f"How regularly short-polling users poll: {FORMS}",
    "poll_start": "When they begin: spread over the interval, or together, as jobs that start on the minute do",
    "hold_timeout": "Seconds the server is asked to hold a long poll, 1 to 300",
    "one_per_response": "A long poll brings one message at a time, as Nchan's do, instead of all that wait",
    "etag": "Short polls say which state they know (If-None-Match), and get 304 without a body while it lasts",
    "no_keep_alive": "Open a connection for each poll, as clients without a session do",
    "compress": "Accept gzip; polls, JSON lines and SSE come compressed if the server was started with --compress",
    "message_limit": "Longest message, or answer to a poll, in bytes; what is longer is an error (protocol). "
    f"{LIMIT_LEAST_BYTES} to {LIMIT_MOST_BYTES}; empty: {LIMIT_BYTES}",
    "schedule": "steady:RATE, poisson:RATE or burst:SIZE/PERIOD_S, in messages a second; empty: as it is",
    "message_bytes": "Length of each message's content, 0 to 1000000; empty: as it is",
    "silence_timeout": "Seconds of silence after which a stream is given up and resumed, up to 3600; 0: never",
    "join_at": "Where a new user starts: newest (only what comes from now on) or oldest (everything the server keeps)",
    "backoff": f"How long users wait after an error: {backoff.FORMS}",
    "source": f"Where users connect from: {source_address.FORMS}; empty: as the system likes",
    "server_token": "Refuse a server that does not have this token in /stats",
    "http2_host": "Base URL for HTTP/2 push; empty: the HTTP/2 port that the server names in /stats",
    "run_dir": "Folder for what is recorded; empty: runs/TIME-session",
}


FLAGS: Final = ("one_per_response", "etag", "no_keep_alive", "compress")
"""Those that are on or off; Locust hands them over as True or False."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """The same, read. message_bytes: None leaves the server's own."""

    poll_interval_s: float = 1.0
    poll_pace: Pace = RATE
    poll_start: str = "spread"
    hold_timeout_s: float = 30.0
    one_per_response: bool = False
    etag: bool = False
    no_keep_alive: bool = False
    compress: bool = False
    message_limit_bytes: int = LIMIT_BYTES
    schedule: str = ""
    message_bytes: int | None = None
    silence_timeout_s: float = 60.0
    join_at: str = "newest"
    backoff: Retry = EXPONENTIAL
    source: Source = ANY
    server_token: str = ""
    http2_host: str = ""
    run_dir: str = ""


def read_options(given: Mapping[str, object]) -> LoadOptions:
    """Read options by their names in HELP. Raises ValueError naming option, value and remedy."""
    text = {name: str(given.get(name) or "").strip() for name in HELP}
    options = LoadOptions(
        poll_interval_s=_number("poll-interval", text["poll_interval"] or "1", 0, 3600),
        poll_pace=parse_pace(text["poll_pace"] or "rate"),
        poll_start=_one_of("poll-start", text["poll_start"], START),
        hold_timeout_s=_number("hold-timeout", text["hold_timeout"] or "30", 1, 300),
        **{flag: text[flag] == "True" for flag in FLAGS},
        message_limit_bytes=round(
            _number("message-limit", text["message_limit"] or str(LIMIT_BYTES), LIMIT_LEAST_BYTES, LIMIT_MOST_BYTES)
        ),
        schedule=text["schedule"],
        message_bytes=round(_number("message-bytes", text["message_bytes"], 0, 1_000_000))
        if text["message_bytes"]
        else None,
        join_at=_one_of("join-at", text["join_at"], JOIN),
        backoff=parse_retry(text["backoff"] or "exponential"),
        source=parse_source(text["source"]),
        silence_timeout_s=_number("silence-timeout", text["silence_timeout"] or "60", 0, 3600),
        server_token=text["server_token"],
        http2_host=str(read_url(text["http2_host"], "--http2-host")) if text["http2_host"] else "",
        run_dir=text["run_dir"],
    )
    if options.schedule:
        parse_schedule(options.schedule)
    return options


def _one_of(option: str, text: str, known: Sequence[str]) -> str:
    if text and text not in known:
        raise ValueError(f"--{option} {text!r} is none of: {', '.join(known)}")
    return text or known[0]


def _number(option: str, text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise ValueError(f"--{option} {text!r} is not a number from {low:g} to {high:g}")
    return value
