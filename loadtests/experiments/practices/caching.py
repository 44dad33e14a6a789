"""Short polls that find nothing new: the whole response again, or 304 to a client that names what it has.

The server's messages do not change. It is asked with a cursor, and without one while it keeps more and more of them.
"""

from pathlib import Path
from typing import Final

from loadtests.experiments.observations import Observation, Points
from loadtests.probes.polls import poll
from loadtests.probes.reference import reference
from loadtests.protocols.http1 import get

ARMS: Final = {"off": False, "on": True}
"""Whether the client sends If-None-Match (RFC 9110 section 13)."""
MESSAGES: Final = (1, 5, 20, 100)
"""How many messages an unchanged response carries, for a client without a cursor."""
MESSAGE_BYTES: Final = 200
NAMES: Final = {0: "cursor", 20: "whole"}
"""The responses whose figures are quoted, by the number of their messages."""


def measure(arm: str, where: Path, *, quick: bool) -> Observation:
    times = 1_000 if quick else 6_000
    figures: dict[str, float] = {}
    points: Points = []
    with reference(where, "short_polling", "--history", 1000) as server:
        newest = server.target.post("x" * MESSAGE_BYTES)
        for count in (0, *MESSAGES):
            while 0 < newest < count:
                newest = server.target.post("x" * MESSAGE_BYTES)
            target = f"/api/poll?last_id={0 if count else newest}"
            whole = poll(server.port, get("pollbench", target), 4)
            request = get("pollbench", target, f"If-None-Match: {whole.etag}\r\n" if ARMS[arm] else "")
            poll(server.port, request, times // 10)
            before_ns = server.cpu_ns()
            polled = poll(server.port, request, times)
            cpu_ms = (server.cpu_ns() - before_ns) / 1e6 / times * 1000
            expected = 304 if ARMS[arm] else 200
            if polled.statuses != {expected: times}:
                raise ValueError(f"{times} polls were answered {dict(polled.statuses)}, not all {expected}")
            bytes_in = polled.bytes_in / times
            points.append({"messages": count, "bytes": bytes_in, "cpu_ms": cpu_ms})
            if name := NAMES.get(count):
                figures |= {f"bytes_{name}": bytes_in, f"cpu_ms_{name}": cpu_ms}
                figures["request_bytes"] = polled.bytes_out / times
    return Observation(figures, points)
