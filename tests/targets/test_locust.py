"""Locust's own way to a server that is not ours: headless, with worker processes, and by the form of its page."""

import json
import signal
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from loadtests.agent.messages import TOKEN
from loadtests.host.sampler import LINUX
from reports.data.load import load
from reports.measures.measures import open_books, per_cell
from tests.agent.test_agent import SECRET, agent_with
from tests.loadtests.load_process import Load
from tests.loadtests.test_by_hand import await_that, shown, stop, swarm
from tests.loadtests.test_locust_runs import forked
from tests.server_process import HANG_S
from tests.targets.test_run import ADAPTER, PUBLISH, foreign
from tests.webui.site import site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
HEADLESS = ("--headless", "--users", "6", "--spawn-rate", "6", "--schedule", "steady:20", "--exit-code-on-error", "0")


@pytest.mark.parametrize("processes", [False, True], ids=["one process", "forked processes"])
def test_a_headless_test_is_a_run_in_which_nothing_counts_before_every_user_has_heard(
    processes: bool, tmp_path: Path
) -> None:
    adapter = tmp_path / "chat.toml"
    adapter.write_text(ADAPTER, encoding="utf-8")
    log = tmp_path / "load.log"
    spread = forked() if processes else ()
    users = ("SseUser", "WebsocketUser", "LongPollingUser")
    test = Load(log, *users, *HEADLESS, *spread, "--target", str(adapter), "--run-time", "120s", cwd=tmp_path)
    test.until(lambda: published(tmp_path) > 80, "enough messages")
    test.process.send_signal(signal.SIGTERM)
    assert test.ended() == 0, test.words()
    (folder,) = (tmp_path / "runs").iterdir()
    run = load(folder)
    cells = per_cell(run).set_index("pattern")
    assert set(cells.index) == {"sse", "websocket", "long_polling"}
    assert cells[["missed", "duplicated", "unknown", "discrepancies"]].to_numpy().sum() == 0
    assert (cells["delivered"] == cells["owed"]).all()
    assert (cells["owed"] > 20).all()
    assert [open_books(run, cell) for cell in run.finished.to_dict("records")] == [[]] * 3
    assert run.finished["way_up_taken"].min() > 0
    assert json.loads(str(run.manifest.scenarios[0]["adapter"]))["adapter"]["sse"]["request"] == "GET /events"


def published(folder: Path) -> int:
    """Return how many messages are in the outlet's journal so far."""
    return sum(len(file.read_bytes().splitlines()) for file in folder.glob("runs/*/outlet/published.csv"))


def test_users_that_hear_nothing_end_the_test_with_what_was_seen(tmp_path: Path) -> None:
    with foreign("swallow") as url:
        where = ("--host", f"{url}/events", "--publish", PUBLISH, "--set", "roll_call_s=1", "--run-time", "60s")
        test = Load(tmp_path / "load.log", "SseUser", *HEADLESS, *where, cwd=tmp_path)
        assert test.ended() == 3, test.words()
    assert "roll call: 0 of 6 sse users heard a message; client 1: " in test.words()
    assert "check that publishing goes to the channel" in test.words()
    assert "Traceback" not in test.words()


def test_the_form_names_a_server_and_its_adapter_and_can_start_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that Locust was started with tells what the server costs."""
    (tmp_path / "chat.toml").write_text(ADAPTER, encoding="utf-8")
    monkeypatch.setenv(TOKEN, SECRET)
    with (
        agent_with(SECRET) as (agent, _),
        foreign() as url,
        site(tmp_path, f"{url}/events", "one process", "--agent", agent) as started,
    ):
        form = {"user_count": "2", "spawn_rate": "2", "user_classes": "SseUser", "host": f"{url}/events"}
        for more in ({"target": str(tmp_path / "chat.toml")}, {"publish": "pipe touch stolen"}):
            with urlopen(f"{started.url}/swarm", urlencode(form | more).encode(), HANG_S) as answer:
                told = json.load(answer)
            assert not told["success"]
            assert "is not for a form" in told["message"]
        for leak, said in (
            ({"set": "'headers.X-A={{env.PATH}}'"}, "{{env.PATH}} is not for a form"),
            ({"agent": "http://127.0.0.1:1"}, "agent is not a field of this form"),
        ):
            leaking = form | {"publish": PUBLISH} | leak
            with urlopen(f"{started.url}/swarm", urlencode(leaking).encode(), HANG_S) as answer:
                assert said in json.load(answer)["message"]
        swarm(started, 3, "SseUser", publish=PUBLISH, schedule="steady:20")
        await_that(lambda: shown(started, "sse") > 100)
        live = stop(started)
        (folder,) = started.runs()
    (row,) = live["rows"]
    assert (row["missed"], row["duplicated"]) == (0, 0)
    run = load(folder)
    cells = per_cell(run)
    assert cells[["missed", "duplicated", "unknown"]].to_numpy().sum() == 0
    assert run.finished["cost_of"].iloc[0].endswith(f"as the agent at {agent} sees it")
    assert cells["cpu_ms_per_1000"].iloc[0] > 0 or not LINUX
    assert not [file for file in folder.rglob("*") if file.is_file() and SECRET.encode() in file.read_bytes()]
    assert not (tmp_path / "stolen").exists()
