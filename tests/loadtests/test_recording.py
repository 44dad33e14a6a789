"""From a row in memory to Parquet: every row, every value, and what is said when some are missing."""

import json
import os
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.records.recorder import Recorder, Rows
from loadtests.records.rows import DELIVERY, ERRORS, MODES, REQUEST, SAMPLE, Delivery, Request, Sample
from loadtests.records.to_parquet import collect

INT32, INT64 = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)
INT16 = st.integers(-(2**15), 2**15 - 1)


def a_request(user: int = 1, error: int = 0) -> Request:
    return Request(user, 2, 3, 4, 5, 6, 200, error, 1, 0, 70, 300, 0)


def a_delivery(message_id: int) -> Delivery:
    return Delivery(1, message_id, 10, 20, 30, 240, 1)


def a_sample(at_ns: int) -> Sample:
    return Sample(at_ns, 7, 1, *range(10))


def record(folder: Path, requests: int, deliveries: int, pattern: str = "long_polling") -> Recorder:
    """Record that many rows, half of them after the first write."""
    recorder = Recorder()
    recorder.start(folder)
    tape = recorder.tape(pattern)
    for number in range(requests):
        tape.requests += REQUEST.pack(*a_request(number))
        if number == requests // 2:
            recorder.write()
    for number in range(deliveries):
        tape.deliveries += DELIVERY.pack(*a_delivery(number + 1))
    recorder.sample(a_sample(1))
    return recorder


def raw_file(folder: Path, table: str) -> Path:
    (file,) = (folder / "raw").glob(f"{table}-*.rows")
    return file


@given(st.tuples(INT32, INT32, INT64, INT64, INT64, INT64, INT16, INT16, INT32, INT32, INT64, INT64, INT64, INT16))
def test_a_request_row_survives_its_binary_record(row: tuple[int, ...]) -> None:
    assert REQUEST.unpack(REQUEST.pack(*Request(*row))) == row


def test_what_was_recorded_comes_out_as_named_columns(tmp_path: Path) -> None:
    record(tmp_path, requests=3, deliveries=2).finish()
    result = collect(tmp_path)
    assert (result.rows, result.problems) == ({"requests": 3, "deliveries": 2, "samples": 1}, [])
    requests = pd.read_parquet(tmp_path / "requests.parquet")
    assert list(requests.columns) == ["pattern", *Request._fields, "host"]
    assert requests["user"].tolist() == [0, 1, 2]
    assert set(requests["pattern"]) == {"long_polling"}
    assert set(requests["error"]) == {""}
    deliveries = pd.read_parquet(tmp_path / "deliveries.parquet")
    assert deliveries["id"].tolist() == [1, 2]
    assert set(deliveries["mode"]) == {"pushed"}
    samples = pd.read_parquet(tmp_path / "samples.parquet")
    assert samples["at_ns"].tolist() == [1]
    assert set(samples["role"]) == {"generator"}
    assert not (tmp_path / "raw").exists()


def test_codes_become_the_names_they_stand_for(tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.start(tmp_path)
    for code in range(len(ERRORS)):
        recorder.tape("sse").requests += REQUEST.pack(*a_request(error=code))
    for code in range(len(MODES)):
        recorder.tape("sse").deliveries += DELIVERY.pack(*a_delivery(1)._replace(mode=code))
    recorder.finish()
    collect(tmp_path)
    assert pd.read_parquet(tmp_path / "requests.parquet")["error"].tolist() == list(ERRORS)
    assert pd.read_parquet(tmp_path / "deliveries.parquet")["mode"].tolist() == list(MODES)


def test_the_patterns_of_one_process_stay_apart(tmp_path: Path) -> None:
    recorder = record(tmp_path, requests=2, deliveries=0, pattern="sse")
    recorder.tape("http2_push").requests += REQUEST.pack(*a_request(9))
    recorder.finish()
    collect(tmp_path)
    requests = pd.read_parquet(tmp_path / "requests.parquet").astype({"pattern": str})
    assert requests.groupby("pattern")["user"].apply(list).to_dict() == {"http2_push": [9], "sse": [0, 1]}


def test_a_run_without_a_delivery_still_has_its_table(tmp_path: Path) -> None:
    record(tmp_path, requests=1, deliveries=0).finish()
    assert collect(tmp_path).problems == []
    assert pd.read_parquet(tmp_path / "deliveries.parquet").empty


def test_what_was_written_before_a_crash_is_kept_and_the_torn_row_is_reported(tmp_path: Path) -> None:
    record(tmp_path, requests=4, deliveries=0).write()
    file = raw_file(tmp_path, "requests")
    file.write_bytes(file.read_bytes()[: 3 * REQUEST.size + 5])
    result = collect(tmp_path)
    assert result.rows["requests"] == 3
    assert any("within a row" in problem for problem in result.problems)
    assert any("did not end in order" in problem for problem in result.problems)
    assert file.exists()


def test_a_row_too_few_is_reported_and_the_raw_files_stay(tmp_path: Path) -> None:
    record(tmp_path, requests=4, deliveries=0).finish()
    file = raw_file(tmp_path, "requests")
    file.write_bytes(file.read_bytes()[: 3 * REQUEST.size])
    (problem,) = collect(tmp_path).problems
    assert "3 rows" in problem
    assert "4" in problem
    assert file.exists()


def test_a_file_that_is_gone_is_reported(tmp_path: Path) -> None:
    record(tmp_path, requests=4, deliveries=1).finish()
    raw_file(tmp_path, "deliveries").unlink()
    (problem,) = collect(tmp_path).problems
    assert "missing" in problem


def test_rows_are_shown_to_the_observer_once_each(tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.start(tmp_path)
    shown: list[tuple[str, str, int]] = []

    def observe(table: str, pattern: str, rows: Rows) -> None:
        shown.append((table, pattern, len(rows)))

    recorder.observe = observe
    recorder.tape("sse").deliveries += DELIVERY.pack(*a_delivery(1)) * 3
    recorder.write()
    recorder.write()
    assert shown == [("deliveries", "sse", 3)]


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/dev/full").exists(), reason="needs a device that is full")
def test_rows_stay_in_memory_when_the_disk_is_full(tmp_path: Path) -> None:
    recorder = record(tmp_path, requests=1, deliveries=0)
    recorder.write()
    file = raw_file(tmp_path, "requests")
    file.unlink()
    file.symlink_to("/dev/full")
    tape = recorder.tape("long_polling")
    tape.requests += REQUEST.pack(*a_request())
    with pytest.raises(OSError, match="No space left"):
        recorder.write()
    assert len(tape.requests) == REQUEST.size
    file.unlink()
    recorder.finish()
    assert file.stat().st_size == REQUEST.size


def test_the_count_is_one_json_object_per_process(tmp_path: Path) -> None:
    rows = record(tmp_path, requests=3, deliveries=2).finish()
    (file,) = (tmp_path / "raw").glob("counts-*.json")
    assert json.loads(file.read_text()) == rows
    assert sorted(rows.values()) == [1, 2, 3]
    assert SAMPLE.size == raw_file(tmp_path, "samples").stat().st_size
