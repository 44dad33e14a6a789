"""Load processes as tests start, interrupt and read them: real Locust, a real server, real files."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from loadtests.records.recorder import DTYPES
from loadtests.records.to_parquet import collect
from loadtests.runs.commands import OURS
from loadtests.scenario.plan import user_class_name
from servers.patterns import names
from tests.server_process import HANG_S, ROOT, ServerProcess

ALL_USERS = tuple(map(user_class_name, names()))
FOR_LONG = ("--run-time", "120s")
"""Longer than any test waits: it is told to stop when what the test is about has happened."""
LOCUST = [*OURS.load, "--only-summary"]


class Load:
    """A Locust process with all it says in one log. Its process group is its own, so that a test can end all of it."""

    def __init__(self, log: Path, *arguments: str, cwd: Path = ROOT, command: list[str] = LOCUST) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, *arguments], cwd=cwd, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )

    def words(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def until(self, reached: Callable[[], bool], what: str) -> None:
        """Wait for something that the test has caused; fail when the process ends or hangs first."""
        deadline = time.monotonic() + HANG_S
        while not reached():
            assert self.process.poll() is None, f"ended before {what}: {self.words()}"
            assert time.monotonic() < deadline, f"waited in vain for {what}: {self.words()}"
            time.sleep(0.05)

    def until_said(self, words: str) -> None:
        self.until(lambda: words in self.words(), repr(words))

    def stopped(self) -> None:
        """Tell it to stop, and see that it ends well."""
        self.process.send_signal(signal.SIGTERM)
        assert self.ended() == 0, self.words()

    def ended(self) -> int:
        """Return the exit code; a hang fails the test."""
        return self.process.wait(HANG_S)

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Loads:
    """Starts load processes against one address, and ends whatever is left of them."""

    def __init__(self, folder: Path, host: str) -> None:
        self.cell = folder / "cell"
        self._folder = folder
        self._host = host
        self._started: list[Load] = []

    def start(self, *arguments: str) -> Load:
        log = self._folder / f"load-{len(self._started)}.log"
        load = Load(log, "--host", self._host, "--run-dir", str(self.cell), *arguments)
        self._started.append(load)
        return load

    def raw_bytes(self, table: str) -> int:
        """Return how many bytes of a table are in files so far."""
        return sum(file.stat().st_size for file in (self.cell / "raw").glob(f"{table}-*.rows"))

    def rows(self, table: str) -> np.ndarray:
        """Return the rows of a table, as far as they are in files yet."""
        files = (self.cell / "raw").glob(f"{table}-*.rows")
        return np.concatenate([np.empty(0, DTYPES[table]), *(np.fromfile(file, DTYPES[table]) for file in files)])

    def await_rows(self, load: Load, users: int, each: int = 20, table: str = "deliveries") -> None:
        """Wait until each of so many users has so many rows: how long that takes is the machine's business."""

        def all_have() -> bool:
            found, counts = np.unique(self.rows(table)["user"], return_counts=True)
            return bool(len(found) == users and counts.min() >= each)

        load.until(all_have, f"{each} {table} of each of {users} users")

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.cell / f"{name}.parquet")

    def end(self) -> None:
        for load in self._started:
            load.kill()


@contextmanager
def loads_on(folder: Path, host: str) -> Iterator[Loads]:
    loads = Loads(folder, host)
    try:
        yield loads
    finally:
        loads.end()


def check_whole(loads: Loads, users: int) -> pd.DataFrame:
    """Check that no row is missing and no user missed or repeated a message; return the deliveries."""
    collected = collect(loads.cell)
    assert collected.problems == []
    assert min(collected.rows.values()) > 0
    deliveries, requests = loads.table("deliveries"), loads.table("requests")
    assert deliveries["user"].nunique() == requests["user"].nunique() == users
    for _, ids in deliveries.groupby("user")["id"]:
        assert ids.tolist() == list(range(ids.iloc[0], ids.iloc[0] + len(ids)))
    assert (deliveries["due_ns"] <= deliveries["published_ns"]).all()
    assert (deliveries["published_ns"] <= deliveries["received_ns"]).all()
    counted = deliveries.groupby("user", observed=True).size()
    assert requests.groupby("user", observed=True)["messages"].sum().sub(counted, fill_value=0).eq(0).all()
    return deliveries


def http_host(server: ServerProcess) -> str:
    return f"http://127.0.0.1:{server.port}"
