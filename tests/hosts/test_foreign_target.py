"""A server that is not ours, measured by load hosts: each of their users is heard of before anything counts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import pollbench
from loadtests.host.managed_process import Child
from loadtests.runs.hosts.messages import TOKEN
from servers.web.free_port import free_port
from tests.forked import ran
from tests.hosts.crews import SECRET
from tests.targets.test_run import BRIEF, PUBLISH, cell_of, foreign

pytestmark = pytest.mark.slow


def run(folder: Path, mode: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """Measure a server by two load hosts."""
    port = str(free_port())
    joining = [sys.executable, pollbench.__file__, "worker", "--master", f"127.0.0.1:{port}", "--wait", "60"]
    measuring = ["run", "sse", "--workers", "2", "--worker-port", port, *BRIEF]
    hosts = [
        Child(name, [*joining, "--name", name], folder / f"{name}.log", extra_env={TOKEN: SECRET})
        for name in ("alpha", "beta")
    ]
    try:
        with foreign(mode) as url:
            asked = ["--url", f"{url}/events", "--publish", PUBLISH, "--set", "publish.at_once=4", *words]
            return ran(*measuring, *asked, "--json", "--out", str(folder / "run"), env=os.environ | {TOKEN: SECRET})
    finally:
        for host in hosts:
            host.stop()


def test_every_message_reaches_every_client_of_every_host(tmp_path: Path) -> None:
    done = run(tmp_path, "")
    assert done.returncode in {pollbench.DONE, pollbench.INVALID}, done.stderr
    (row,) = json.loads(done.stdout)["summary"]
    assert (row["delivered"], row["missed"], row["duplicated"], row["unknown"]) == (4 * 20, 0, 0, 0)
    (file,) = (tmp_path / "run").glob("cells/*/deliveries.parquet")
    assert set(pd.read_parquet(file, columns=["host"])["host"]) == {"alpha", "beta"}


def test_a_roll_call_that_nobody_answers_says_how_many_each_host_heard(tmp_path: Path) -> None:
    done = run(tmp_path, "swallow", "--set", "roll_call_s=2")
    assert done.returncode not in {pollbench.DONE, pollbench.INVALID}
    (problem,) = cell_of(tmp_path / "run")["problems"]
    assert problem.startswith("roll call: 0 of 4 clients heard a message within ")
    assert "(alpha 0, beta 0)" in problem
