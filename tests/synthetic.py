"""A run that never happened: for tests and benchmarks. It says so in run.json, and every report of it says so too."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import takewhile
from math import ceil
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pandas as pd

from loadtests.records import manifest
from loadtests.scenario.plan import Plan, PlannedCell
from loadtests.scenario.poll_timing import parse_pace
from loadtests.scenario.scenarios import Scenario
from reports.theory.patterns import theory_of
from reports.theory.patterns.http2_push import FIRST_PUSH_BYTES, FRAME_HEAD, huffman_bytes
from servers import patterns
from servers.feed.message import Message, encode
from servers.feed.schedule import parse_schedule
from servers.web.streams import chunk
from tests.synthetic_patterns import Outcome, Situation, World, long_polling, short_polling, stream

S: Final = 1_000_000_000
JOURNAL_NS: Final = 3_000
HANDSHAKE_BYTES: Final = 2_300
"""Of TLS, both ways; of which theory knows nothing."""
"""What it takes to publish one message of a wake-up that has several."""
LABELS = {
    "short_polling": "Short polling",
    "long_polling": "Long polling",
    "chunked": "Chunked streaming",
    "http2_push": "HTTP/2 push",
    "sse": "SSE",
    "websocket": "WebSocket",
}
LABELS |= {name: patterns.facts(name).label for name in patterns.names() if name not in LABELS and theory_of(name)}
SIMULATIONS: Final[dict[str, Callable[[Situation], Outcome]]] = {
    "short_polling": short_polling,
    "long_polling": long_polling,
    "chunked": partial(stream, frames=lambda _, body: body + len("\n"), chunked=True),
    "http2_push": partial(stream, frames=lambda message_id, body: _pushed(message_id, body), mode="pushed"),
    "sse": partial(stream, frames=lambda message_id, body: len(f"id: {message_id}\ndata: \n\n") + body, chunked=True),
    "websocket": partial(stream, frames=lambda _, body: body + (2 if body < 126 else 4 if body < 65_536 else 10)),
}


def simulation(pattern: str) -> Callable[[Situation], Outcome]:
    """Return what simulates a pattern: of one more than there were, a stream with the framing that its server has."""
    if pattern in SIMULATIONS:
        return SIMULATIONS[pattern]
    framing = vars(patterns.load(pattern))["FRAMING"]

    def frames(message_id: int, body: int) -> int:
        return len(framing.message((b'{"id":%d,' % message_id).ljust(body)))

    return partial(stream, frames=frames, chunked=framing.wire is chunk)


def _pushed(message_id: int, body: int) -> int:
    """Length of PUSH_PROMISE (with the promised stream and four fields), HEADERS (three fields) and DATA."""
    promise = 4 + 3 + 2 + huffman_bytes(f"/api/messages/{message_id}") + (FIRST_PUSH_BYTES if message_id == 1 else 0)
    return (2 + ceil(body / 2**14)) * FRAME_HEAD + promise + 2 + 3 + huffman_bytes(str(body)) + body


def write_run(
    folder: Path,
    scenarios: Sequence[Scenario],
    *,
    repeats: int = 3,
    world: World | None = None,
    labels: Mapping[str, str] = LABELS,
    failing: Sequence[str] = (),
) -> Path:
    """Write a run folder in the real schema and return it. `failing`: names of cells whose status is "failed"."""
    planned = [cell for scenario in scenarios for cell in Plan(scenario, tuple(labels), repeats).cells()]
    planned.sort(key=lambda cell: cell.repeat)
    for number, each in enumerate(planned, start=1):
        cell = _cell(each, labels[each.pattern], number * 600 * S)
        if each.name in failing:
            cell = msgspec.structs.replace(cell, status="failed", problems=["a load worker was lost"])
        _write_cell(folder / "cells" / each.name, cell, each, world or World())
    run = manifest.Run(
        command="pollbench compare feed",
        started_at="2026-11-24T07:30:00Z",
        kind=manifest.SYNTHETIC,
        scenarios=[asdict(scenario) for scenario in scenarios],
        patterns=dict(labels),
        repeats=repeats,
        cells=[cell.name for cell in planned],
        machine=manifest.Machine(
            system="none", cpu="none, made up", cores=2, memory_bytes=8 * 2**30, python="3.11", clock_id="made-up"
        ),
        versions={"pollbench": "0.1.0"},
        commit="0000000",
    )
    (folder / "run.json").write_bytes(msgspec.json.encode(run))
    return folder


def _cell(planned: PlannedCell, label: str, start_ns: int) -> manifest.Cell:
    scenario, clients = planned.scenario, planned.clients
    publish_from = start_ns + round(scenario.ramp_s(clients) * S)
    window_from = publish_from + round(scenario.warmup_s * S)
    window_until = window_from + round(scenario.window_s * S)
    return manifest.Cell(
        name=planned.name,
        pattern=planned.pattern,
        label=label,
        scenario=scenario.name,
        clients=clients,
        rtt_ms=planned.rtt_ms,
        rate_per_s=planned.rate_per_s,
        repeat=planned.repeat,
        status="finished",
        problems=[],
        server_pid=1,
        server_command=["none"],
        load_command=["none"],
        load_exit_code=0,
        spawned_by_ns=start_ns + round(clients / scenario.spawn_per_s * S),
        publish_from_ns=publish_from,
        window_from_ns=window_from,
        window_until_ns=window_until,
        load_ended_ns=window_until + round(scenario.drain_or_default_s(planned.rtt_ms) * S),
        published=0,
        rows={},
    )


def _write_cell(folder: Path, cell: manifest.Cell, planned: PlannedCell, world: World) -> None:
    at = situation(cell, planned, world)
    outcome = simulation(cell.pattern)(at)
    folder.mkdir(parents=True)
    samples = _samples(cell, at, outcome)
    for table, frame in {"requests": outcome.requests, "deliveries": outcome.deliveries, "samples": samples}.items():
        frame.assign(pattern=cell.pattern).to_parquet(folder / f"{table}.parquet", index=False)
    rows = {"requests": len(outcome.requests), "deliveries": len(outcome.deliveries), "samples": len(samples)}
    journal = {"id": np.arange(1, len(at.due) + 1), "due_ns": at.due, "published_ns": at.published}
    pd.DataFrame(journal).to_csv(folder / "published.csv", index=False)
    cell = msgspec.structs.replace(cell, published=len(at.due), rows=rows)
    (folder / "cell.json").write_bytes(msgspec.json.encode(cell))


def situation(cell: manifest.Cell, planned: PlannedCell, world: World) -> Situation:
    """Draw what is published and who joins in a cell, the same for the same cell and seed."""
    scenario = planned.scenario
    random = np.random.default_rng([world.seed, *cell.name.encode()])
    span_ns = cell.load_ended_ns - cell.publish_from_ns
    offsets = takewhile(lambda offset_ns: offset_ns < span_ns, parse_schedule(planned.schedule).offsets_ns())
    due = np.fromiter(offsets, np.int64) + cell.publish_from_ns
    world = replace(world, one_way_ns=world.one_way_ns + round(cell.rtt_ms * 1e6 / 2))
    published, told = _publish(due, random.exponential(world.lateness_ns, len(due)).astype(np.int64))
    ramp_ns = cell.spawned_by_ns - round(cell.clients / scenario.spawn_per_s * S)
    return Situation(
        world=world,
        due=due,
        published=published,
        told=told,
        joined=ramp_ns + (np.arange(cell.clients) / scenario.spawn_per_s * S).astype(np.int64),
        end_ns=cell.load_ended_ns,
        interval_ns=round(scenario.poll_interval_s * S),
        pace=parse_pace(scenario.poll_pace),
        hold_ns=round(scenario.hold_timeout_s * S),
        heartbeat_ns=round(scenario.heartbeat_s * S),
        limit=1 if scenario.one_per_response else len(due) + 1,
        body_bytes=_bodies(due, published, scenario.message_bytes),
        random=random,
        tls=scenario.tls,
    )


def _publish(due: np.ndarray, late_ns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return when each message is published, and when those who wait are told: a late wake-up takes along all that is
    due by then, and tells of it at the end."""
    published, told = np.empty_like(due), np.empty_like(due)
    first, free_ns = 0, 0
    while first < len(due):
        now_ns = max(int(due[first] + late_ns[first]), free_ns)
        after = int(np.searchsorted(due, now_ns, side="right"))
        published[first:after] = now_ns + JOURNAL_NS * np.arange(1, after - first + 1)
        told[first:after] = free_ns = int(published[after - 1])
        first = after
    return published, told


