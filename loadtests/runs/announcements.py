"""PURE. What servers and relays say of themselves: one JSON object a line, between whatever else they log."""

from collections.abc import Callable
from typing import Annotated, Final, TypeVar

import msgspec

from loadtests.records.manifest import RelayAccount

QUOTED: Final = 300
Pid = Annotated[int, msgspec.Meta(gt=0, le=2**31 - 1)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
T = TypeVar("T")


class Announcement(msgspec.Struct, frozen=True):
    """What is needed of a server that listens.

    target, pids: of an outlet, the URL of the server that it publishes to, and the processes whose cost is that
    server's; none where it is not known which. cost_of: which they are, or why that is not known.
    """

    pid: Pid
    http_port: Port
    http2_port: Port | None = None
    https_port: Port | None = None
    target: str = ""
    pids: list[Pid] = []
    cost_of: str = ""


class RelayAnnouncement(msgspec.Struct, frozen=True):
    """What is needed of a relay that listens."""

    port: Port


class BadAnnouncement(ValueError):
    """A line that is meant for us and cannot be used: it is quoted, with the field that is wrong."""


def reader(event: str, kind: type[T]) -> Callable[[str], T | None]:
    """Return what reads a line that announces this event, and gives None for every other line."""

    def read(line: str) -> T | None:
        try:
            said = msgspec.json.decode(line)
        except (ValueError, RecursionError):
            return None
        if not isinstance(said, dict) or said.get("event") != event:
            return None
        try:
            return msgspec.json.decode(line, type=kind)
        except msgspec.ValidationError as wrong:
            raise BadAnnouncement(f"its {event} line cannot be used ({wrong}): {line[:QUOTED]}") from None

    return read


ready: Final = reader("ready", Announcement)
relay_ready: Final = reader("ready", RelayAnnouncement)
relay_stopped: Final = reader("stopped", RelayAccount)
