"""Rows are counted while they are written, and what was read is taken away, so that the disk holds little of them."""

import json
from pathlib import Path

import numpy as np

from loadtests.metrics.tail import Tail
from loadtests.records.rows import DELIVERY, REQUEST, ROLES, SAMPLE, Sample
from loadtests.records.to_parquet import recorded_rows
from loadtests.summary.folding import Folding
from loadtests.summary.kept import Folded, together
from loadtests.summary.reduction import Window

S = 10**9
NAME = "deliveries-sse-7"
WINDOW = Window(0, 100 * S, 0)


def write(folder: Path, ids: range, table: str = "deliveries", process: str = "7", user: int = 1) -> None:
    """Append as `Recorder` does: the file is opened anew each time."""
    raw = folder / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    rows = b"".join(
        DELIVERY.pack(user, at, at * S // 100, at * S // 100, at * S // 100 + 5_000_000, 9, 0, 0) for at in ids
    )
    if table == "requests":
        rows = REQUEST.pack(user, 1, 1, 1, 2, 3, 200, 0, len(ids), 0, 10, 20, 0, 0)
    with (raw / f"{table}-sse-{process}.rows").open("ab") as file:
        file.write(rows)


def look(folder: Path, at_ns: int, process: str) -> None:
    row = Sample(at_ns, 7, ROLES.index("generator"), *range(10))
    with (folder / "raw" / f"samples--{process}.rows").open("ab") as file:
        file.write(SAMPLE.pack(*row))


def say(folder: Path, **rows: int) -> None:
    counts = {f"{table}-sse-7": count for table, count in rows.items()}
    (folder / "raw" / "counts-7.json").write_text(json.dumps(counts), encoding="ascii")


def problems_of(folder: Path, folded: Folded) -> list[str]:
    return folded.unaccounted(recorded_rows(folder / "raw"))


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
    folded = folding.finish()
    summary = folded.summary
    assert problems_of(tmp_path, folded) == []
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
    folded = folding.finish()
    assert (folded.summary.deliveries.recorded, problems_of(tmp_path, folded)) == (40, [])
    assert not (tmp_path / "raw" / f"{NAME}.retired").exists()


def test_rows_that_a_process_recorded_and_nobody_counted_are_named(tmp_path: Path) -> None:
    write(tmp_path, range(1, 31))
    say(tmp_path, deliveries=31, requests=2)
    assert problems_of(tmp_path, Folding(tmp_path, WINDOW).finish()) == [
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


def test_what_hosts_count_adds_up_to_what_one_counts_who_reads_all_rows(tmp_path: Path) -> None:
    hosts = {"alpha": "7@alpha", "beta": "7@beta"}
    for user, (host, process) in enumerate(hosts.items(), 1):
        for folder in (tmp_path / host, tmp_path / "all"):
            write(folder, range(user, 401), process=process, user=user)
            write(folder, range(user, 401), "requests", process=process, user=user)
            for second in (1, 2):
                look(folder, second * S + user, process)
    added_up = together(Folding(tmp_path / host, WINDOW).finish() for host in hosts)
    assert added_up == Folding(tmp_path / "all", WINDOW).finish()
    assert added_up.taken["deliveries-sse-7@beta"] == 399
    assert added_up.summary.users.user == [1, 2]
    assert [added_up.summary.received(process, 0, 1) for process in hosts.values()] == [100, 100]
