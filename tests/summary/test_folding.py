"""Rows are counted while they are written, and what was read is taken away, so that the disk holds little of them."""

import json
from pathlib import Path

import numpy as np

from loadtests.metrics.tail import Tail
from loadtests.records.rows import DELIVERY, REQUEST
from loadtests.summary.folding import Folding
from loadtests.summary.reduction import Window

S = 10**9
NAME = "deliveries-sse-7"
WINDOW = Window(0, 100 * S, 0)


def write(folder: Path, ids: range, table: str = "deliveries") -> None:
    """Append as `Recorder` does: the file is opened anew each time."""
    raw = folder / "raw"
    raw.mkdir(exist_ok=True)
    rows = b"".join(
        DELIVERY.pack(1, at, at * S // 100, at * S // 100, at * S // 100 + 5_000_000, 9, 0, 0) for at in ids
    )
    if table == "requests":
        rows = REQUEST.pack(1, 1, 1, 1, 2, 3, 200, 0, len(ids), 0, 10, 20, 0, 0)
    with (raw / f"{table}-sse-7.rows").open("ab") as file:
        file.write(rows)


def say(folder: Path, **rows: int) -> None:
    counts = {f"{table}-sse-7": count for table, count in rows.items()}
    (folder / "raw" / "counts-7.json").write_text(json.dumps(counts), encoding="ascii")


def on_disk(folder: Path) -> int:
    return sum(file.stat().st_size for file in (folder / "raw").glob(f"{NAME}*"))


def test_files_that_were_read_go_while_others_are_written_and_no_row_is_lost(tmp_path: Path) -> None:
    folding = Folding(tmp_path, WINDOW, retire_bytes=20 * DELIVERY.size)
    largest = 0
    for at in range(40):
        write(tmp_path, range(10 * at + 1, 10 * at + 11))
        folding.read()
        largest = max(largest, on_disk(tmp_path))
    write(tmp_path, range(1, 401), "requests")
    say(tmp_path, deliveries=400, requests=1)
    summary, problems = folding.finish()
    assert problems == []
    assert largest <= 50 * DELIVERY.size
    assert (summary.deliveries.recorded, summary.users.delivered, summary.users.brought) == (400, [400], [400])
    assert summary.deliveries.latency.sum_ns == 400 * 5_000_000


def test_rows_that_are_written_into_a_file_as_it_is_taken_away_count(tmp_path: Path) -> None:
    write(tmp_path, range(1, 31))
    folding = Folding(tmp_path, WINDOW, retire_bytes=20 * DELIVERY.size)
    with (tmp_path / "raw" / f"{NAME}.rows").open("ab") as late:
        folding.read()
        late.write(DELIVERY.pack(1, 31, S, S, 2 * S, 9, 0, 0))
    write(tmp_path, range(32, 41))
    folding.read()
    say(tmp_path, deliveries=40)
    summary, problems = folding.finish()
    assert (summary.deliveries.recorded, problems) == (40, [])
    assert not (tmp_path / "raw" / f"{NAME}.retired").exists()


def test_rows_that_a_process_recorded_and_nobody_counted_are_named(tmp_path: Path) -> None:
    write(tmp_path, range(1, 31))
    say(tmp_path, deliveries=31, requests=2)
    _, problems = Folding(tmp_path, WINDOW).finish()
    assert problems == [
        f"30 rows of {NAME} were counted, its process recorded 31",
        "0 rows of requests-sse-7 were counted, its process recorded 2",
    ]


def test_who_else_reads_the_rows_goes_on_when_a_file_is_taken_away(tmp_path: Path) -> None:
    folding, other = Folding(tmp_path, WINDOW, retire_bytes=20 * DELIVERY.size), Tail(tmp_path)
    seen: list[int] = []
    for at in range(20):
        write(tmp_path, range(10 * at + 1, 10 * at + 11))
        folding.read()
        seen += [number for batch in other.read() for number in batch.rows["id"].tolist()]
    other.close()
    say(tmp_path, deliveries=200)
    folding.finish()
    assert seen == list(np.arange(1, 201))
