"""Every block of code in README and docs is tried as a reader would try it, or says why not."""

import ast
import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from typer.main import get_command

import pollbench
from reports.basics.exit_codes import ExitCode
from reports.ci.slo import parse_slo
from reports.claims import folder as claims
from reports.commands.app import app
from servers.targets.reading import read_adapter
from servers.web.free_port import free_port
from tests.doc_blocks import SHELL, Block, blocks, commands
from tests.server_process import HANG_S, ROOT

pytestmark = pytest.mark.apart
TRIED: Final[dict[str, set[int]]] = {
    "advise": {ExitCode.OK},
    "compare-runs": {ExitCode.OK, ExitCode.REGRESSION},
    "experiment list": {ExitCode.OK},
    "explain": {ExitCode.OK},
    "gate": {ExitCode.OK},
    "history": {ExitCode.OK},
    "replicate list": {ExitCode.OK},
    "runs": {ExitCode.OK},
}
"""Commands that are typed here as the pages show them, in a folder with recorded runs, and how they may end."""
NOT_TRIED: Final = {
    "advise --map": "draws for half a minute: tests/advice/test_decision_map.py draws less",
    "agent": "goes on until it is stopped: tests/agent/test_agent.py",
    "calibrate": "measures for three minutes: tests/reports/test_calibration.py",
    "capacity": "measures for minutes: tests/capacity/test_command.py measures for seconds",
    "claims": "measures for a quarter of an hour: tests/claims/test_command.py",
    "compare": "measures for minutes: tests/test_cli.py measures for seconds",
    "controls": "measures for minutes: tests/reports/test_controls.py",
    "experiment": "measures for minutes: tests/experiments/test_effects.py and one file for each",
    "idle": "opens thousands of connections: tests/idle/test_idle.py opens hundreds",
    "model": "measures for 23 minutes: tests/model/test_model.py",
    "peers": "needs servers of others: tests/targets/test_peers.py",
    "race": "opens a browser: tests/race/test_page.py has one",
    "replicate": "measures for minutes: tests/replications/test_replications.py",
    "report": "takes long for the same page again: tests/webui/test_web_page.py has pages made by it",
    "run": "measures for a minute: tests/test_docs.py and tests/targets/test_run.py measure for seconds",
    "serve": "goes on until it is stopped: with what asks it below, in `ASKED`",
    "target": "asks a server that is not here: tests/targets/test_check.py",
    "worker": "waits for a run: tests/hosts/test_worker_command.py",
    "ui": "opens a page and goes on: tests/webui/test_web_page.py drives it",
}
"""Commands of ours that are only parsed here: why, and where they are tried."""
NOT_OURS: Final = {
    "curl": "asks a server: tried in `ASKED`, with what it asks",
    "docker": "needs its daemon: what it takes is tried by tests/test_deploy.py",
    "kubectl": "as docker",
    "export": "the shell's",
    "locust": "needs a page or a server that is not here: tests/targets/test_locust.py; headless in `ASKED`",
    "pip": "tests/test_install.py",
    "pipx": "as pip, tests/test_install.py",
    "record-runs": "needs a quiet machine for minutes",
    "redis-server": "tried in `ASKED`",
    "uv": "as pip, tests/test_install.py",
}
"""Programs of others, and what becomes of them."""
MEASURED: Final = {"docs/howto/capacity.md": "took half an hour, and says on what and when"}
"""Pages that show what a command printed of a measurement, which nobody gets twice."""
INCLUDED: Final = "--8<--"
"""Stands for a file, which has tests of its own (tests/test_docs.py, tests/targets/test_classes.py)."""
A_FEW: Final = {"-u": "4", "-r": "4", "-t": "4s"}
"""How many users for how long, instead of what a page says."""


def each(*languages: str) -> pytest.MarkDecorator:
    found = [block for block in blocks(*languages) if INCLUDED not in block.text.replace(" ", "")]
    return pytest.mark.parametrize("block", found, ids=str)


def ours() -> Iterator[tuple[Block, list[str]]]:
    """Yield the words behind `pollbench` wherever a page shows it."""
    for block in blocks(SHELL, "yaml"):
        runs = yaml.safe_load(block.text) if block.language and block.text.startswith("- ") else []
        text = "\n".join(step["run"] for step in runs) if block.language else block.text
        yield from ((block, words) for program, *words in commands(text) if program == "pollbench")


def fate(words: list[str]) -> str:
    """Return the entry that a command falls under, "" for none: with a next word or an option of it, or alone."""
    pairs = [f"{words[0]} {word}" for word in words[1:]]
    return next((name for name in (*pairs, words[0]) if name in TRIED or name in NOT_TRIED), "")


def test_every_language_of_a_block_is_known() -> None:
    assert {block.language for block in blocks()} <= {SHELL, "text", "toml", "yaml", "python"}


def test_what_is_not_tried_says_why_and_where_it_is_tried_instead() -> None:
    for _, words in ours():
        assert fate(words), f"{words}: try it, or say in NOT_TRIED why not"
    for why in (*NOT_TRIED.values(), *NOT_OURS.values()):
        assert all((ROOT / file).exists() for file in re.findall(r"tests/[\w/.]+", why)), why


@each(SHELL)
def test_a_command_is_understood(block: Block) -> None:
    for program, *words in commands(block.text):
        if program == "pollbench":
            understood(words)
        elif program == "make":
            assert subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, check=False).returncode == 0
        else:
            assert program in NOT_OURS, f"{words}: say in NOT_OURS why {program} is not tried, or call the block text"


