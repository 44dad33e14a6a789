"""A run of a server that is not ours: from a URL alone, from a file that starts it, and what its report then knows."""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pollbench
from servers.web.free_port import free_port
from tests.forked import Forked, ran
from tests.server_process import ROOT

FOREIGN = ROOT / "tests/targets/foreign.py"
ADAPTER = f"""
command = "{sys.executable} {FOREIGN} {{{{port}}}}"
[publish]
request = "POST /messages"
expect = "202"
[sse]
request = "GET /events"
[websocket]
websocket = "/socket"
[long_polling]
request = "GET /poll?hold=20&since={{{{n}}}}"
first = {{ n = "" }}
remember = {{ n = "header X-Next" }}
"""
PUBLISH = 'POST /messages {"text": "{{message}}"}'
BRIEF = ["--clients", "4", "--schedule", "steady:20", "--warmup", "0.2", "--window", "1", "--drain", "0.3"]


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return ran(*words, timeout=180)


@contextmanager
def foreign(mode: str = "") -> Iterator[str]:
    """Run a foreign server until the block ends; give its URL."""
    port = str(free_port())
    with Forked("tests.targets.foreign", port, mode) as process:
        assert process.first_line() == "ready"
        yield f"http://127.0.0.1:{port}"


def cell_of(folder: Path) -> dict[str, Any]:
    (file,) = folder.glob("cells/*/cell.json")
    return dict(json.loads(file.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def by_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A run of a server that runs already, of which only a URL is known."""
    folder = tmp_path_factory.mktemp("url") / "run"
    with foreign() as url:
        words = ["run", "sse", "--url", f"{url}/events", "--publish", PUBLISH, "--set", "publish.at_once=4"]
        done = command(*words, *BRIEF, "--json", "--out", str(folder))
    assert done.returncode in {pollbench.DONE, pollbench.INVALID}, done.stderr  # a busy machine has a late generator
    yield folder, json.loads(done.stdout)


def test_a_url_and_a_way_to_publish_are_enough_and_every_message_reaches_every_client(
    by_url: tuple[Path, dict[str, Any]],
) -> None:
    (row,) = by_url[1]["summary"]
    assert (row["delivered"], row["missed"], row["duplicated"], row["unknown"]) == (4 * 20, 0, 0, 0)


def test_run_json_has_the_whole_adapter_and_the_command_that_runs_it_again(
    by_url: tuple[Path, dict[str, Any]],
) -> None:
    manifest = json.loads((by_url[0] / "run.json").read_text(encoding="utf-8"))
    words = shlex.split(manifest["command"])
    assert words[words.index("--publish") + 1] == PUBLISH
    assert "publish.at_once=4" in words
    adapter = json.loads(manifest["scenarios"][0]["adapter"])["adapter"]
    assert adapter["sse"]["request"] == "/events"
    assert adapter["publish"] == {"request": PUBLISH, "at_once": 4}


def test_the_verdict_says_how_messages_were_known_again_and_that_there_is_no_theory(
    by_url: tuple[Path, dict[str, Any]],
) -> None:
    folder, result = by_url
    notes = " ".join(caution["what"] for caution in result["cautions"])
    assert "identity by echo of a token, theory: none" in notes
    assert "theory" not in notes.replace("theory: none", "")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Identity by echo of a token" in page
    assert "our publisher" in page


def test_the_way_up_is_measured_and_the_roll_call_is_not(by_url: tuple[Path, dict[str, Any]]) -> None:
    folder, cell = by_url[0], cell_of(by_url[0])
    assert cell["way_up"]["refused"] == 0
    assert cell["way_up"]["taken"] == cell["published"]
    published = pd.read_csv(next(folder.glob("cells/*/published.csv")))
    before = int((published["due_ns"] < cell["publish_from_ns"]).sum())
    assert before > 0
    assert len(published) - before >= 20


def test_what_a_file_starts_is_followed_by_every_pattern_it_names_and_its_cost_is_the_process_trees(
    tmp_path: Path,
) -> None:
    (tmp_path / "chat.toml").write_text(ADAPTER, encoding="utf-8")
    words = ["compare", "--target", str(tmp_path / "chat.toml"), "--repeats", "1", *BRIEF]
    done = command(*words, "--json", "--out", str(tmp_path / "run"))
    assert done.returncode in {pollbench.DONE, pollbench.INVALID}, done.stderr
    rows = {row["pattern"]: row for row in json.loads(done.stdout)["summary"]}
    assert set(rows) == {"long_polling", "sse", "websocket"}
    assert {(row["delivered"], row["missed"], row["duplicated"]) for row in rows.values()} == {(80, 0, 0)}
    assert all(row["cpu_ms_per_1000"] > 0 for row in rows.values())
    assert "The server's cost is that of the process tree that pollbench started." in done.stdout


def test_a_cost_that_nobody_knows_is_said_not_to_be_measured_and_never_zero(tmp_path: Path) -> None:
    with foreign() as url:
        words = ["run", "sse", "--url", f"{url}/events", "--publish", PUBLISH, "--set", "cost.measured=false"]
        done = command(*words, *BRIEF, "--json", "--out", str(tmp_path / "run"))
    result = json.loads(done.stdout)
    (row,) = result["summary"]
    assert row["cpu_ms_per_1000"] is None
    assert row["memory_per_client_bytes"] is None
    says = "The server's cost is not measured, as cost.measured is false"
    assert any(says in caution["cause"] for caution in result["cautions"])
    assert says in unescape((tmp_path / "run/report.html").read_text(encoding="utf-8"))


def test_clients_behind_a_round_trip_reach_the_same_server(tmp_path: Path) -> None:
    (tmp_path / "chat.toml").write_text(ADAPTER, encoding="utf-8")
    words = ["run", "websocket", "--target", str(tmp_path / "chat.toml"), "--rtt", "20ms", *BRIEF]
    done = command(*words, "--json", "--out", str(tmp_path / "run"))
    (row,) = json.loads(done.stdout)["summary"]
    assert (row["delivered"], row["missed"]) == (80, 0)
    assert row["p50_ms"] > 10


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["--url", "http://127.0.0.1:1/events"],
            "and nothing how a message gets in: add --publish",
        ),
        (["--publish", PUBLISH], "say something of a server: name it with --target or --url"),
        (["--url", "staging/events", "--publish", PUBLISH], "is not a URL such as"),
        (["--url", "http://me:secret@h/", "--publish", PUBLISH], "use headers = { Authorization"),
        (["--target", "no-such-preset"], "is none of the presets (durable-streams, nchan"),
        (["--target", "nchan"], "says neither where the server is (url) nor what starts it (command): add --url URL"),
        (["--target", "nchan", "--url", "http://h", "--set", "sse"], "--set 'sse' is not key=value"),
        (["--target", "nchan", "--url", "http://h", "--set", "sse.requests=/x"], "preset nchan, line"),
        (["--target", "websocket", "--url", "http://h"], "does not say how to subscribe by sse; it has: websocket"),
        (
            ["--target", "nchan", "--url", "http://h", "--set", 'headers.Authorization="Bearer abcdef"'],
            "the value of the header Authorization would be written into files and pages",
        ),
        (
            ["--target", "nchan", "--url", "http://h", "--set", "headers.Authorization=Bearer {{env.NOT_SET_HERE}}"],
            "the environment variable NOT_SET_HERE is not set; export it first",
        ),
        (
            ["--target", "nchan", "--url", "http://h", "--server", "x"],
            "--server x is for servers that pollbench starts",
        ),
    ],
)
def test_a_server_that_cannot_be_meant_is_refused_before_anything_starts(
    words: list[str], says: str, tmp_path: Path
) -> None:
    done = command("run", "sse", *words, "--out", str(tmp_path / "run"))
    assert done.returncode == pollbench.USAGE
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stderr
    assert "abcdef" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_our_own_servers_deliver_through_their_adapter_what_they_deliver_the_built_in_way(tmp_path: Path) -> None:
    patterns = "chunked,long_polling,short_polling,sse,websocket"
    start = f"{sys.executable} -m servers --port {{{{port}}}} --http2-port 0 --schedule manual"
    given = {"ours": [], "adapter": ["--target", "pollbench", "--set", f"command={start}"]}
    brief = ["--pattern", patterns, "--repeats", "1", "--poll-interval", "0.2", *BRIEF]
    told = {}
    for name, words in given.items():
        done = command("compare", *words, *brief, "--json", "--out", str(tmp_path / name))
        rows = json.loads(done.stdout)["summary"]
        told[name] = {row["pattern"]: (row["delivered"], row["missed"], row["duplicated"]) for row in rows}
    assert told["adapter"] == told["ours"] == dict.fromkeys(patterns.split(","), (80, 0, 0))
