"""The write journal: every message sent to every client, at an instant before the client has it."""

import asyncio
import csv
from contextlib import aclosing
from pathlib import Path

import pytest

from servers import patterns
from servers.timing.clock import now_ns
from tests.clients import messages, take_ids
from tests.http1 import run
from tests.server_process import ServerProcess, serving

MESSAGES = 25
CLIENTS = 3


@pytest.mark.parametrize("pattern", patterns.names())
def test_what_each_client_was_sent_is_journalled_before_it_has_it(pattern: str, tmp_path: Path) -> None:
    received_ns: dict[int, list[int]] = {}

    async def read(server: ServerProcess) -> None:
        async with aclosing(messages(pattern, server, 0)) as lines:
            for _ in range(MESSAGES):
                (message_id,) = await take_ids(lines, 1)
                received_ns.setdefault(message_id, []).append(now_ns())

    async def check(server: ServerProcess) -> None:
        await asyncio.gather(*(read(server) for _ in range(CLIENTS)))

    before_ns = now_ns()
    journal = tmp_path / "writes.csv"
    with serving(pattern, "--schedule", "steady:200", "--write-journal", str(journal)) as server:
        run(check(server))
    with journal.open(newline="") as file:
        rows = [{name: int(value) for name, value in row.items()} for row in csv.DictReader(file)]
    for message_id, instants_ns in received_ns.items():
        written_ns = sorted(row["written_ns"] for row in rows if row["id"] == message_id)
        assert before_ns < written_ns[0]
        assert all(wrote < got for wrote, got in zip(written_ns, sorted(instants_ns), strict=True))
    assert len({row["connection"] for row in rows}) == CLIENTS


def test_without_a_journal_nothing_is_noted() -> None:
    with serving("sse") as server:
        server.post("x")