def understood(words: list[str]) -> None:
    """Have our command line parse a command, without doing what it says."""
    group: Any = get_command(app)
    name, *rest = words
    while (command := group.commands[name]) and hasattr(command, "commands"):
        group, (name, *rest) = command, rest
    command.make_context(name, rest)


# Commands that read what was measured


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the pages speak of: recorded runs by the names they give them, and the first goals."""
    folder = tmp_path_factory.mktemp("reader")
    for name, recorded in {"RUN": "feed", "new": "feed", "OLD": "quiet", "NEW": "disturbed"}.items():
        shutil.copytree(ROOT / "notebooks/recorded" / recorded, folder / "runs" / name)
    goals = next(blocks("toml", page="docs/gates.md"))
    (folder / "slo.toml").write_text(goals.text, encoding="utf-8")
    return folder


TO_TRY: Final = {shlex.join(words): words for _, words in ours() if fate(words) in TRIED}


@pytest.mark.parametrize("words", TO_TRY.values(), ids=TO_TRY)
def test_a_command_does_what_its_page_says(
    words: list[str],
    place: Path,
    front_door: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    code = front_door(*words)
    said = capsys.readouterr()
    assert code in TRIED[fate(words)], said.err
    if "--json" in words:
        assert json.loads(said.out)


@each("text")
def test_what_a_command_printed_is_what_it_prints(
    block: Block, place: Path, front_door: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    if block.page in MEASURED:
        assert any(character.isdigit() for character in block.text)
        return
    assert block.before
    ((_, *words),) = commands(block.before.text)
    assert front_door(*words) == pollbench.DONE
    assert " ".join(block.text.split()) in " ".join(capsys.readouterr().out.split())


# Servers, and who asks them

ASKED: Final = [
    block
    for block in blocks(SHELL)
    if {"serve", "curl"} <= (words := {word for line in commands(block.text) for word in line[:2]})
    or ("serve" in words and "--headless" in block.text)
]


@pytest.mark.slow
@pytest.mark.peer
@pytest.mark.parametrize("block", ASKED, ids=str)
def test_servers_of_a_block_serve_whoever_asks_below_them(block: Block, tmp_path: Path) -> None:
    ports: dict[str, str] = {}
    *serving, asking = [started(line, ports) for line in commands(block.text)]
    with ExitStack() as stack:
        for command in serving:
            process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(process.wait, HANG_S)
            stack.callback(process.terminate)
            await_port(process, ports_in(command)[0])
        asker = stack.enter_context(
            subprocess.Popen(asking, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        )
        stack.callback(asker.terminate)
        assert asker.stdout is not None
        if asking[0] == "curl":
            assert any('"id":' in line for line in asker.stdout)  # the stream itself has no end
        else:
            assert asker.wait(HANG_S) == 0
            (run,) = tmp_path.glob("runs/*-session/run.json")
            assert json.loads(run.read_bytes())["patterns"]


def started(words: list[str], ports: dict[str, str]) -> list[str]:
    """Return a command that does the same at ports that are free here. ports: those of the page -> what they became."""
    program, *rest = words
    if words[:2] == ["pollbench", "serve"] and "--port" not in rest:
        rest += ["--port", "8080", "--http2-port", "0"]
    moved = [re.sub(r"\b\d{4}\b", lambda port: ports.setdefault(port[0], str(free_port())), word) for word in rest]
    few = [A_FEW.get(before, word) for before, word in zip(["", *rest], moved, strict=False)]
    whole = [str(ROOT / word) if word.startswith("loadtests/") else word for word in few]
    if program == "pollbench":
        return [sys.executable, str(ROOT / "pollbench.py"), *whole]
    return [sys.executable, "-m", "locust", *whole] if program == "locust" else [program, *whole]


def ports_in(command: list[str]) -> list[int]:
    return [int(word) for option, word in pairwise(command) if option == "--port"]


def await_port(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + HANG_S
    while True:
        assert process.poll() is None, f"{process.args!r} ended"
        assert time.monotonic() < deadline
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return


# Files


@each("yaml")
def test_yaml_is_yaml_and_its_commands_are_understood(block: Block) -> None:
    for step in yaml.safe_load(block.text) if block.text.startswith("- ") else []:
        understood(shlex.split(step["run"], comments=True)[1:])
    assert yaml.safe_load(block.text)


@each("toml")
def test_toml_is_read_by_whoever_it_is_for(block: Block, tmp_path: Path) -> None:
    if block.page == "docs/claims.md":
        return  # the next test has both of them
    if "slo" in tomllib.loads(block.text):
        assert parse_slo(block.text, "the page")
    else:
        # A page may show only the table that it is about.
        whole = (
            block.text if "publish" in block.text else f'url = "http://host"\npublish.request = "POST /"\n{block.text}'
        )
        assert read_adapter(whole, "the page").url or "command" in whole


def test_the_claim_that_is_shown_is_read_with_what_it_shares(tmp_path: Path) -> None:
    for block in blocks("toml", page="docs/claims.md"):
        (tmp_path / block.text.split()[1].rstrip(":")).write_text(block.text, encoding="utf-8")
    folder = claims.read(tmp_path)
    assert [*folder.claims] == ["dashboard"]
    assert [*folder.plans] == ["office"]


@pytest.mark.peer
@each("python")
def test_python_runs(block: Block, tmp_path: Path) -> None:
    exec(compile(ast.parse(block.text), str(block), "exec"), {"folder": tmp_path})


def test_what_the_readme_says_for_a_notebook_runs(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    (said,) = re.findall(r"`(pollbench\.summary\(.+\))`", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(eval(said, {"pollbench": pollbench}))
