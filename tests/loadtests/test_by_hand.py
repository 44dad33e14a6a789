"""A test driven by hand, from the form to the report: both say the same, and what was asked for is what is recorded."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pandas as pd
import pytest

from loadtests.runs.target import Target
from reports.data.load import load
from reports.measures.measures import open_books, per_cell
from servers.timing.clock import now_ns
from servers.web.free_port import free_port
from tests.loadtests.load_process import ALL_USERS, http_host
from tests.server_process import HANG_S, ROOT, ServerProcess, serving
from tests.webui.site import Site, site, workers_of

USERS, JOINING_PER_S = 31, 8.0
pytestmark = [pytest.mark.slow, pytest.mark.apart, pytest.mark.timeout(300)]


def swarm(started: Site, users: int, *classes: str, rate: float = 100, **options: str) -> None:
    """Send the start form."""
    form = [
        ("user_count", str(users)),
        ("spawn_rate", str(rate)),
        *(("user_classes", name) for name in classes or ALL_USERS),
    ]
    with urlopen(f"{started.url}/swarm", urlencode([*form, *options.items()]).encode(), HANG_S) as answer:
        told = json.load(answer)
    assert told["success"], told


def await_that(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + HANG_S
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def stop(started: Site) -> dict[str, Any]:
    """Press Stop, and return what the tab says once the report has been made."""
    urlopen(f"{started.url}/stop", b"", HANG_S).close()
    await_that(lambda: bool(started.live()["ruled"]))
    return started.live()


def stop_unreported(started: Site) -> dict[str, Any]:
    """Press Stop, and return what the tab says once all is recorded; no report is made any more."""
    urlopen(f"{started.url}/stop", b"", HANG_S).close()
    await_that(lambda: not any(each["problem"] for each in started.live()["downloads"]))
    live = started.live()
    started.end()
    return live


def shown(started: Site, pattern: str) -> int:
    """Return how many deliveries of a pattern the tab shows."""
    return int(next((row["deliveries"] for row in started.live()["rows"] if row["pattern"] == pattern), 0))


@pytest.fixture(scope="module")
def lived() -> Iterator[ServerProcess]:
    """A server that has published before anybody came, and goes on."""
    with serving("--schedule", "manual") as server:
        for nth in range(30):
            server.post(f"history {nth}")
        yield server


def test_a_test_on_a_server_with_history_with_users_that_do_not_divide_is_judged_alike_in_tab_and_report(
    lived: ServerProcess, tmp_path: Path
) -> None:
    told = {"poll_interval": "0.2", "poll_start": "together", "backoff": "fixed:1", "source": "127.0.0.2"}
    with site(tmp_path, http_host(lived), "one process") as started:
        swarm(started, 8, rate=4, **told, schedule="steady:20", hold_timeout="7")
        await_that(lambda: started.live()["shares"] != "")
        assert started.live()["shares"].startswith("8 users do not divide by 6 patterns: ")
        before = shown(started, "websocket")
        await_that(lambda: shown(started, "websocket") > before + 100)
        live = stop(started)
        (folder,) = started.runs()
    run, ruling = load(folder), json.loads((folder / "verdict.json").read_text())
    assert {row["verdict"] for row in live["rows"]} == {ruling["verdict"]}
    assert ruling["verdict"] != "FAIL", ruling["cautions"]  # a busy machine may make it INVALID
    assert [open_books(run, cell) for cell in run.finished.to_dict("records")] == [[]] * 6
    assert run.finished["clients"].tolist().count(1) == 4
    assert run.finished["clients"].tolist().count(2) == 2
    assert (run.finished["published_before"] == 30).all()
    for scenario in run.manifest.scenarios:
        recorded = {name: scenario[name] for name in ("poll_interval_s", "hold_timeout_s", "schedule")}
        assert recorded == {"poll_interval_s": 0.2, "hold_timeout_s": 7.0, "schedule": "steady:20"}
        assert [scenario[name] for name in ("poll_start", "backoff", "source")] == ["together", "fixed:1", "127.0.0.2"]
    assert any("8 users" in what or "from 1 to 2 users" in what for what in causes(ruling))


def causes(ruling: dict[str, Any]) -> list[str]:
    return [caution["cause"] for caution in ruling["cautions"]]


@pytest.mark.parametrize("shape", ["one process", "forked processes"])
def test_whoever_joins_later_is_sent_only_what_comes_from_then_on(tmp_path: Path, shape: str) -> None:
    with serving() as server, site(tmp_path, http_host(server), shape) as started:
        for text in "abc":
            server.post(text)
        swarm(started, 1, "SseUser")
        await_that(lambda: server.stats()["streams"] == 1)
        server.post("for the first")
        await_that(lambda: shown(started, "sse") == 1)
        swarm(started, 3, "SseUser")
        await_that(lambda: server.stats()["streams"] == 3)
        server.post("for all three")
        await_that(lambda: shown(started, "sse") == 4)
        live = stop_unreported(started)
        (folder,) = started.runs()
    received = (
        pd.concat(map(pd.read_parquet, folder.glob("cells/*/deliveries.parquet"))).groupby("user")["id"].agg(list)
    )
    assert sorted(received.tolist()) == [[4, 5], [5], [5]]
    assert [(row["missed"], row["duplicated"]) for row in live["rows"]] == [(0, 0)]


def test_users_that_begin_with_the_oldest_are_sent_what_the_server_keeps_and_the_books_close(tmp_path: Path) -> None:
    with serving("--history", "200") as server, site(tmp_path, http_host(server), "one process") as started:
        for nth in range(204):
            server.post(str(nth))
        swarm(started, 1, "WebsocketUser", join_at="oldest", poll_interval="0.2")
        await_that(lambda: shown(started, "websocket") == 200)  # only now may the server forget
        await_that(lambda: server.post("more") > 0 and shown(started, "websocket") > 260)
        stop_unreported(started)
        (folder,) = started.runs()
    run = load(folder)
    (cell,) = run.finished.to_dict("records")
    assert (cell["published_before"], open_books(run, cell)) == (4, [])
    assert run.manifest.scenarios[0]["join_at"] == "oldest"
    assert per_cell(run)["cpu_ms_per_1000"].iloc[0] > 0
    assert run.deliveries["id"].min() > 4  # 5, unless more was published and forgotten before the user came


def test_a_schedule_that_somebody_changes_while_a_test_runs_is_told_in_the_tab(tmp_path: Path) -> None:
    with serving() as server, site(tmp_path, http_host(server), "one process") as started:
        swarm(started, 1, "SseUser", schedule="steady:20")
        await_that(lambda: shown(started, "sse") > 10)
        other = b'{"schedule": "steady:10"}'
        urlopen(Request(f"{http_host(server)}/api/schedule", other, method="PUT"), timeout=HANG_S).close()
        (row,) = stop(started)["rows"]
    assert (row["verdict"], len(row["reasons"])) == ("INVALID", 1)
    assert "the server was made to publish by steady:10 (200 bytes) while it ran, instead of" in row["reasons"][0]


def test_a_server_whose_schedule_begins_later_is_not_measured_by_hand_unless_it_is_given_one(tmp_path: Path) -> None:
    later_ns = str(now_ns() + 86_400 * 10**9)
    with (
        serving("--schedule", "steady:20", "--start-at-ns", later_ns) as server,
        site(tmp_path, http_host(server), "one process") as started,
    ):
        swarm(started, 1, "SseUser")
        await_that(lambda: f"began to publish at {later_ns} (start_at_ns)" in started.live()["problem"]["text"])
        await_that(lambda: stopped(started))
        assert started.runs() == []
        swarm(started, 1, "SseUser", schedule="steady:20")
        await_that(lambda: shown(started, "sse") > 20)


def stopped(started: Site) -> bool:
    return state_of(started) == "stopped"


def state_of(started: Site) -> str:
    """Return what the page is told, which shows its form where none runs."""
    with urlopen(f"{started.url}/stats/requests", timeout=HANG_S) as answer:
        return str(json.load(answer)["state"])


class Hesitating(ThreadingHTTPServer):
    """Says of a server what that says of itself, but not for the second time before it is told to."""

    def __init__(self, host: str) -> None:
        self.host, self.asked, self.go_on = host, 0, Event()
        super().__init__(("127.0.0.1", 0), Hesitant)


class Hesitant(BaseHTTPRequestHandler):
    server: Hesitating

    def do_GET(self) -> None:
        if self.path == "/stats":
            self.server.asked += 1
            assert self.server.asked == 1 or self.server.go_on.wait(HANG_S)
        with urlopen(self.server.host + self.path, timeout=HANG_S) as answer, suppress(OSError):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer.read())

    def log_message(self, *_: object) -> None: ...


def test_a_page_that_asks_before_its_test_has_begun_is_not_told_that_none_runs(tmp_path: Path) -> None:
    with serving() as server, Hesitating(http_host(server)) as between:
        Thread(target=between.serve_forever, daemon=True).start()
        with site(tmp_path, f"http://127.0.0.1:{between.server_address[1]}", "one process") as started:
            assert state_of(started) == "ready"
            swarm(started, 1, "ShortPollingUser")
            await_that(lambda: between.asked == 2)
            assert (state_of(started), started.live()["phase"]) == ("running", "none")
            between.go_on.set()
            await_that(lambda: bool(started.live()["phase"] == "running"))
        between.shutdown()


LIAR = (ROOT / "docs/examples/own_server.py").read_text(encoding="utf-8")
TRUTH, ROUTES = '"due_ns": due_ns', "    app = web.Application()\n"
PUBLISHED = """
    async def published(request: web.Request) -> web.Response:
        rows = [json.loads(body) for body in feed.bodies[int(request.query["last_id"]) :]]
        return web.Response(text="".join("{id},{due_ns},{published_ns}\\n".format(**row) for row in rows))

    app = web.Application()
    app.add_routes([web.get("/api/published", published)])
