"""The wheel, in an environment of its own: a `pollbench` command that measures from any folder, and no more."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import urllib.request
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

import pollbench
from servers.home import HOME, VERSION
from tests.loadtests.load_process import FOR_LONG, Load
from tests.server_process import HANG_S, serving

pytestmark = pytest.mark.slow

STAGES = ("servers", "loadtests", "reports")
BRIEF = ["--clients", "3", "--schedule", "steady:10", "--warmup", "0.2", "--window", "1", "--drain", "0.3"]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built of a copy, as a build may leave files behind, and without a network: what builds it is installed."""
    source = tmp_path_factory.mktemp("source") / "pollbench"
    for folder in (*STAGES, "scripts"):
        shutil.copytree(HOME / folder, source / folder)
    for file in ("pollbench.py", "pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(HOME / file, source)
    built = tmp_path_factory.mktemp("wheel")
    words = ["--no-build-isolation", "--no-deps", "--no-index", "--quiet", "--wheel-dir", str(built), str(source)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *words], check=True, timeout=HANG_S)
    (found,) = built.iterdir()
    return found


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of commands of an environment with pollbench alone; what it needs is borrowed from ours."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=HANG_S)
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps", "--python", str(folder)]
    subprocess.run([*uv, str(wheel)], check=True, timeout=HANG_S)
    (packages,) = folder.glob("lib/*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return folder / "bin"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Return a folder with files of somebody else's that have the names of ours, and end whoever imports them."""
    for stage in STAGES:
        (tmp_path / stage).mkdir()
        (tmp_path / stage / "__init__.py").write_text("raise SystemExit('not pollbench')", encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(environment: Path, elsewhere: Path) -> Run:
    """Return what runs a command of the environment elsewhere."""

    def run(command: str, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(environment / command), *words],
            cwd=elsewhere,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            capture_output=True,
            text=True,
            check=False,
            timeout=2 * HANG_S,
        )

    return run


def test_the_wheel_puts_nothing_but_pollbench_at_the_top_and_leaves_no_file_of_the_stages_out(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = {Path(name) for name in archive.namelist()}
    assert {name.parts[0] for name in names} == {"pollbench", f"pollbench-{VERSION}.dist-info"}
    files = {file for stage in STAGES for file in (HOME / stage).rglob("*") if file.is_file()}
    ours = {file.relative_to(HOME) for file in files if "__pycache__" not in file.parts}
    in_package = {name.relative_to("pollbench") for name in names if name.parts[0] == "pollbench"}
    assert in_package == ours | {Path("__init__.py"), Path("__main__.py")}


def test_the_command_measures_from_any_folder_and_writes_its_report(run: Run, elsewhere: Path) -> None:
    done = run("pollbench", "compare", "--pattern", "sse,short_polling", "--repeats", "1", "--json", *BRIEF)
    assert done.returncode in {pollbench.DONE, pollbench.INVALID}, done.stderr
    result = json.loads(done.stdout)
    assert [cell["status"] for cell in result["cells"]] == ["finished"] * 2
    assert [row["missed"] for row in result["summary"]] == [0, 0]
    assert (elsewhere / result["report"]).stat().st_size > 100_000
    facts = json.loads((elsewhere / result["run"] / "run.json").read_text(encoding="utf-8"))
    assert (facts["versions"]["pollbench"], facts["commit"]) == (VERSION, "")


def test_locust_finds_the_locustfile_and_makes_a_run_of_what_it_recorded(
    run: Run, environment: Path, elsewhere: Path
) -> None:
    found = run("pollbench", "locustfile").stdout.strip()
    command = [str(environment / "python"), "-P", "-m", "locust", "-f", found, "--headless", "SseUser"]
    with serving("--schedule", "steady:20") as server:
        url = f"http://127.0.0.1:{server.port}"
        load = Load(elsewhere / "log", "--host", url, *FOR_LONG, cwd=elsewhere, command=command)
        try:
            load.until(lambda: any(each.stat().st_size for each in elsewhere.rglob("deliveries-*")), "a delivery")
            load.stopped()
        finally:
            load.kill()
    (facts,) = elsewhere.glob("runs/*/run.json")  # written by a process of its own, after the test
    assert json.loads(facts.read_text(encoding="utf-8"))["patterns"] == {"sse": "Server-Sent Events"}


def test_the_race_has_its_page(environment: Path, elsewhere: Path) -> None:
    words = [str(environment / "pollbench"), "race", "--no-open", "--port", "0"]
    with subprocess.Popen(words, cwd=elsewhere, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            page = process.stdout.readline().split()[1]
            with urllib.request.urlopen(f"{page}race/race.js", timeout=HANG_S) as answer:
                assert answer.status == 200
        finally:
            process.terminate()
        assert process.wait(HANG_S) == 0


def test_the_version_is_told(run: Run) -> None:
    for words in (("pollbench", "--version"), ("python", "-P", "-m", "pollbench", "--version")):
        assert run(*words).stdout == f"pollbench {VERSION}\n"
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)


def test_one_import_is_all_that_a_notebook_needs(run: Run) -> None:
    done = run("python", "-P", "-c", "from pollbench import load, newest; from servers import patterns")
    assert (done.returncode, done.stderr) == (0, "")
