"""PURE. The JSON files that make a run folder self-describing, as types: what they may hold is said here and checked
as they are read (run_folder.py), since they are input like any other. `run.json` says what was asked of which
machine; each cell's `cell.json` says what happened. Both carry the schema version of `rows.py`. Of a session, which is
a test driven by hand, both are written when it has stopped; until then what is known stands in `session.json`.

runs/2026-11-24T07-30-00-compare-feed/
    run.json
    cells/feed-50-long_polling-1/       scenario-clients-pattern-repeat; -40ms behind clients with a round trip
                                        of 40 ms, -5per_s where there are several message rates
        cell.json                       written last: a cell without one did not finish
        requests.parquet  deliveries.parquet  samples.parquet   one row group per pattern, see rows.py
        summary.json                    instead of the first two under --keep summary, see loadtests/summary
        exchanges.parquet               of load processes that asked the publisher's clock
        published.csv                   id,due_ns,published_ns of every message the server published
        faults.csv  writes.csv          only of a server that is wrong on purpose, or calibrated against
        server.log  load.log
    report.html  summary.csv  charts/
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from loadtests.records.rows import SCHEMA_VERSION

Count = Annotated[int, Meta(ge=0, le=2**53)]
Instant = Annotated[int, Meta(ge=0, lt=2**62)]
Text = Annotated[str, Meta(max_length=20_000)]
Label = Annotated[str, Meta(pattern=r"\A[^\x00-\x1f\x7f-\x9f]+\Z", max_length=60)]
Name = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_-]*\Z", max_length=60)]
"""Of a pattern, a scenario, an experiment: it becomes part of file names and of pages."""
CellName = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.+-]*\Z", max_length=200)]
Repeats = Annotated[int, Meta(ge=1, le=1000)]
Setting = bool | int | float | Text | None | list[bool | int | float | Text]
"""A field of a scenario as JSON has it."""

HOST_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}"
HostName = Annotated[str, Meta(pattern=rf"\A{HOST_NAME}\Z")]
"""Of a load host: it becomes part of file names."""

SESSION: Final = "session"
"""The kind of a run that was driven by hand: all patterns at once, one cell each."""
SYNTHETIC: Final = "synthetic"
"""The kind of a run that never happened, made for tests and benchmarks."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run was made. Empty strings, and 0 for open_files and ports, where the platform does not say.

    open_files: that a process may have; ports: for connections from here to one address.
    """

    system: Text
    cpu: Text
    cores: Count
    memory_bytes: Count
    python: Text
    clock_id: Text
    open_files: Count = 0
    ports: Count = 0


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
    stopped_by: Text


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """runs/calibration.json. machine, versions: what it holds for; clients: how many users each message went to."""

    measured_at: Text
    machine: Machine
    versions: dict[Text, Text]
    clients: Count
    patterns: dict[Name, PatternCalibration]


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an experiment: runs/advice.json holds the newest of each, by its name. command: to repeat it."""

    title: Text
    verdict: Text
    command: Text
    measured_at: Text


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """run.json: what was asked for. `command` reruns it; `cells` are the cell names in the order planned.

    calibration: the newest one where the run was begun, whether or not it still held; None when there was none.
    advice: what experiments had come to there, by name.
    """

    schema: int = SCHEMA_VERSION
    command: Text
    started_at: Text
    kind: Text
    scenarios: Annotated[list[dict[Text, object]], Meta(min_length=1, max_length=100)]
    patterns: Annotated[dict[Name, Label], Meta(min_length=1, max_length=100)]
    repeats: Repeats
    cells: list[CellName]
    machine: Machine
    versions: dict[Text, Text]
    commit: Text
    calibration: Calibration | None = None
    advice: dict[Name, Advice] = {}


class RelayAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What the relay of a cell said of itself at its end: what it carried, and what it added on its own account.

    late_*: from the instant at which a chunk should have been written to the write. cpu_s: over its whole life.
    """

    connections: Count
    refused: Count
    chunks: Count
    bytes: Count
    late_mean_ms: float
    late_max_ms: float
    cpu_s: float


class WayUp(msgspec.Struct, frozen=True, kw_only=True):
    """How long messages took to be accepted by a server that is not ours, which is a part of their latency.

    Milliseconds from sending one to the answer to that. taken, refused: how many were.
    """

    taken: Count
    refused: Count
    median_ms: float
    p99_ms: float


Offset = Annotated[int, Meta(gt=-(2**62), lt=2**62)]


class LoadClock(msgspec.Struct, frozen=True, kw_only=True):
    """The clock of one load process beside the publisher's, as found by exchanges (loadtests/clocks).

    process: as in exchanges.parquet. clock, publisher: how both are named. same: both say that they are one, so nothing
    was added to the rows of this process. exchanges: how many there were, 0 where the server tells no time.
    The offset, publisher's less ours, lay between low_ns and high_ns at at_ns of the process's own clock, the last
    instant that counts; from_ns: the first one.
    rho_ppm: how fast it may have changed, by what both clocks were seen to be steered. error_ns: by how much an instant
    of this process may be wrong, on the publisher's clock. problem: what the exchanges contradict, "" for nothing.
    """

    process: Text = ""
    clock: Text
    publisher: Text
    same: bool
    exchanges: Count = 0
    low_ns: Offset = 0
    high_ns: Offset = 0
    at_ns: Instant = 0
    from_ns: Instant = 0
    rho_ppm: Annotated[float, Meta(ge=0, le=1e6)] = 0.0
    error_ns: Count = 0
    problem: Text = ""

    @property
    def midpoint_ns(self) -> int:
        """Return what is added to instants of this process."""
        return (self.low_ns + self.high_ns) // 2


class LoadHost(msgspec.Struct, frozen=True, kw_only=True):
    """A machine that drove a share of a cell's clients for the run's own. processes: how many load processes it ran."""

    name: HostName
    address: Text
    processes: Count
    machine: Machine


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """cell.json: one pattern under one scenario, once. Instants are ns of the clock named by the run's clock_id.

    status: "finished" or "failed"; problems: one line for each thing that went wrong, empty when nothing did.
    spawned_by_ns: when the last client had been started. A message counts when window_from_ns <= due_ns <
    window_until_ns. load_ended_ns: when users were told to stop. published: newest id at that moment; published_before:
    the one before the first that the journal holds, which is 0 unless the server was there already.
    rate_per_s: messages a second by its schedule, 0 where all are posted; None in runs from before it was a dimension,
    whose scenario has one.
    relay: what stood between clients and server, if anything.
    cost_of: whose cost is the server's, or why that is not measured; "" of our own servers, of which it is plain.
    settings: everything that the cell depends on, by the names of loadtests/scenario/settings.py; empty in cells from
    before they were kept there.
    hosts: where the load processes ran; empty where that was the run's own machine.
    rows: what the load processes say they recorded, table -> rows; collecting checks it against the files.
    clocks: what is known of the clock of each load process; empty in cells from before that was asked.
    seal: digests of the cell's files, of run.json and of all else here, see seal.py; empty in runs from before it.
    """

    schema: int = SCHEMA_VERSION
    name: CellName
    pattern: Name
    label: Label
    scenario: Name
    clients: Annotated[int, Meta(ge=1, le=50_000)]
    rtt_ms: Annotated[float, Meta(ge=0, le=10_000)]
    repeat: Repeats
    status: Literal["finished", "failed"]
    problems: list[str]
    server_pid: Count
    server_command: list[str]
    load_command: list[str]
    load_exit_code: int
    spawned_by_ns: Instant
    publish_from_ns: Instant
    window_from_ns: Instant
    window_until_ns: Instant
    load_ended_ns: Instant
    published: Count
    published_before: Count = 0
    rate_per_s: Annotated[float, Meta(ge=0)] | None = None
    relay: RelayAccount | None = None
    way_up: WayUp | None = None
    cost_of: Text = ""
    settings: dict[Text, Setting] = {}
    hosts: list[LoadHost] = []
    rows: dict[Text, Count]
    clocks: Annotated[list[LoadClock], Meta(max_length=10_000)] = []
    seal: dict[Text, Text] = {}


class SessionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """session.json: a test driven by hand that has stopped, and its cells as far as they are known by then.

    Their window begins where the statistics were reset last, 0 for nowhere; the rest follows from the rows. scenario:
    as run.json has it, but for its lengths, and for name and clients, which are each cell's own.
    """

    command: Text
    started_at: Text
    scenario: dict[Text, object]
    cells: list[Cell]
