"""PURE. The table of settings, first part: those of a server and of the network in front of it.

options.py adds those of a server alone; loadtests/scenario/settings.py those of users, network and runner.
"""

from dataclasses import dataclass
from typing import Final

from servers.feed.content import CONTENTS
from servers.feed.schedule import FORMS, parse_schedule
from servers.settings import fault_specs
from servers.settings.setting import NETWORK, SERVER, USER, check, setting

MESSAGE_BYTES_MAX: Final = 1_000_000
HOLD_MIN_S, HOLD_MAX_S = 1.0, 300.0
FURTHEST_MS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Raises ValueError naming option, value and range."""

    schedule: str = setting(
        "poisson:1", f"when messages are due: {FORMS}", SERVER, metavar="FORM", valid=parse_schedule
    )
    message_bytes: int = setting(
        200, "length of a message's content", SERVER, option="--message-bytes", low=0, high=MESSAGE_BYTES_MAX
    )
    content: str = setting(
        CONTENTS[0],
        "content of messages, which matters for compression: the same noise, new noise for each, or json",
        SERVER,
        metavar="KIND",
        choices=CONTENTS,
    )
    hold_timeout_s: float = setting(
        30.0, "how long the server holds a long poll without a message", SERVER, USER, low=HOLD_MIN_S, high=HOLD_MAX_S
    )
    # A measurement asks for it in each request; a server with this option does it for clients that do not ask.
    one_per_response: bool = setting(
        False, "a long poll brings one message, as Nchan's do, instead of all that wait", USER
    )
    one_per_write: bool = setting(
        False,
        "publish and write each message separately; without it, all that are due go to a client in one write",
        SERVER,
    )
    compress: bool = setting(
        False,
        "send polls, JSON lines and SSE as gzip, flushed after each message, to clients that accept it",
        SERVER,
        USER,
    )
    tls: bool = setting(
        False, "encrypt connections (HTTPS, wss, HTTP/2 by ALPN), by a certificate made for the run", SERVER, USER
    )
    heartbeat_s: float = setting(
        15.0,
        "longest silence on a stream; 0 disables heartbeats and dead-client detection",
        SERVER,
        low=0.05,
        high=3600,
        off="none",
    )
    send_buffer_bytes: int = setting(
        1_048_576, "unread bytes of a slow reader after which its stream is closed", SERVER, low=0, off="no limit"
    )
    server_processes: int = setting(
        1, "processes that serve one feed at one port (Linux)", SERVER, option="--processes", low=1, high=64
    )
    fault: str = setting(
        "",
        f"inject a fault, to test pollbench: {fault_specs.FORMS}",
        SERVER,
        metavar="FORM",
        valid=fault_specs.parse_fault,
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """The network between a client and its server. Raises ValueError naming option, value and range."""

    rtt_ms: float = setting(
        0.0, "round-trip time between clients and server, half each way", NETWORK, low=0, high=FURTHEST_MS
    )
    jitter_ms: float = setting(
        0.0, "maximum random extra delay per chunk; order is kept, nothing is lost", NETWORK, low=0, high=FURTHEST_MS
    )
    bandwidth_bits_per_s: int = setting(
        0, "bandwidth of each connection, each way: 10mbit, 500kbit; 0: unlimited", NETWORK
    )

    def __post_init__(self) -> None:
        check(self)
