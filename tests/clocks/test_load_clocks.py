"""Rows of a load process with another clock: brought onto the publisher's, with what the exchanges prove."""

import os
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from loadtests.clocks.line import ClockLine, Told
from loadtests.clocks.offset import ClockExchange, OffsetInterval
from loadtests.metrics.tail import Tail
from loadtests.records.clock_watch import ClockWatch
from loadtests.records.load_clocks import read_clock, shifted
from loadtests.records.manifest import LoadClock
from loadtests.records.recorder import DTYPES, Recorder, Rows
from loadtests.records.rows import DELIVERY, REQUEST, UNTOLD, Delivery, Request, Sample
from loadtests.records.to_parquet import Collected, collect, recorded_rows
from loadtests.summary.folding import Folding
from loadtests.summary.reduction import Window
from servers.timing.clock import clock_id
from servers.web.urls import read_url
from tests.clocks.two_clocks import MS, S, TwoClocks

SECONDS = 20
ELSEWHERE = "another boot:1"
TRUE_MS = 5.0


class Answering(ClockLine):
    """Gives the exchanges that it was made with, as if they had been asked for."""

    def __init__(self, exchanges: list[ClockExchange], name: str = ELSEWHERE) -> None:
        super().__init__(read_url("http://127.0.0.1:1", "--host"))
        self._exchanges, self._name = iter(exchanges), name

    def ask(self) -> Told:
        found = next(self._exchanges, None)
        if found is None:
            raise ConnectionRefusedError
        return Told(found, self._name, 0)


def recorded(folder: Path, clocks: TwoClocks, exchanges: list[ClockExchange], name: str = ELSEWHERE) -> Recorder:
    """Record what a process whose clock is theirs less the offset sees: each message takes TRUE_MS."""
    recorder = Recorder()
    recorder.start(folder)
    first = exchanges[0].interval() if exchanges else OffsetInterval(0, 0, 0)
    watch = ClockWatch(Answering(exchanges, name), name, first, recorder)
    tape = recorder.tape("sse")
    tape.requests += REQUEST.pack(*Request(1, 1, 2 * S, 2 * S, 0, SECONDS * S, 200, 0, SECONDS, 0, 70, 300, 0))
    for second in range(2, SECONDS):
        received_ns = second * S
        published_ns = clocks.theirs(received_ns) - round(TRUE_MS * MS)
        arrived_ns = [0, UNTOLD, received_ns - MS][second % 3]
        tape.deliveries += DELIVERY.pack(
            *Delivery(1, second, published_ns, published_ns, received_ns, 240, 0, arrived_ns)
        )
        recorder.sample(Sample(received_ns, os.getpid(), 1, *range(10)))
    while watch.look():
        pass
    watch.look_closely()
    return recorder


def brought_over(folder: Path, recorder: Recorder) -> tuple[Collected, pd.DataFrame]:
    recorder.finish()
    found = collect(folder)
    return found, pd.read_parquet(folder / "deliveries.parquet")


@pytest.mark.parametrize("offset_ns", [3 * S, 1_000 * S, -S])
def test_latencies_by_a_clock_that_is_off_are_what_they_are_within_the_stated_error(
    tmp_path: Path, offset_ns: int
) -> None:
    clocks = TwoClocks(offset_ns, drift_ppm=30)
    exchanges = clocks.exchanges(np.random.default_rng(3), 5 * SECONDS)
    found, deliveries = brought_over(tmp_path, recorded(tmp_path, clocks, exchanges))
    (known,) = found.clocks
    assert (found.problems, known.problem, known.same, known.exchanges) == ([], "", False, len(exchanges))
    off_ms = (deliveries["received_ns"] - deliveries["published_ns"]) / MS - TRUE_MS
    assert off_ms.abs().max() <= known.error_ns / MS
    assert known.error_ns < 8 * MS
    stamped = deliveries[deliveries["arrived_ns"] > 0]
    assert ((stamped["received_ns"] - stamped["arrived_ns"]) - MS).abs().max() <= 1_000
    assert set(deliveries["arrived_ns"][deliveries["arrived_ns"] <= 0]) == {0, UNTOLD}


def test_all_instants_of_a_process_are_brought_over_and_nothing_else(tmp_path: Path) -> None:
    clocks = TwoClocks(3 * S)
    brought_over(tmp_path, recorded(tmp_path, clocks, clocks.exchanges(np.random.default_rng(3), 50)))
    requests, samples = (pd.read_parquet(tmp_path / f"{table}.parquet") for table in ("requests", "samples"))
    assert requests["started_ns"].tolist() == pytest.approx([5 * S], rel=0.01)
    assert requests["first_byte_ns"].tolist() == [0]
    assert requests["ended_ns"].tolist() == pytest.approx([(SECONDS + 3) * S], rel=0.01)
    assert samples["at_ns"].tolist() == pytest.approx([(second + 3) * S for second in range(2, SECONDS)], rel=0.01)
    assert (samples["pid"] == os.getpid()).all()


def test_what_was_exchanged_is_kept_as_it_was(tmp_path: Path) -> None:
    clocks = TwoClocks(3 * S)
    exchanges = clocks.exchanges(np.random.default_rng(3), 50)
    brought_over(tmp_path, recorded(tmp_path, clocks, exchanges))
    kept = pd.read_parquet(tmp_path / "exchanges.parquet")
    assert [tuple(row) for row in kept[list(ClockExchange._fields)].to_numpy()] == exchanges
    assert set(kept["process"]) == {str(os.getpid())}


