"""Clients that send as well: SSE and long polls with POST beside them, on a kept connection or new ones, and WebSocket.

There are few of them, each 20 ms away, so that what goes up decides and not what comes down.
"""

import asyncio
from math import nan
from pathlib import Path
from statistics import median
from typing import Final

import pandas as pd

from loadtests.experiments.crowd_figures import p99_ms
from loadtests.experiments.observations import Observation
from loadtests.probes.reference import Server, reference, relay
from loadtests.probes.talkers import Load, Manner, Talk, talking
from loadtests.runs.commands import HOST
from loadtests.users.tcp_info import AVAILABLE
from servers.timing.clock import now_ns

ARMS: Final = {
    "sse": Manner("sse", "kept"),
    "new": Manner("sse", "new"),
    "long": Manner("long_polling", "kept"),
    "socket": Manner("websocket", "there"),
}
RTT_MS: Final = 20.0
CLIENTS: Final = 4
GAP_S: Final = 0.05
"""More than the two round trips that a POST takes on a new connection: no message waits for the one before it."""
MESSAGE_BYTES: Final = 100
LATE_MS: Final = 5.0
"""A quarter of the round trip: what the claim about latency would call a difference."""


def measure(arm: str, where: Path, *, quick: bool) -> Observation:
    load, journal = Load(CLIENTS, 30 if quick else 160, GAP_S, MESSAGE_BYTES), where / "journal.csv"
    with (
        reference(where, ARMS[arm].pattern, "--journal", journal) as server,
        relay(where, server.port, RTT_MS) as port,
    ):
        talk, figures = asyncio.run(_talk(ARMS[arm], load, server, port))
    journalled = len(journal.read_bytes().splitlines()) - 1
    figures |= {"lost": float(talk.missing + abs(talk.sent - journalled)), "repeated": float(talk.repeated)}
    late_ms = median(late_ns for talker in talk.talkers for late_ns in talker.late_ns) / 1e6
    doubts = ["the clients sent late, as other programs had their core"] if late_ms > LATE_MS else []
    return Observation(figures, [{**figures}], doubts)


async def _talk(manner: Manner, load: Load, server: Server, port: int) -> tuple[Talk, dict[str, float]]:
    async with talking(manner, load, (HOST, port), lambda: server.target.stats.subscribers) as talk:
        await talk.warm_up()
        since_ns, used_ns, before = now_ns(), server.cpu_ns(), talk.meter.read()
        await talk.run()
        cpu_ns, after = server.cpu_ns() - used_ns, talk.meter.read()
    messages, latency_ns = load.clients * load.times, pd.Series(talk.latencies_ns(since_ns))
    told = 1.0 if AVAILABLE else nan
    up_bytes = told * (after.bytes_out - before.bytes_out) / messages
    down_bytes = told * (after.bytes_in - before.bytes_in) / messages
    return talk, {
        "cpu_ms": cpu_ns / 1e6 / messages * 1000,
        "up_bytes": up_bytes,
        "down_bytes": down_bytes,
        "bytes": up_bytes + down_bytes,
        "connections": after.connections / load.clients,
        "p50_ms": float(latency_ns.median() / 1e6),
        "p99_ms": p99_ms(latency_ns),
    }
