"""Commands and servers of ours as processes that begin with everything imported.

To import what a command and its report need takes longer than the rest of a short run, and the suite starts hundreds.
So multiprocessing's fork server imports it once for each worker of pytest, and a process is a fork of it, with its own
exit code, outputs, folder, environment and signals. What Python does before it gets to us, and what becomes of strange
outputs, is tested with processes that start as users start them (tests/test_cli_streams.py, tests/test_install.py).
"""

import gc
import multiprocessing
import os
import runpy
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from loadtests.host.warden import warden

FORKS: Final = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "tests.forked",
        "reports.commands.app",
        "reports.page.page",
        "reports.page.terminal",
        "reports.page.markdown",
        "reports.page.outcome",
        "reports.ci.gates",
        "servers.backplane.joining",
        "servers.http2",
        "servers.process",
        "pyarrow.dataset",
        "pyarrow.pandas_compat",
        "pydantic",  # which typer imports where it is, and other packages of these tests bring it
    ]
)
LOOK_S: Final = 0.005


class Forked:
    """What `python -m MODULE WORD...` is, with the methods of subprocess.Popen; what it says goes to files."""

    def __init__(self, module: str, *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
        self.args = [module, *words]
        self._folder = Path(tempfile.mkdtemp(prefix="pollbench-forked-"))
        self._outputs = [self._folder / name for name in ("stdout", "stderr")]
        self._said: tuple[str, str] | None = None
        for each in self._outputs:
            each.touch()
        environment = dict(os.environ if env is None else env)
        self._process = FORKS.Process(target=_become, args=(self.args, cwd or Path.cwd(), environment, self._outputs))
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    def first_line(self) -> str:
        """Return the first line that it says, "" when it ends without one."""
        while True:
            ended = self.returncode is not None
            line, end, _ = self._outputs[0].read_text(encoding="utf-8").partition("\n")
            if end or ended:
                return line
            time.sleep(LOOK_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Tell it to end, and wait until it has."""
        self.terminate()
        self.communicate()

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait until it has ended; return all that it said on stdout and stderr."""
        self.wait(timeout)
        if self._said is None:
            out, err = (each.read_text(encoding="utf-8") for each in self._outputs)
            self._said = out, err
            shutil.rmtree(self._folder)
        return self._said


def ran(
    *words: str,
    module: str = "pollbench",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 240,
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, as subprocess.run does."""
    process = Forked(module, *words, cwd=cwd, env=env)
    try:
        out, err = process.communicate(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return subprocess.CompletedProcess(process.args, process.wait(), out, err)


def _become(words: Sequence[str], folder: Path, environment: Mapping[str, str], outputs: Sequence[Path]) -> None:
    """In the fork: be that process, to its end."""
    gc.freeze()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, file in enumerate(outputs, start=1):
        opened = os.open(file, os.O_WRONLY | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = [*words]
    warden.token = secrets.token_hex(8)  # which is drawn when it is imported
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)