def test_a_clock_that_was_set_is_a_problem_of_that_process(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    later = [
        ClockExchange(*(instant + 10 * S for instant in each))._replace(
            reached_ns=each.reached_ns + 12 * S, answered_ns=each.answered_ns + 12 * S
        )
        for each in TwoClocks(3 * S).exchanges(random, 30)
    ]
    clocks = TwoClocks(3 * S)
    found, _ = brought_over(tmp_path, recorded(tmp_path, clocks, clocks.exchanges(random, 30) + later))
    assert "contradict" in found.clocks[0].problem or "one of the clocks was set" in found.clocks[0].problem
    assert found.problems == []  # its rows are there: the report says what they are worth


def test_rows_of_another_clock_without_an_exchange_cannot_be_used(tmp_path: Path) -> None:
    found, _ = brought_over(tmp_path, recorded(tmp_path, TwoClocks(3 * S), []))
    alone = "it reads another clock than the publisher's, which answered none of its questions (GET /clock)"
    assert found.problems == [f"load process {os.getpid()}: {alone}"]


def test_one_clock_is_left_alone_and_checked(tmp_path: Path) -> None:
    clocks = TwoClocks(0)
    exchanges = clocks.exchanges(np.random.default_rng(3), 20)
    found, deliveries = brought_over(tmp_path, recorded(tmp_path, clocks, exchanges, clock_id()))
    (known,) = found.clocks
    assert (known.same, known.problem, known.error_ns) == (True, "", 0)
    assert known.low_ns <= 0 <= known.high_ns
    assert deliveries["received_ns"].tolist() == [second * S for second in range(2, SECONDS)]


def test_one_name_for_two_clocks_is_found_out_by_exchange(tmp_path: Path) -> None:
    clocks = TwoClocks(3 * S)
    exchanges = clocks.exchanges(np.random.default_rng(3), 20)
    found, deliveries = brought_over(tmp_path, recorded(tmp_path, clocks, exchanges, clock_id()))
    (known,) = found.clocks
    assert "exchanges prove the two to be at least 29" in known.problem
    assert deliveries["received_ns"].tolist() == [second * S for second in range(2, SECONDS)]


def test_processes_of_one_clock_know_together_what_each_saw(tmp_path: Path) -> None:
    """As if two processes had recorded into one folder: files are named by process, and one of them never looked."""
    clocks = TwoClocks(3 * S)
    recorder = recorded(tmp_path, clocks, clocks.exchanges(np.random.default_rng(3), 50))
    recorder.finish()
    raw = tmp_path / "raw"
    blind = msgspec.structs.replace(msgspec.json.decode(_clock(raw), type=LoadClock), process="2")
    (raw / "clock-2.json").write_bytes(msgspec.json.encode(blind))
    (raw / "deliveries-sse-2.rows").write_bytes((raw / f"deliveries-sse-{os.getpid()}.rows").read_bytes())
    (raw / "counts-2.json").write_text(f'{{"deliveries-sse-2": {SECONDS - 2}}}', encoding="ascii")
    found = collect(tmp_path)
    assert found.problems == []
    assert [known.exchanges for known in sorted(found.clocks, key=lambda known: -known.exchanges)] == [50, 0]
    deliveries = pd.read_parquet(tmp_path / "deliveries.parquet")
    assert deliveries["received_ns"].nunique() == SECONDS - 2
    assert len(deliveries) == 2 * (SECONDS - 2)


def _clock(raw: Path) -> bytes:
    return (raw / f"clock-{os.getpid()}.json").read_bytes()


def test_who_reads_rows_as_they_come_sees_them_on_the_publishers_clock(tmp_path: Path) -> None:
    clocks = TwoClocks(3 * S)
    recorder = recorded(tmp_path, clocks, clocks.exchanges(np.random.default_rng(3), 50))
    recorder.write()
    tail = Tail(tmp_path)
    batches = {batch.table: batch for batch in tail.read()}
    tail.close()
    assert set(batches) == {"requests", "deliveries", "samples"}
    rows, error_ns = batches["deliveries"].rows, batches["deliveries"].clock_error_ns
    late_ns = rows["received_ns"] - rows["published_ns"]
    assert np.abs(late_ns - TRUE_MS * MS).max() <= error_ns < 10 * MS


def test_a_summary_of_rows_that_are_not_kept_says_by_how_much_its_clocks_may_be_wrong(tmp_path: Path) -> None:
    """It is moved by what was known as the rows came, and that is less sure the longer ago it was found."""
    clocks = TwoClocks(3 * S, drift_ppm=-40)
    recorder = recorded(tmp_path, clocks, clocks.exchanges(np.random.default_rng(3), 50))
    recorder.finish()
    folded = Folding(tmp_path, Window(0, 10**6 * S, S)).finish()
    assert folded.unaccounted(recorded_rows(tmp_path / "raw")) == []
    assert folded.summary.deliveries.early == 0, "what the clocks may be wrong by is not earliness"
    (error_ns,) = folded.clock_error_ns.values()
    running = read_clock(tmp_path / "raw" / f"clock-{os.getpid()}.json")
    drifted_ns = 50e-6 * (SECONDS * S - running.at_ns)
    assert running.error_ns + drifted_ns <= error_ns < 10 * MS


def test_rows_are_moved_by_a_number_but_for_what_is_no_instant() -> None:
    rows: Rows = np.array([(1, 2, 3, 4, 50, 6, 0, UNTOLD)], DTYPES["deliveries"])
    assert shifted("deliveries", rows, 7).tolist() == [(1, 2, 3, 4, 57, 6, 0, UNTOLD)]
    assert rows["received_ns"].tolist() == [50]
