"""What is noted of a test that a person drives: what was published, who ran, and what cannot be accounted for."""

from pathlib import Path

import msgspec
import pandas as pd

from loadtests.locust_ui.manual_test import HandDriven
from loadtests.probes.reference import relay
from loadtests.records.manifest import Cell, SessionRecord
from loadtests.runs.by_hand.server_costs import serving as costs_of
from loadtests.runs.run_folder import new_folder
from loadtests.runs.target import Target
from loadtests.scenario.locust_options import LoadOptions
from servers.timing.clock import now_ns
from tests.loadtests.load_process import http_host
from tests.server_process import ServerProcess, serving

LABELS = {"sse": "Server-Sent Events"}


def facts(folder: Path) -> Cell:
    """Return the one cell as it was left to be ended."""
    (cell,) = msgspec.json.decode((folder / "session.json").read_bytes(), type=SessionRecord).cells
    return cell


def begun(folder: Path, server: ServerProcess) -> HandDriven:
    by_hand = HandDriven(folder, Target(http_host(server)), LoadOptions(poll_interval_s=0.5), LABELS)
    by_hand.start()
    return by_hand


def test_what_the_server_published_since_the_start_is_written_down_to_the_end(tmp_path: Path) -> None:
    journal = tmp_path / "journal.csv"
    with serving("--journal", str(journal)) as server:
        server.post("before")
        by_hand = begun(tmp_path / "run", server)
        for content in "abc":
            server.post(content)
        by_hand.spawned({"sse": 3})
        by_hand.finish(now_ns(), {"sse": 3}, [])
        told = facts(tmp_path / "run")
        assert (told.published, told.server_pid, told.problems) == (4, server.process.pid, [])
        assert (told.pattern, told.clients) == ("sse", 3)
        assert (told.settings["schedule"], told.settings["poll_interval_s"]) == ("manual", 0.5)
        assert told.settings["join_at"] == "newest"
        samples = pd.read_parquet(tmp_path / "run" / "samples.parquet")
        assert set(samples["pid"]) == {server.process.pid}
        assert (samples["role"] == "server").all()
        assert samples["cpu_ns"].is_monotonic_increasing
    header, _, *since = journal.read_text().splitlines()
    assert (tmp_path / "run" / "published.csv").read_text().splitlines() == [header, *since]


def test_a_server_that_is_not_who_listens_where_users_connect_is_not_measured(tmp_path: Path) -> None:
    with serving("sse") as server, relay(tmp_path, server.port, 10.0) as port:
        assert costs_of(Target(http_host(server))).pids == [server.process.pid]
        assert costs_of(Target(f"http://127.0.0.1:{port}")).pids == []


def test_what_users_were_told_and_a_server_that_is_wrong_on_purpose_are_recorded(tmp_path: Path) -> None:
    told = LoadOptions(poll_start="together", backoff="fixed:2", source="127.0.0.2")
    with serving("--fault", "drop:0.5", "--heartbeat", "2s", "--content", "json") as server:
        by_hand = HandDriven(tmp_path, Target(http_host(server)), told, LABELS)
        by_hand.start()
        by_hand.spawned({"sse": 1})
        by_hand.finish(now_ns(), {"sse": 1}, [])
    recorded = facts(tmp_path).settings
    assert (recorded["poll_start"], recorded["backoff"], recorded["source"]) == ("together", "fixed:2", "127.0.0.2")
    assert (recorded["fault"], recorded["heartbeat_s"], recorded["content"]) == ("drop:0.5", 2.0, "json")


def test_a_server_that_keeps_too_few_messages_is_a_problem(tmp_path: Path) -> None:
    with serving("--history", "2") as server:
        by_hand = begun(tmp_path, server)
        for content in "abcde":
            server.post(content)
        by_hand.spawned({"sse": 1})
        by_hand.finish(now_ns(), {"sse": 1}, [])
    (problem,) = facts(tmp_path).problems
    assert problem.startswith("the server went on with message 4 after 0")


def test_a_server_that_is_gone_at_the_end_is_a_problem(tmp_path: Path) -> None:
    with serving() as server:
        by_hand = begun(tmp_path, server)
        by_hand.spawned({"sse": 1})
    by_hand.finish(now_ns(), {"sse": 1}, [])
    (problem,) = facts(tmp_path).problems
    assert "cannot be reached" in problem


def test_users_may_be_added_and_the_window_begins_anew_but_none_may_be_taken_away(tmp_path: Path) -> None:
    with serving() as server:
        by_hand = begun(tmp_path, server)
        by_hand.spawned({"sse": 2})
        by_hand.spawned({"sse": 4})
        added_ns = now_ns()
        by_hand.reset()
        by_hand.finish(now_ns(), {"sse": 4}, [])
        told = facts(tmp_path)
        assert (told.clients, told.problems) == (4, [])
        assert told.window_from_ns > added_ns
        by_hand.spawned({"sse": 3})
        by_hand.finish(now_ns(), {"sse": 3}, ["1 of 2 workers did not hand in their samples"])
        assert [problem.split(" (")[0] for problem in facts(tmp_path).problems] == [
            "users were taken away while it ran",
            "1 of 2 workers did not hand in their samples",
        ]


def test_a_test_stopped_while_users_still_start_says_so(tmp_path: Path) -> None:
    with serving() as server:
        by_hand = begun(tmp_path, server)
        by_hand.finish(now_ns(), {"sse": 1}, [])
    assert facts(tmp_path).problems == ["it was stopped before all users had started"]


def test_two_tests_in_one_second_have_two_folders(tmp_path: Path) -> None:
    folders = set()
    for _ in range(5):
        folder = new_folder("session", runs=tmp_path)
        folder.mkdir()
        folders.add(folder)
    assert len(folders) == 5
