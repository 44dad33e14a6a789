"""What every pattern's user owes whoever reads a report: each message recorded once, when it came and not later.

The real user against the real server, with nothing behind the last message that could push it out: no other message,
no heartbeat, no end of a hold. A pattern gets these tests by having a file in loadtests/patterns.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from loadtests import patterns
from loadtests.runs.target import Target
from servers.timing.clock import now_ns
from tests.loadtests.load_process import http_host
from tests.loadtests.mutants import MUTANTS
from tests.server_process import HANG_S, ServerProcess, serving

pytestmark = pytest.mark.apart
CONTENTS = ["x", "x" * 60, "\u20ac \n\r\n\r\n data: id: 1", "y" * 200, "z" * 70_000]
"""WebSocket has three ways to write a length, HTTP/2 several frames for the longest."""
BURST = 12
MUTE_S = 1.5
"""How long a mutant may keep silent, once it has been seen to read, until it counts as found."""


@pytest.fixture(scope="session")
def quiet() -> Iterator[ServerProcess]:
    with serving("--heartbeat", "0", "--hold-timeout", "300") as server:
        yield server


class Told:
    """What a user tells of itself, as it does."""

    def __init__(self, file: Path, patience_s: float) -> None:
        self._file = file
        self._patience_s = patience_s

    def lines(self, kind: str) -> list[list[Any]]:
        text = self._file.read_text(encoding="ascii") if self._file.exists() else ""
        whole = text[: text.rfind("\n") + 1].splitlines()
        return [line[1:] for line in map(json.loads, whole) if line[0] == kind]

    def reading(self) -> None:
        self._until(lambda: bool(self.lines("read")), HANG_S, "a read")

    def ids(self, count: int) -> list[int]:
        """Return the messages so far, as soon as there are `count`."""
        self._until(lambda: len(self.lines("delivery")) >= count, self._patience_s, f"message {count}")
        return [int(line[0]) for line in self.lines("delivery")]

    def _until(self, reached: Callable[[], bool], patience_s: float, what: str) -> None:
        deadline = time.monotonic() + patience_s
        while not reached():
            assert time.monotonic() < deadline, f"waited in vain for {what}: {self.lines('delivery')}"
            time.sleep(0.005)


@contextmanager
def telling(pattern: str, server: ServerProcess, cursor: int, reads: str, mutant: str, file: Path) -> Iterator[None]:
    script = str(Path(__file__).with_name("contract_user.py"))
    http2_host = f"http://127.0.0.1:{server.http2_port}"
    command = [sys.executable, script, pattern, http_host(server), http2_host, str(cursor), reads, mutant, str(file)]
    with subprocess.Popen(command) as process:
        try:
            yield
        finally:
            process.kill()


def hold_to_the_contract(
    pattern: str, server: ServerProcess, reads: str, file: Path, mutant: str = "none", patience_s: float = HANG_S
) -> None:
    before = server.stats()["newest_id"]
    posted = [server.post("it has been published when the user comes")]
    told = Told(file, patience_s)
    with telling(pattern, server, before, reads, mutant, file):
        told.reading()
        assert told.ids(1) == posted
        for content in CONTENTS:
            posted.append(server.post(content))
            assert told.ids(len(posted)) == posted
        posted += [server.post(f"{nth}" * nth) for nth in range(1, BURST)]
        assert told.ids(len(posted)) == posted
        read_by_ns = now_ns()
    rows = told.lines("delivery")
    assert "".join(f"{nth},{due},{published}\n" for nth, due, published, _ in rows).encode() == Target(
        http_host(server)
    ).published(before)
    assert all(published < received < read_by_ns for _, _, published, received in rows)
    for nth, _, published_ns, received_ns in rows[1:]:
        passed = [line for line in told.lines("request") if published_ns < line[0] and line[1] < received_ns]
        assert not passed, f"message {nth} was not in the first answer to whoever asked after it was there"


@pytest.mark.parametrize("reads", ["whole", "bytes"])
@pytest.mark.parametrize("pattern", patterns.names())
def test_a_user_records_each_message_once_and_as_it_comes_however_its_bytes_are_cut(
    pattern: str, reads: str, quiet: ServerProcess, tmp_path: Path
) -> None:
    hold_to_the_contract(pattern, quiet, reads, tmp_path / "told")


@pytest.mark.parametrize("mutant", MUTANTS)
@pytest.mark.parametrize("pattern", patterns.names())
def test_a_user_that_decodes_late_or_loses_or_doubles_is_found(
    pattern: str, mutant: str, quiet: ServerProcess, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError):
        hold_to_the_contract(pattern, quiet, "bytes", tmp_path / "told", mutant, MUTE_S)
