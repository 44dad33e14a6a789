"""Faults reach the clients of every pattern as they are, by way of real processes."""

import asyncio
from contextlib import aclosing
from itertools import islice
from pathlib import Path

import pytest

from servers import patterns
from servers.settings.fault_specs import parse_fault
from tests.clients import messages, take_ids
from tests.http1 import connected, run
from tests.server_process import ServerProcess, serving
from tests.servers.faults.test_feed import sent

MESSAGES = 40


@pytest.mark.parametrize("pattern", patterns.names())
@pytest.mark.parametrize("form", ["drop:0.2", "duplicate:0.3", "reorder:0.3", "delay:1,9,0.5"])
def test_clients_of_every_pattern_get_what_the_fates_say(pattern: str, form: str, tmp_path: Path) -> None:
    expected = sent(list(islice(parse_fault(form).fates(), MESSAGES)))

    async def check(server: ServerProcess) -> None:
        async with aclosing(messages(pattern, server, 0)) as lines, connected(server.port) as publisher:
            taken = asyncio.create_task(take_ids(lines, len(expected)))
            for n in range(MESSAGES):
                await publisher.post(f"message {n}")
            assert await taken == expected

    journal = tmp_path / "faults.csv"
    with serving(pattern, "--fault", form, "--fault-journal", str(journal)) as server:
        run(check(server))
    columns, *rows = journal.read_text(encoding="ascii").splitlines()
    assert columns == "id,copies,overtaken,released_ns,waiting"
    assert sum(int(row.split(",")[1]) for row in rows) == len(expected)


def test_a_faulty_server_says_so_wherever_it_is_asked() -> None:
    with serving("sse", "--fault", "drop:0.010") as server:
        assert server.ready["fault"] == server.stats()["fault"] == "drop:0.010"
    with serving("sse") as server:
        assert "fault" not in server.ready | server.stats()