"""


@pytest.mark.parametrize(("due", "lies"), [("due_ns", False), ("time.monotonic_ns()", True)], ids=["honest", "lies"])
def test_a_server_that_moves_due_instants_is_found_out_by_hand_too(due: str, lies: bool, tmp_path: Path) -> None:
    assert TRUTH in LIAR
    assert ROUTES in LIAR
    program = tmp_path / "server.py"
    program.write_text(LIAR.replace(TRUTH, f'"due_ns": {due}').replace(ROUTES, PUBLISHED), encoding="utf-8")
    command = [sys.executable, str(program), "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    ) as server:
        assert server.stdout is not None
        host = f"http://127.0.0.1:{json.loads(server.stdout.readline())['http_port']}"
        with site(tmp_path, host, "one process") as started:
            swarm(started, 2, "SseUser", schedule="steady:40", poll_interval="0.2")
            await_that(lambda: shown(started, "sse") > 160)
            live = stop(started)
            (folder,) = started.runs()
        server.terminate()
    ruling = json.loads((folder / "verdict.json").read_text())
    assert {row["verdict"] for row in live["rows"]} == {ruling["verdict"]}
    assert (
        any("that the schedule had were never published" in caution["cause"] for caution in ruling["cautions"]) == lies
    )
    assert not lies or ruling["verdict"] in {"INVALID", "FAIL"}


def test_from_pollbench_ui_with_users_that_join_slowly_to_the_downloads_all_say_the_same(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, str(ROOT / "pollbench.py"), "ui", "--port", str(port)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "text": True, "cwd": tmp_path, "env": environment}
    with subprocess.Popen(command, **pipes) as process:
        try:
            assert process.stdout is not None
            server = process.stdout.readline().split()[1]
            started = Site(f"http://127.0.0.1:{port}", tmp_path, [])
            await_that(lambda: workers_of(started) >= 0)
            await_that(lambda: Target(server).newest_id >= 2)
            told = {"poll_start": "together", "backoff": "fixed:1", "source": "127.0.0.3", "poll_interval": "0.3"}
            swarm(started, USERS, rate=JOINING_PER_S, schedule="poisson:20", **told)
            await_that(lambda: started.live()["shares"].startswith(f"{USERS} users do not divide by 6 patterns"))
            before = shown(started, "long_polling")
            await_that(lambda: shown(started, "long_polling") > before + 200)
            live = stop(started)
            with urlopen(f"{started.url}/pollbench/report.html", timeout=HANG_S) as page:
                text = page.read().decode()
            with urlopen(f"{started.url}/pollbench/summary.csv", timeout=HANG_S) as table:
                summary = pd.read_csv(table)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(HANG_S)
    (folder,) = started.runs()
    ruling = json.loads((folder / "verdict.json").read_text())
    assert ruling["verdict"] != "FAIL", ruling["cautions"]  # a busy machine may make it INVALID
    assert {row["verdict"] for row in live["rows"]} == {ruling["verdict"]}
    assert f"<b>{ruling['verdict']}</b>" in text
    assert (summary["clients"].sum(), summary["missed"].sum(), summary["duplicated"].sum()) == (USERS, 0, 0)
    run = load(folder)
    first_ids = run.deliveries.groupby(["cell", "user"], observed=True)["id"].min()
    assert first_ids.max() - first_ids.min() > USERS / JOINING_PER_S * 5, "late joiners were sent what came before them"
    for scenario in run.manifest.scenarios:
        assert [scenario[name] for name in ("poll_start", "backoff", "source")] == ["together", "fixed:1", "127.0.0.3"]