def _bodies(due: np.ndarray, published: np.ndarray, content_bytes: int) -> np.ndarray:
    content, timestamp = "x" * content_bytes, "2026-11-24T08:00:00.000000Z"
    instants = zip(range(1, len(due) + 1), due.tolist(), published.tolist(), strict=True)
    return np.array([len(encode(Message(*each, timestamp, content))) for each in instants], np.int64)


def _samples(cell: manifest.Cell, at: Situation, outcome: Outcome) -> pd.DataFrame:
    """Four samples a second. CPU is 40 us a request and 20 us per delivery, as they come; memory grows with clients."""
    start_ns = int(at.joined[0]) - S // 4
    at_ns = np.arange(start_ns, cell.load_ended_ns + 1, S // 4)
    asked = np.searchsorted(np.sort(outcome.requests["ended_ns"]), at_ns)
    got = np.searchsorted(np.sort(outcome.deliveries["received_ns"]), at_ns)
    joined = np.searchsorted(at.joined, at_ns)
    server = {
        "pid": 1,
        "role": "server",
        "cpu_ns": 250_000_000 + asked * 40_000 + got * 20_000,
        "rss_bytes": 50_000_000 + joined * 14_000,
        "open_sockets": joined + 1,
        "kernel_socket_bytes": joined * 4_000,
        "lag_ns": -1,
        **dict.fromkeys(["connections", "wire_bytes_out", "wire_bytes_in", "wire_segments_out"], -1),
        "wire_segments_in": -1,
        "waited_ns": np.arange(len(at_ns)) * 100_000,
    }
    polled = bool((outcome.requests["error"] == "").any())
    opened = np.searchsorted(np.sort(outcome.requests.groupby("user")["started_ns"].min()), at_ns)
    wire = _wire(outcome, at_ns, opened, at, polled=polled)
    generator = {
        "pid": 2,
        "role": "generator",
        "cpu_ns": 900_000_000 + asked * 50_000 + got * 15_000,
        "rss_bytes": 120_000_000,
        "open_sockets": joined,
        "kernel_socket_bytes": -1,
        "lag_ns": at.random.exponential(300_000, len(at_ns)).astype(np.int64),
        "connections": opened,
        **wire,
        "waited_ns": np.arange(len(at_ns)) * 200_000,
    }
    frames = [pd.DataFrame({"at_ns": at_ns, **columns}) for columns in (server, generator)]
    return pd.concat(frames, ignore_index=True).sort_values("at_ns", ignore_index=True)


def _wire(
    outcome: Outcome, at_ns: np.ndarray, opened: np.ndarray, at: Situation, *, polled: bool
) -> dict[str, np.ndarray]:
    """Count bytes when they come, and segments: handshakes; data and its acknowledgement; one acknowledgement for a
    poll, and the probes of the server's kernel and their answers where polls are further apart than heartbeats. Under
    TLS a record is a header of 5, up to 16,384 bytes, and 17 behind them."""

    def sent(lengths: "pd.Series[int]") -> np.ndarray:
        sealed = lengths + at.tls * (5 + 17) * np.ceil(lengths / 2**14).astype(np.int64)
        return np.concatenate([[0], np.cumsum(sealed)])

    requests, deliveries = outcome.requests.sort_values("ended_ns"), outcome.deliveries
    if polled:
        done = np.searchsorted(requests["ended_ns"], at_ns)
        bytes_in, bytes_out = sent(requests["bytes_in"])[done], sent(requests["bytes_out"])[done]
        probes = at.interval_ns // at.heartbeat_ns
        segments = done * (1 + probes)
    else:
        reads = deliveries.groupby(["user", "received_ns"])["bytes"].sum().sort_index(level="received_ns")
        segments = np.searchsorted(reads.index.get_level_values("received_ns"), at_ns)
        bytes_in = sent(reads)[segments] + requests["bytes_in"].sum() - reads.sum()
        bytes_out = np.full(len(at_ns), requests["bytes_out"].sum())
    return {
        "wire_bytes_out": bytes_out,
        "wire_bytes_in": bytes_in + at.tls * HANDSHAKE_BYTES * opened,
        "wire_segments_out": segments + 2 * opened,
        "wire_segments_in": segments + (done if polled else 0) + opened,
    }
