"""PURE. The JSON files that make a run folder self-describing, as types. `run.json` says what was asked of which
machine; each cell's `cell.json` says what happened. Both carry the schema version of `arrival.py`. A session, which is
a test driven by hand, has its facts in `session.json` until loadtests/session_run.py makes a run of it.

runs/2026-11-24T07-30-00-compare-feed/
    run.json
    cells/feed-50-long_polling-1/       scenario-clients-pattern-repeat; -40ms behind clients with a round trip
                                        of 40 ms, -5per_s where there are several message rates
        cell.json                       written last: a cell without one did not finish
        requests.parquet  deliveries.parquet  samples.parquet   one row group per pattern, see arrival.py
        published.csv                   id,due_ns,published_ns of every message the server published
        faults.csv  writes.csv          only of a server that is wrong on purpose, or calibrated against
        server.log  load.log
    report.html  summary.csv  charts/
"""

from typing import Final

import msgspec

from loadtests.arrival import SCHEMA_VERSION

SESSION: Final = "session"
"""The kind of a run that was driven by hand: all patterns at once, one cell each."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run was made. Empty strings, and 0 for open_files and ports, where the platform does not say.

    open_files: that a process may have; ports: for connections from here to one address.
    """

    system: str
    cpu: str
    cores: int
    memory_bytes: int
    python: str
    clock_id: str
    open_files: int = 0
    ports: int = 0


class PatternCalibration(msgspec.Struct, frozen=True, kw_only=True):
    """The instrument's own error for one pattern, in milliseconds reported less milliseconds true.

    at_rest_ms: of the median at the lowest rate. bias_ms, tail_ms: the largest of the median and of p99 up to half of
    honest_per_s. bimodal_ms, frozen_ms: the largest of p50, p90 and p99 with two delays, and over a freeze; None when
    not measured. cpu_us: generator CPU time for one more delivery, None where that is not known.
    honest_per_s: the highest rate of deliveries that was still reported within the limit, at_least when no higher one
    was tried; stopped_by: what the next rate broke, "loss", "bias" or "lag".
    """

    at_rest_ms: float
    bias_ms: float
    tail_ms: float
    bimodal_ms: float | None
    frozen_ms: float | None
    cpu_us: float | None
    honest_per_s: float
    at_least: bool
    stopped_by: str


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """runs/calibration.json. machine, versions: what it holds for; clients: how many users each message went to."""

    measured_at: str
    machine: Machine
    versions: dict[str, str]
    clients: int
    patterns: dict[str, PatternCalibration]


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """What an experiment came to: runs/advice.json holds the newest of each, by its name. command: to try it again."""

    title: str
    verdict: str
    command: str
    measured_at: str


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """run.json: what was asked for. `command` reruns it; `cells` are the cell names in the order planned.

    calibration: the newest one where the run was begun, whether or not it still held; None when there was none.
    advice: what experiments had come to there, by name.
    """

    schema: int = SCHEMA_VERSION
    command: str
    started_at: str
    kind: str
    scenarios: list[dict[str, object]]
    patterns: dict[str, str]
    repeats: int
    cells: list[str]
    machine: Machine
    versions: dict[str, str]
    commit: str
    calibration: Calibration | None = None
    advice: dict[str, Advice] = {}


class RelayAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What the relay of a cell said of itself at its end: what it carried, and what it added on its own account.

    late_*: from the instant at which a chunk should have been written to the write. cpu_s: over its whole life.
    """

    connections: int
    refused: int
    chunks: int
    bytes: int
    late_mean_ms: float
    late_max_ms: float
    cpu_s: float


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """cell.json: one pattern under one scenario, once. Instants are ns of the clock named by the run's clock_id.

    status: "finished" or "failed"; problems: one line for each thing that went wrong, empty when nothing did.
    spawned_by_ns: when the last client had been started. A message counts when window_from_ns <= due_ns <
    window_until_ns. load_ended_ns: when users were told to stop. published: newest id at that moment; published_before:
    the one before the first that the journal holds, which is 0 unless the server was there already.
    rate_per_s: messages a second by its schedule; None in runs from before it was a dimension, whose scenario has one.
    relay: what stood between clients and server, if anything.
    rows: what the load processes say they recorded, table -> rows; collecting checks it against the files.
    """

    schema: int = SCHEMA_VERSION
    name: str
    pattern: str
    label: str
    scenario: str
    clients: int
    rtt_ms: float
    repeat: int
    status: str
    problems: list[str]
    server_pid: int
    server_command: list[str]
    load_command: list[str]
    load_exit_code: int
    spawned_by_ns: int
    publish_from_ns: int
    window_from_ns: int
    window_until_ns: int
    load_ended_ns: int
    published: int
    published_before: int = 0
    rate_per_s: float | None = None
    relay: RelayAccount | None = None
    rows: dict[str, int]


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """session.json: what is known when a test driven by hand ends. Instants are ns, as in `Cell`.

    users: pattern -> users that ran; labels: pattern -> name. reset_ns: when the statistics were reset last, 0 for
    never. ended_ns: when the end was asked for. published: newest id then.
    """

    command: list[str]
    started_at: str
    server_pid: int
    schedule: str
    message_bytes: int
    poll_interval_s: float
    hold_timeout_s: float
    poll_pace: str = "rate"
    poll_start: str = "spread"
    backoff: str = "exponential"
    source: str = ""
    fault: str = ""
    one_per_response: bool = False
    silence_timeout_s: float = 60.0
    etag: bool = False
    no_keep_alive: bool = False
    compress: bool = False
    users: dict[str, int]
    labels: dict[str, str]
    spawned_by_ns: int
    publish_from_ns: int
    reset_ns: int = 0
    ended_ns: int
    published: int
    published_before: int = 0
    problems: list[str]
