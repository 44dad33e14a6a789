"""PURE. When a connection must be pinged or given up: decided from instants, acted on by the connection."""

import math
from typing import Literal

from servers.http2.limits import Limits

Decision = Literal["wait", "ping", "settings timeout", "ping timeout", "late", "idle"]


class Keepalive:
    """The deadlines of one connection, in seconds of the event loop's clock."""

    def __init__(self, limits: Limits, now_s: float) -> None:
        self._limits = limits
        self._settings_due_s = now_s + limits.settings_timeout_s
        self._ping_due_s = now_s + limits.ping_every_s
        self._pong_due_s = math.inf
        self._idle_due_s = now_s + limits.idle_s
        self._unfinished: int | None = None
        self._whole_due_s = math.inf
        self.received(now_s, 0)

    @property
    def next_s(self) -> float:
        """The instant at which `decide` is worth asking again."""
        return min(self._settings_due_s, self._ping_due_s, self._pong_due_s, self._idle_due_s, self._whole_due_s)

    def received(self, now_s: float, unfinished: int | None) -> None:
        """Something came. unfinished: the number of the frame that is not whole yet, None when all are."""
        if unfinished != self._unfinished:
            self._unfinished = unfinished
            waits = unfinished is not None and self._limits.head_timeout_s
            self._whole_due_s = now_s + self._limits.head_timeout_s if waits else math.inf

    def settings_acknowledged(self) -> None:
        self._settings_due_s = math.inf

    def ping_acknowledged(self) -> None:
        self._pong_due_s = math.inf

    def used(self, now_s: float) -> None:
        """A request was finished now."""
        self._idle_due_s = now_s + self._limits.idle_s

    def decide(self, now_s: float, open_streams: int) -> Decision:
        """Say what is due. RFC 9113 6.5.3 asks for SETTINGS to be acknowledged, 6.7 defines PING."""
        if open_streams:
            self.used(now_s)
        if now_s >= self._settings_due_s:
            return "settings timeout"
        if now_s >= self._pong_due_s:
            return "ping timeout"
        if now_s >= self._whole_due_s:
            return "late"
        if now_s >= self._idle_due_s:
            return "idle"
        if now_s >= self._ping_due_s:
            self._ping_due_s = now_s + self._limits.ping_every_s
            if self._pong_due_s == math.inf:
                self._pong_due_s = now_s + self._limits.ping_timeout_s
                return "ping"
        return "wait"
