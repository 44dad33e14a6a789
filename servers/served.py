"""PURE. The table of settings, its first part: what a measurement asks of the server.

servers/options.py adds what only a server is told, loadtests/scenario.py what users, network and runner obey.
"""

from dataclasses import dataclass
from typing import Final

from servers.content import CONTENTS
from servers.faults import forms
from servers.schedule import FORMS, parse_schedule
from servers.setting import SERVER, USER, check, setting

MESSAGE_BYTES_MAX: Final = 1_000_000
HOLD_MIN_S, HOLD_MAX_S = 1.0, 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Raises ValueError naming option, value and range."""

    schedule: str = setting("poisson:1", f"when messages are due: {FORMS}", "FORM", SERVER, valid=parse_schedule)
    message_bytes: int = setting(
        200, "length of a message's content", "N", SERVER, option="--message-bytes", low=0, high=MESSAGE_BYTES_MAX
    )
    content: str = setting(
        CONTENTS[0],
        "what messages say, which matters for compression: the same noise, other noise each time, or json",
        "KIND",
        SERVER,
        choices=CONTENTS,
    )
    hold_timeout_s: float = setting(
        30.0, "seconds that an empty long poll is held", "S", SERVER, USER, low=HOLD_MIN_S, high=HOLD_MAX_S
    )
    one_per_response: bool = setting(
        False, "a long poll brings one message at a time, as Nchan's do, instead of all that wait", "", USER
    )
    compress: bool = setting(
        False,
        "polls, JSON lines and SSE as gzip, flushed after each message, for clients that accept it",
        "",
        SERVER,
        USER,
    )
    heartbeat_s: float = setting(
        15.0,
        "longest silence on a stream in seconds; 0 disables heartbeats and dead-client detection",
        "S",
        SERVER,
        low=0.05,
        high=3600,
        off="none",
    )
    send_buffer_bytes: int = setting(
        1_048_576, "bytes that a slow reader may lag before its stream is closed", "N", SERVER, low=0, off="no limit"
    )
    fault: str = setting(
        "", f"be wrong on purpose, to test the instrument: {forms.FORMS}", "FORM", SERVER, valid=forms.parse_fault
    )

    def __post_init__(self) -> None:
        check(self)
