"""Real runs: Locust in one process, forked, or as master and workers loses no row, and never hangs or lies."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from loadtests.host.managed_process import Child
from loadtests.records.to_parquet import collect
from loadtests.runs import announcements
from servers.timing.clock import now_ns
from servers.web.free_port import free_port
from tests.loadtests.load_process import ALL_USERS, FOR_LONG, Load, Loads, check_whole, http_host, loads_on
from tests.server_process import HANG_S, ServerProcess, serving

pytestmark = [pytest.mark.slow, pytest.mark.apart]

HEADLESS = ("--headless", "--users", "12", "--spawn-rate", "12", "--poll-interval", "0.2", "--exit-code-on-error", "0")
EVERY_PATTERN = {"short_polling", "long_polling", "chunked", "http2_push", "sse", "websocket"}


@pytest.fixture(scope="session")
def publishing() -> Iterator[ServerProcess]:
    with serving("--schedule", "steady:20") as server:
        yield server


@pytest.fixture
def loads(publishing: ServerProcess, tmp_path: Path) -> Iterator[Loads]:
    with loads_on(tmp_path, http_host(publishing)) as started:
        yield started


def children_of(load: Load) -> list[psutil.Process]:
    return psutil.Process(load.process.pid).children()


def forked() -> tuple[str, ...]:
    """Locust's forks look for their master where the option says, not where it listens."""
    port = str(free_port())
    return ("--processes", "2", "--master-bind-port", port, "--master-port", port)


def run_spread(loads: Loads, *arguments: str) -> tuple[Load, list[Load]]:
    """Start a master and two workers on ports of their own."""
    port = str(free_port())
    master = loads.start(
        *ALL_USERS, "--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port,
        "--expect-workers", "2", *HEADLESS, *arguments,
    )  # fmt: skip
    joining = ("--worker", "--master-host", "127.0.0.1", "--master-port", port)
    return master, [loads.start(*ALL_USERS, *joining) for _ in range(2)]


# Every way to run, whole


def test_one_process_records_every_pattern_whole(loads: Loads) -> None:
    load = loads.start(*ALL_USERS, *HEADLESS, *FOR_LONG)
    loads.await_rows(load, users=12)
    load.stopped()
    deliveries = check_whole(loads, users=12)
    assert set(deliveries["pattern"].unique()) == EVERY_PATTERN
    assert (deliveries["mode"].eq("pushed") == deliveries["pattern"].eq("http2_push")).all()
    requests = loads.table("requests")
    assert set(requests["error"].unique()) <= {"", "cut"}
    assert not (loads.cell / "raw").exists()


def test_forked_processes_record_every_pattern_whole(loads: Loads) -> None:
    load = loads.start(*ALL_USERS, *forked(), *HEADLESS, *FOR_LONG)
    loads.await_rows(load, users=12)
    load.stopped()
    check_whole(loads, users=12)
    assert loads.table("samples")["pid"].nunique() == 2


def test_a_master_and_two_workers_record_every_pattern_whole(loads: Loads) -> None:
    master, workers = run_spread(loads, *FOR_LONG)
    loads.await_rows(master, users=12)
    master.stopped()
    assert [worker.ended() for worker in workers] == [0, 0]
    check_whole(loads, users=12)
    samples = loads.table("samples")
    assert set(samples["role"].unique()) == {"generator"}
    assert set(samples["pid"]) == {worker.process.pid for worker in workers}


# Told how to poll


@pytest.mark.parametrize("pace", ["rate", "pause", "uniform:0.5", "exponential"])
def test_short_polls_follow_each_other_as_their_pace_says(loads: Loads, pace: str) -> None:
    load = loads.start("ShortPollingUser", *HEADLESS, *FOR_LONG, "--poll-interval", "0.1", "--poll-pace", pace)
    loads.await_rows(load, users=12, each=25, table="requests")
    loads.await_rows(load, users=12, each=1)
    load.stopped()
    check_whole(loads, users=12)
    polls = loads.table("requests").sort_values(["user", "due_ns"])
    same = polls["user"].eq(polls["user"].shift())
    gaps_s = polls["due_ns"].diff()[same] / 1e9
    if pace == "pause":
        pauses_s = (polls["due_ns"] - polls["ended_ns"].shift())[same] / 1e9
        assert pauses_s.min() >= 0.1
        assert (polls["started_ns"] - polls["ended_ns"].shift())[same].min() >= 0.1e9
    elif pace == "rate":
        assert gaps_s.round(9).eq(0.1).all()
    else:
        assert gaps_s.mean() == pytest.approx(0.1, rel=0.25)
        spread = {"uniform:0.5": 0.5 / 3**0.5, "exponential": 1.0}[pace]
        assert gaps_s.std() / gaps_s.mean() == pytest.approx(spread, rel=0.3)


