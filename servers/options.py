"""PURE. What a server process can be told, with the defaults every command shares."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Settings of one server process. Zero turns `max_held` and `rate_limit_per_s` off."""

    history: int = 10_000
    message_bytes: int = 200
    hold_timeout_s: float = 30.0
    hold_jitter: bool = False
    heartbeat_s: float = 15.0
    max_held: int = 0
    rate_limit_per_s: float = 0.0
    send_buffer_bytes: int = 1_048_576
    token: str = ""
