"""The front door: what it answers to wrong words, and a small real comparison from command to report."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psutil
import pytest

import pollbench
import servers
from loadtests.scenario.scenarios import SCENARIOS
from loadtests.scenario.settings import OPTIONS
from tests.forked import ran

HANG_S = 240
"""Only catches hangs: a report of six patterns takes a minute where a dozen processes share a core."""
BRIEF = ["--clients", "4", "--schedule", "steady:10", "--warmup", "0.2", "--window", "1.5", "--drain", "0.3"]
PATTERNS = sorted(file.stem for file in Path(servers.__file__).parent.glob("patterns/[a-z]*.py"))
ROOT = Path(pollbench.__file__).parent


pytestmark = pytest.mark.apart
MEASURED = {pollbench.DONE, pollbench.INVALID}
"""A busy machine has a late generator, which is said; the rows are all there nevertheless."""


def command(*words: str) -> list[str]:
    return [sys.executable, str(ROOT / "pollbench.py"), *words]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands run in an empty folder, and leave the test process's signal handling as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["experiment", "cashing"], "experiment 'cashing' is none of: .*did you mean caching"),
        (["experiment", "caching", "--repeats", "0"], "'--repeats': .* 1"),
        (["experiment", "caching", "--out", "a", "--resume", "b"], "--out a and --resume b exclude each other"),
        (["experiment", "caching", "--resume", "b"], "--resume b: no such folder; name one"),
        (["compare", "--content", "verse"], "--content verse is out of range: it must be one of same, noise, json"),
        (["compare", "--windw", "3"], "No such option: --windw .*--window"),
        (
            ["compare", "--window", "soon"],
            "--window 'soon' is not a duration: write 5s, 40ms, 2m or 5 .seconds., more than 0",
        ),
        (["compare", "--window", "2d"], "--window '2d' is not a duration"),
        (
            ["compare", "--message-limit", "9"],
            "--message-limit 9 is out of range: it must be 65536 to 1073741824 bytes",
        ),
        (["compare", "--window", "0"], "--window 0 is out of range: it must be more than 0"),
        (["compare", "--window"], "'--window' requires an argument"),
        (["compare", "--clients", "ten"], "--clients 'ten' is not a whole number"),
        (["compare", "--clients", "0"], "--clients 0 is out of range: it must be 1 to 50000 each"),
        (["compare", "--rtt", "0,far"], "--rtt 'far' is not a duration: write 40ms"),
        (["compare", "--rtt", "20,11s"], "--rtt 20ms,11s is out of range: it must be 0 to 10s each"),
        (["compare", "--jitter", "some"], "--jitter 'some' is not a duration"),
        (["compare", "--bandwidth", "10"], "--bandwidth '10' is not a bandwidth: write 10mbit"),
        (["compare", "--network", "wifi"], "--network wifi is out of range: it must be relay or netem"),
        (["compare", "--schedule", "often"], r"schedule 'often' is none of: .*poisson:RATE"),
        (["compare", "--schedule", "manual"], "--schedule manual is out of range: .*publishes"),
        (["compare", "--message-bytes", "-1"], "--message-bytes -1 is out of range"),
        (["compare", "--poll-interval", "0"], "--poll-interval 0 is out of range"),
        (["compare", "--hold-timeout", "0.5"], "--hold-timeout 500ms is out of range: it must be 1s to 5m"),
        (["compare", "--spawn-rate", "0"], "--spawn-rate 0 is out of range"),
        (["compare", "--warmup", "-1"], "--warmup -1s is out of range"),
        (["run", "sse", "--fault", "drop:2"], "fault 'drop:2' is none of: drop:SHARE"),
        (["compare", "--drain", "nan"], "--drain nan is out of range"),
        (
            ["run", "sse", "--server", "http://127.0.0.1:8080/"],
            "--server http://127.* a command line .* starts",
        ),
        (
            ["run", "sse", "--server", "wss://h"],
            "not an address: see docs/howto/own-server",
        ),
        (["run", "sse", "--server", "localhost:8080"], "--server localhost:8080 .*not an address"),
        (["run", "sse", "--server", "[::1]:8080"], r"--server \[::1\]:8080 .*not an address"),
        (["run", "sse", "--server", "serve 'it"], "--server .*closed quotes"),
        (["compare", "--repeats", "0"], "--repeats 0 is out of range: it must be 1 to 1000"),
        (["compare", "--pattern", "longpoll"], "pattern 'longpoll' is none of: .*sse.* did you mean long_polling"),
        (["compare", "--pattern", ","], "no pattern was named"),
        (["compare", "--scenario", "fed"], "scenario 'fed' is none of: .*quiet.*; did you mean feed"),
        (["compare", "--scenario", ""], "scenario '' is none of"),
        (["compare", "feed"], "unexpected extra argument"),
        (["compare", "--resume", "nowhere"], "nowhere/run.json: No such file or directory. Name a run folder"),
        (["compare", "--out", "/proc/nowhere"], "--out /proc/nowhere: .*; name a folder that can be written"),
        (["run"], "Missing argument 'pattern'"),
        (["run", "see"], "pattern 'see' is none of: .*; did you mean sse"),
        (["run", "sse", "burts"], "scenario 'burts' is none of: .*; did you mean burst"),
        (["report", "nowhere"], "nowhere: no such folder"),
        (["report"], "there is no run in runs/ yet"),
        (["ui", "--port", "-1"], "'--port': .* 1"),
        (["race", "--port", "65536"], "'--port': .* 65535"),
        (["race", "--url", "ftp://h/events"], "--url 'ftp://h' is not a URL such as https://"),
        (["reprot"], "No such command 'reprot'. Did you mean 'report'"),
    ],
)
def test_wrong_words_are_answered_in_one_line_and_measure_nothing(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = pollbench.main(words)
    captured = capsys.readouterr()
    assert code == pollbench.USAGE
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("pollbench: ")
    assert re.search(said, captured.err)
    assert list(tmp_path.iterdir()) == []


def test_a_taken_web_port_is_exit_code_three(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for command in ("ui", "race"):
            assert pollbench.main([command, "--port", str(port)]) == pollbench.UNREACHABLE
            assert f"--port {port}: Address already in use; choose another" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name",
    [
        "serve",
        "run",
        "compare",
        "report",
        "scenarios",
        "patterns",
        "ui",
        "race",
        "controls",
        "calibrate",
        "experiment",
        "claims",
    ],
)
def test_every_command_explains_itself_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert pollbench.main([]) == pollbench.DONE
    overview = capsys.readouterr().out
    assert name in overview
    for code in (0, 1, 2, 3, 4, 130):
        assert re.search(rf"\b{code}\b", overview)
    if name != "serve":
        assert pollbench.main([name, "--help"]) == pollbench.DONE
        assert f"pollbench {name}" in capsys.readouterr().out.split("Example")[1]


def test_every_scenario_field_has_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    pollbench.main(["compare", "--help"])
    text = capsys.readouterr().out
    assert all(option in text for option in OPTIONS.values())


def test_scenarios_and_patterns_are_listed_for_people_and_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert pollbench.main(["scenarios"]) == pollbench.DONE
    text = capsys.readouterr().out
    assert all(name in text for name in SCENARIOS)
    pollbench.main(["scenarios", "--json"])
    listed = json.loads(capsys.readouterr().out)
    assert {each["name"] for each in listed} == set(SCENARIOS)
    assert all(each["compare_s"] > 0 and each["purpose"] for each in listed)
    pollbench.main(["patterns", "--json"])
    assert json.loads(capsys.readouterr().out)["sse"] == "Server-Sent Events"
    pollbench.main(["patterns"])
    assert "Long polling" in capsys.readouterr().out


def test_experiments_are_listed_for_people_and_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert pollbench.main(["experiment", "list"]) == 0
    told = capsys.readouterr().out
    assert pollbench.main(["experiment", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {"caching", "keep-alive", "compression", "one-per-response"} <= set(listed)
    assert all(name in told and each["advice"] for name, each in listed.items())


@pytest.mark.slow
def test_an_experiment_leaves_page_results_and_observations_and_can_be_given_more_repeats(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["experiment", "caching", "--quick", "--repeats", "1"]
    assert pollbench.main([*words, "--out", "run", "--junit", "ci.xml"]) == 0
    said = capsys.readouterr()
    assert "1 repeat cannot prove" in said.err
    assert "run/index.html" in said.out
    assert b"<skipped" in (tmp_path / "ci.xml").read_bytes()
    for name in ("index.html", "results.json", "results.md", "chart.svg", "chart.png"):
        assert (tmp_path / "run" / name).stat().st_size
    assert pollbench.main(["experiment", "caching", "--resume", "run", "--repeats", "2", "--json"]) == 0
    said = capsys.readouterr()
    assert "2 runs" in said.err
    found = json.loads(said.out)["experiments"]["caching"]
    assert (found["repeats"], found["quick"]) == (2, True)


def test_serve_hands_its_words_on_and_its_exit_code_back() -> None:
    done = ran("serve", "--port", "no")
    assert done.returncode == 2
    assert "--port" in done.stderr
    assert "--schedule" in ran("serve", "--help").stdout


def test_serve_ends_with_zero_when_told_to_stop() -> None:
    words = ("serve", "sse", "--port", "0", "--announce-json")
    with subprocess.Popen(command(*words), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert json.loads(process.stdout.readline())["http_port"] > 0
        process.terminate()
        assert process.wait(HANG_S) == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_comparison_of_all_patterns_leaves_a_run_folder_a_report_and_a_summary(tmp_path: Path) -> None:
    words = ["compare", "--repeats", "1", "--poll-interval", "0.2", *BRIEF, "--out", "run"]
    done = ran(*words, "--json")
    assert done.returncode in MEASURED, done.stderr
    result = json.loads(done.stdout)
    assert [cell["status"] for cell in result["cells"]] == ["finished"] * len(PATTERNS)
    assert {row["pattern"]: row["missed"] for row in result["summary"]} == dict.fromkeys(PATTERNS, 0)
    assert result["report"] == "run/report.html"
    assert f"feed: {len(PATTERNS)} patterns, 4 clients, steady:10, once: {len(PATTERNS)} cells" in done.stderr
    assert f"{len(PATTERNS)}/{len(PATTERNS)} feed-4-{PATTERNS[-1]}-1" in done.stderr

    run = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert sorted(path.name for path in (tmp_path / "run" / "cells").iterdir()) == sorted(run["cells"])
    assert "<html" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    for name in run["cells"]:
        folder = tmp_path / "run" / "cells" / name
        cell = json.loads((folder / "cell.json").read_text(encoding="utf-8"))
        deliveries = pd.read_parquet(folder / "deliveries.parquet")
        published = pd.read_csv(folder / "published.csv")
        due = published[published["due_ns"].between(cell["window_from_ns"], cell["window_until_ns"], inclusive="left")]
        assert len(due) in (15, 16)
        for _, seen in deliveries.groupby("user"):
            assert set(due["id"]) <= set(seen["id"])
        assert not deliveries.duplicated(["user", "id"]).any()
        assert set(deliveries["mode"]) == {"pushed" if cell["pattern"] == "http2_push" else "inline"}
        samples = pd.read_parquet(folder / "samples.parquet")
        assert set(samples["role"]) == {"server", "generator"}
        assert not (folder / "raw").exists()

    again = ran("compare", "--resume", "run")
    assert again.returncode in MEASURED
    assert "0 cells" in again.stderr
    assert "Server-Sent Events" in again.stdout
    other = ran("compare", "--resume", "run", "--clients", "9")
    assert other.returncode == 2
    assert "--clients 9 instead of 4" in other.stderr


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(300)
def test_every_fault_that_is_injected_is_reported_as_it_was(tmp_path: Path) -> None:
    done = ran("controls", "--quick", "--json")
    readings = json.loads(done.stdout)["readings"]
    assert done.returncode == 0, (readings, done.stderr)
    assert {reading["control"] for reading in readings} == {"forget", "drop", "duplicate", "reorder", "delay", "freeze"}
    (report,) = tmp_path.glob("runs/*-controls/drop/report.html")
    assert "The server was wrong on purpose (drop:0.05)" in report.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_calibration_is_kept_and_quoted_by_the_next_report(tmp_path: Path) -> None:
    done = ran("calibrate", "--quick", "--json")
    assert done.returncode == 0, done.stderr
    kept = json.loads((tmp_path / "runs" / "calibration.json").read_bytes())
    assert kept == json.loads(done.stdout)
    assert set(kept["patterns"]) == set(PATTERNS)
    assert all(known["cpu_us"] > 0 for known in kept["patterns"].values())
    words = ["run", "sse", *BRIEF, "--out", "run"]
    assert ran(*words).returncode in MEASURED
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "What the instrument itself adds on this machine" in page


@pytest.mark.slow
@pytest.mark.parametrize(("window", "gated"), [("1.5", MEASURED), ("0.5", {pollbench.INVALID})])
def test_a_run_of_one_message_or_of_none_has_a_page_and_no_goal_is_met_by_nothing(
    tmp_path: Path, window: str, gated: set[int]
) -> None:
    brief = ["--clients", "1", "--schedule", "steady:1", "--warmup", "0", "--window", window, "--drain", "0.3"]
    (tmp_path / "slo.toml").write_text('slo = ["sse.p99_ms < 60000", "missed == 0"]\n')
    run = ran("run", "sse", *brief, "--out", "run")
    again = ran("report", "run")
    gate = ran("gate", "run", "--slo", "slo.toml")
    assert run.returncode in MEASURED, run.stderr
    assert (tmp_path / "run" / "report.html").is_file()
    assert again.returncode == pollbench.DONE, again.stderr
    assert gate.returncode in gated, gate.stdout
    for done in (run, again, gate):
        assert not re.search(r"Traceback|Warning:", done.stderr + done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_and_reports_its_finished_cells(tmp_path: Path, stop: signal.Signals) -> None:
    words = ["compare", "--pattern", "sse,chunked", "--repeats", "20", *BRIEF, "--out", "run"]
    with subprocess.Popen(command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        first = tmp_path / "run" / "cells" / "feed-4-sse-1" / "cell.json"
        second = tmp_path / "run" / "cells" / "feed-4-chunked-1" / "load.log"
        await_that(lambda: first.exists() and second.exists())
        pollbench_process = psutil.Process(process.pid)
        await_that(lambda: len(pollbench_process.children()) == 2)  # the log is there before its process
        children = pollbench_process.children(recursive=True)
        process.send_signal(stop)
        out, err = process.communicate(timeout=HANG_S)
    assert process.returncode == pollbench.INTERRUPTED
    assert not [child for child in children if child.is_running()]
    assert "interrupted; 1 of 40 cells are kept; continue with: pollbench compare --resume run" in err
    assert "Server-Sent Events" in out
    assert (tmp_path / "run" / "report.html").exists()
    assert not (tmp_path / "run" / "cells" / "feed-4-chunked-1" / "cell.json").exists()


@pytest.mark.slow
def test_the_ui_serves_locusts_page_until_ctrl_c(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen(command("ui", "--port", str(port)), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("server  http://127.0.0.1:")
        assert f"http://127.0.0.1:{port}" in process.stdout.readline()
        await_that(lambda: "Locust" in page(port))
        children = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        assert process.wait(HANG_S) == 0
    assert not [child for child in children if child.is_running()]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_race_runs_until_it_is_told_to_stop_and_leaves_no_process(tmp_path: Path, stop: signal.Signals) -> None:
    words = ("race", "--no-open", "--port", "0")
    with subprocess.Popen(command(*words), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        found = re.match(r"race  http://127\.0\.0\.1:(\d+)/   Ctrl-C ends it\n", process.stdout.readline())
        assert found
        assert "pollbench" in page(int(found[1]))
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) == 6
        process.send_signal(stop)
        assert process.wait(HANG_S) == 0
    assert not [child for child in children if child.is_running()]


def test_a_race_whose_servers_end_by_themselves_says_so(tmp_path: Path) -> None:
    words = command("race", "--no-open", "--port", "0")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline()
        psutil.Process(process.pid).children()[0].kill()
        assert process.wait(HANG_S) == pollbench.UNREACHABLE
        assert re.fullmatch(r"pollbench: the server ended by itself with signal SIGKILL: .*\n", process.stderr.read())


def page(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=HANG_S) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def await_that(true: object, within_s: float = HANG_S) -> None:
    assert callable(true)
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