def test_a_long_poll_brings_one_message_at_a_time_when_told_to(loads: Loads) -> None:
    """From the oldest message on, so that there is a backlog to come in pieces."""
    told = ("--one-per-response", "--join-at", "oldest")
    load = loads.start("LongPollingUser", *HEADLESS, *FOR_LONG, *told)
    loads.await_rows(load, users=12)
    load.stopped()
    check_whole(loads, users=12)
    assert loads.table("requests")["messages"].max() == 1


# Ended early


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: signal.Signals(number).name)
def test_a_signal_ends_a_run_and_keeps_every_row(loads: Loads, number: signal.Signals) -> None:
    load = loads.start(*ALL_USERS, *HEADLESS, *FOR_LONG)
    load.until(lambda: loads.raw_bytes("deliveries") > 0, "the first deliveries")
    load.process.send_signal(number)
    assert load.ended() == 0, load.words()
    check_whole(loads, users=12)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: signal.Signals(number).name)
def test_a_signal_to_the_master_keeps_every_row_of_its_workers(loads: Loads, number: signal.Signals) -> None:
    master, workers = run_spread(loads, *FOR_LONG)
    master.until(lambda: loads.raw_bytes("deliveries") > 0, "the first deliveries")
    master.process.send_signal(number)
    assert master.ended() == 0, master.words()
    assert [worker.ended() for worker in workers] == [0, 0]
    check_whole(loads, users=12)


def test_ctrl_c_in_the_terminal_of_forked_processes_never_passes_for_a_whole_run_when_it_is_not(loads: Loads) -> None:
    """A terminal signals the workers too, so they may be gone before the master asks them to drain."""
    load = loads.start(*ALL_USERS, *forked(), *HEADLESS, *FOR_LONG)
    load.until(lambda: loads.raw_bytes("deliveries") > 0, "the first deliveries")
    os.killpg(load.process.pid, signal.SIGINT)
    code = load.ended()
    assert code in {0, 4}, load.words()
    assert collect(loads.cell).problems == [] or code == 4


def test_a_worker_that_is_killed_fails_the_run(loads: Loads) -> None:
    master, workers = run_spread(loads, *FOR_LONG)
    master.until(lambda: loads.raw_bytes("deliveries") > 0, "the first deliveries")
    workers[0].kill()
    master.process.send_signal(signal.SIGTERM)
    assert master.ended() == 4, master.words()
    assert "1 of 2 workers did not hand in their samples" in master.words()
    assert workers[1].ended() == 0


def test_a_forked_worker_that_is_killed_fails_the_run(loads: Loads) -> None:
    load = loads.start(*ALL_USERS, *forked(), *HEADLESS, *FOR_LONG)
    load.until(lambda: loads.raw_bytes("deliveries") > 0, "the first deliveries")
    children_of(load)[0].send_signal(signal.SIGKILL)
    load.process.send_signal(signal.SIGTERM)
    assert load.ended() != 0, load.words()


def test_a_load_process_that_is_killed_leaves_rows_that_are_reported_as_incomplete(loads: Loads) -> None:
    load = loads.start(*ALL_USERS, *HEADLESS, *FOR_LONG)
    load.until(lambda: loads.raw_bytes("deliveries") > 0, "the first deliveries")
    os.killpg(load.process.pid, signal.SIGKILL)
    assert load.ended() == -signal.SIGKILL
    collected = collect(loads.cell)
    assert collected.rows["deliveries"] > 0
    assert collected.problems == ["no load process reported its records: it did not end in order"]
    assert (loads.cell / "raw").exists()


# Told something wrong


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--poll-interval", "often"), 2, "--poll-interval 'often' is not a duration: write 5s,"),
        (("--hold-timeout", "301"), 2, "--hold-timeout 301s is out of range: it must be 1s to 5m"),
        (("--schedule", "daily"), 2, "schedule 'daily' is none of"),
        (("--server-token", "mine"), 3, "is another server: its token is"),
        (("--host", "http://127.0.0.1:1"), 3, "http://127.0.0.1:1 cannot be reached"),
        (("--host", "https://127.0.0.1:1"), 2, "--host 'https://127.0.0.1:1' is not a URL such as"),
    ],
    ids=["poll interval", "hold", "schedule", "token", "nobody there", "https"],
)
def test_what_cannot_work_ends_with_one_line_that_says_why(
    loads: Loads, arguments: tuple[str, ...], code: int, words: str
) -> None:
    load = loads.start("SseUser", *HEADLESS, *FOR_LONG, *arguments)
    assert (load.ended(), load.words().count(words)) == (code, 1), load.words()
    assert "Traceback" not in load.words()
    assert not loads.cell.exists()


