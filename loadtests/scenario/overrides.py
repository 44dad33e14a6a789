"""The command line options that change a named scenario: one for each field that a cell depends on."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Annotated, Any, Final

import typer

from loadtests.scenario.plan import known_name
from loadtests.scenario.scenarios import OPTIONS, SCENARIOS, Scenario, schedules
from servers.relay.units import parse_bandwidth_bits_per_s, parse_duration_ns

_MEANINGS: Final = {
    "clients": (str, "N[,N]", "how many clients wait; several counts are a sweep"),
    "schedule": (
        str,
        "FORM[,FORM]",
        "poisson:RATE, steady:RATE or burst:SIZE/PERIOD_S; several are a sweep of the rate",
    ),
    "message_bytes": (int, "N", "length of a message's content"),
    "poll_interval_s": (float, "S", "between two short polls of a client"),
    "poll_pace": (str, "PACE", "how regular short polls are: rate, pause, uniform[:SPREAD] or exponential"),
    "poll_start": (str, "WHEN", "short polls begin spread over the interval, or together"),
    "hold_timeout_s": (float, "S", "longest hold of a long poll"),
    "one_per_response": (bool, "", "a long poll brings one message at a time, not all that wait"),
    "backoff": (str, "FORM", "after an error: exponential, fixed:S or none (at once, deaf to Retry-After)"),
    "source": (str, "ADDRESS", "connect from there; a network such as 127.1.0.0/16: each client its own (Linux)"),
    "etag": (bool, "", "short polls say which state they know (If-None-Match), and get 304 while it lasts"),
    "no_keep_alive": (bool, "", "a connection for each poll, as clients without a session have it"),
    "compress": (bool, "", "polls, JSON lines and SSE as gzip, flushed after each message"),
    "content": (str, "KIND", "what messages say: same or other noise, or json; it matters for --compress"),
    "spawn_per_s": (float, "N", "clients that start per second"),
    "warmup_s": (float, "S", "publishing before the window, not measured"),
    "window_s": (float, "S", "every message due in it is measured"),
    "drain_s": (float, "S", "after the window, for what is still under way"),
    "rtt_ms": (str, "MS[,MS]", "round trip put between clients and server: 40ms, or a sweep: 0,20,80"),
    "jitter_ms": (str, "MS", "what a chunk may be late beyond that; order is kept, nothing is lost"),
    "bandwidth_bits_per_s": (str, "RATE", "of each connection, each way: 10mbit, 500kbit"),
    "network": (str, "NAME", "who delays: relay (a process; the default) or netem (the kernel; needs Linux and root)"),
    "server": (str, "COMMAND", "measure this server instead of ours (how: docs/howto/own-server.md)"),
    "fault": (str, "FORM", "a server that is wrong on purpose, to test the instrument: drop:SHARE and others"),
    "heartbeat_s": (float, "S", "longest silence on a stream; 0: no heartbeats, and no client is missed"),
    "silence_timeout_s": (float, "S", "a client resumes a stream that was silent for so long; 0: never"),
    "send_buffer_bytes": (int, "N", "bytes a stream's reader may lag before it is closed; 0: no limit"),
}


def with_overrides(command: Callable[..., int]) -> Callable[..., int]:
    """Give a typer command these options. It takes them as one argument, `overrides`: field -> value or None."""

    @wraps(command)
    def called(**arguments: Any) -> int:
        overrides = {field: arguments.pop(field) for field in OPTIONS}
        return command(**arguments, overrides=overrides)

    own = inspect.signature(command)
    kept = [parameter for name, parameter in own.parameters.items() if name != "overrides"]
    added = [
        inspect.Parameter(field, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(field))
        for field in OPTIONS
    ]
    called.__signature__ = own.replace(parameters=[*kept, *added])  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in (*kept, *added)}
    return called


def _annotation(field: str) -> Any:
    kind, metavar, meaning = _MEANINGS[field]
    option = typer.Option(
        OPTIONS[field], metavar=metavar, help=meaning, rich_help_panel="Instead of the scenario's own"
    )
    return Annotated[kind | None, option]


def overridden(name: str | None, overrides: Mapping[str, Any], otherwise: Scenario) -> Scenario:
    """Return the named scenario, or `otherwise`, with the fields changed that `overrides` gives.

    Raises ValueError naming option, value and remedy.
    """
    scenario = otherwise if name is None else SCENARIOS[known_name(name, SCENARIOS, "scenario")]
    given = {field: value for field, value in overrides.items() if value is not None}
    given |= {field: read(given[field]) for field, read in READERS.items() if field in given}
    return replace(scenario, **given)


def client_counts(text: str) -> tuple[int, ...]:
    """Read "50" or "10,50,200", dropping repeats. Raises ValueError."""
    try:
        return tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        raise ValueError(f"--clients {text!r} is not a whole number, nor several with commas between") from None


def round_trips_ms(text: str) -> tuple[float, ...]:
    """Read "40ms" or "0,20,80", dropping repeats; a plain number is milliseconds. Raises ValueError."""
    return tuple(dict.fromkeys(parse_duration_ns("--rtt", part) / 1e6 for part in text.split(",")))


READERS: Final[dict[str, Callable[[str], object]]] = {
    "clients": client_counts,
    "schedule": lambda text: ",".join(schedules(text).values()),
    "rtt_ms": round_trips_ms,
    "jitter_ms": lambda text: parse_duration_ns("--jitter", text) / 1e6,
    "bandwidth_bits_per_s": lambda text: parse_bandwidth_bits_per_s("--bandwidth", text),
}
"""How fields are read that typer cannot read."""