def test_a_forked_run_that_cannot_start_leaves_no_process_behind(loads: Loads) -> None:
    load = loads.start("SseUser", *forked(), *HEADLESS, *FOR_LONG, "--host", "http://127.0.0.1:1")
    assert load.ended() == 3, load.words()
    deadline = time.monotonic() + HANG_S
    while group_lives(load.process.pid):
        assert time.monotonic() < deadline, load.words()
        time.sleep(0.05)


def group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_push_users_are_refused_by_name_where_no_http2_is_served(tmp_path: Path) -> None:
    with serving("sse") as server, loads_on(tmp_path, http_host(server)) as loads:
        load = loads.start("Http2PushUser", *HEADLESS, *FOR_LONG)
        assert load.ended() == 3
        assert "serves no HTTP/2, which Http2PushUser needs" in load.words()
        assert not loads.cell.exists()


# The server goes away


def restartable(port: int, http2_port: int, log: Path) -> Child:
    """Start a server whose ids begin at 1, at an address where one may have been before."""
    where = ["--port", str(port), "--http2-port", str(http2_port), "--announce-json"]
    server = Child("server", [sys.executable, "-m", "servers", "--schedule", "steady:20", *where], log)
    server.answered(announcements.ready, HANG_S)
    return server


def test_users_survive_a_server_that_dies_and_follow_the_one_that_takes_its_place(tmp_path: Path) -> None:
    ports = free_port(), free_port()
    with loads_on(tmp_path, f"http://127.0.0.1:{ports[0]}") as loads:
        with restartable(*ports, tmp_path / "first.log") as first:
            load = loads.start(*ALL_USERS, *HEADLESS, *FOR_LONG)
            load.until(lambda: loads.raw_bytes("deliveries") > 0, "the first deliveries")
            os.kill(first.pid, signal.SIGKILL)
        requests_bytes = loads.raw_bytes("requests")
        load.until(lambda: loads.raw_bytes("requests") > requests_bytes + 1_000, "attempts to reconnect")
        reborn_ns = now_ns()
        with restartable(*ports, tmp_path / "second.log"):
            load.until(lambda: users_since(loads, reborn_ns) == 12, "every user's return")
            load.process.send_signal(signal.SIGTERM)
            assert load.ended() == 0, load.words()
        assert collect(loads.cell).problems == []
    requests, deliveries = loads.table("requests"), loads.table("deliveries")
    assert {"refused", "reset"} <= set(requests["error"].unique()) <= {"", "refused", "reset", "cut"}
    assert "Traceback" not in load.words()
    reborn = deliveries["received_ns"] > reborn_ns
    cursors = deliveries[~reborn].groupby("user")["id"].max()
    for user, ids in deliveries[reborn].groupby("user")["id"]:
        # A user that is back only when the new ids have passed its cursor cannot tell them from the old ones.
        assert ids.iloc[0] in {1, cursors.get(user, 0) + 1}
        assert ids.tolist() == list(range(ids.iloc[0], ids.iloc[0] + len(ids)))


def users_since(loads: Loads, instant_ns: int) -> int:
    """Return how many users have been delivered something since then, as far as it is in files yet."""
    rows = loads.rows("deliveries")
    return len(set(rows["user"][rows["received_ns"] > instant_ns]))


# In the browser


def test_the_web_page_of_a_master_shows_the_deliveries_of_its_workers(loads: Loads) -> None:
    web_port = free_port()
    page = (
        "--web-host",
        "127.0.0.1",
        "--web-port",
        str(web_port),
        "--autostart",
        "--users",
        "12",
        "--spawn-rate",
        "12",
    )
    load = loads.start(*ALL_USERS, *forked(), *page, "--poll-interval", "0.2", "--exit-code-on-error", "0")
    load.until(lambda: set(shown(web_port)) == EVERY_PATTERN, "deliveries of every pattern on the page")
    assert all(row["p50_ms"] and row["errors"] == row["missed"] == 0 for row in shown(web_port).values())
    load.process.send_signal(signal.SIGTERM)
    assert load.ended() == 0, load.words()
    check_whole(loads, users=12)


def shown(web_port: int) -> dict[str, dict[str, object]]:
    """Return the rows of the Delivery tab by pattern."""
    try:
        with urlopen(f"http://127.0.0.1:{web_port}/pollbench/live", timeout=HANG_S) as answer:
            rows = json.load(answer)["rows"]
    except OSError:  # not up yet
        return {}
    return {str(row["pattern"]): row for row in rows if row["deliveries"]}
