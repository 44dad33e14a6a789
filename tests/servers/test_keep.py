"""What a server published, the next one knows: the same ids, nothing twice, nothing given away again."""

import json
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from servers.feed.history import History
from servers.feed.message import Message, encode
from servers.feed.persistence import kept
from servers.timing.clock import now_ns
from tests.server_process import HANG_S, ServerProcess, serving


def line(message_id: int, due_ns: int) -> bytes:
    return encode(Message(id=message_id, due_ns=due_ns, published_ns=due_ns, timestamp="", content="a\nb")) + b"\n"


def poll(server: ServerProcess, last_id: int) -> dict[str, Any]:
    url = f"http://127.0.0.1:{server.port}/api/poll?last_id={last_id}"
    with urllib.request.urlopen(url, timeout=HANG_S) as answer:
        return dict(json.load(answer))


def test_a_killed_server_leaves_its_ids_and_messages_to_the_next_one(tmp_path: Path) -> None:
    options = ["short_polling", "--keep", str(tmp_path / "kept")]
    first = ServerProcess(*options)
    assert [first.post("one"), first.post("two")] == [1, 2]
    first.process.kill()
    first.process.communicate()
    with serving(*options) as second:
        assert second.post("three") == 3
        answer = poll(second, 1)
        assert [message["content"] for message in answer["messages"]] == ["two", "three"]
        assert "cursor" not in answer


def test_a_schedule_goes_on_where_it_was_and_what_fell_due_meanwhile_comes_late(tmp_path: Path) -> None:
    start_ns = now_ns()
    file = tmp_path / "kept"
    file.write_bytes(line(1, start_ns - 2_900_000_000) + line(2, start_ns - 2_800_000_000))
    schedule = ["--schedule", "steady:10", "--start-at-ns", str(start_ns - 3_000_000_000)]
    with serving("short_polling", "--keep", str(file), *schedule) as server:
        while server.stats()["newest_id"] < 25:
            pass
        messages = poll(server, 0)["messages"]
    assert [message["id"] for message in messages] == list(range(1, len(messages) + 1))
    dues = [message["due_ns"] for message in messages]
    assert dues == [start_ns - 3_000_000_000 + 100_000_000 * number for number in range(1, len(messages) + 1)]


def test_only_the_newest_are_read_and_a_torn_line_is_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "kept"
    whole = b"".join(line(number, number) for number in range(1, 8))
    file.write_bytes(whole + line(8, 8)[:-5])
    history = History(3, 10**6)
    with kept(str(file), history, 3, 10**6) as before:
        assert (history.first_id, history.newest_id, before.until_ns) == (5, 7, 7)
        assert history.after(0).cursor == ""
        assert history.after(2).cursor == "gone"
        assert before.write is not None
        before.write(line(8, 8))
    assert file.read_bytes() == whole + line(8, 8)


def test_what_the_clock_of_another_boot_says_does_not_silence_the_schedule(tmp_path: Path) -> None:
    file = tmp_path / "kept"
    file.write_bytes(line(1, now_ns() + 10**15))
    with kept(str(file), History(10, 10**6), 10, 10**6) as before:
        assert before.until_ns == 0


def test_without_a_file_nothing_is_kept() -> None:
    history = History(10, 10**6)
    with kept("", history, 10, 10**6) as before:
        assert (before.write, before.until_ns, history.newest_id) == (None, 0, 0)


def test_of_a_file_that_grew_for_years_no_more_is_read_than_the_history_may_hold(tmp_path: Path) -> None:
    """What nobody reads may be anything: here a hole of 100 GB."""
    file = tmp_path / "kept"
    whole = b"".join(line(number, number) for number in range(1, 8))
    with file.open("wb") as grown:
        grown.seek(10**11)
        grown.write(b"\n" + whole)
    history = History(10, 10**6)
    with kept(str(file), history, 10, 10**6):
        assert (history.first_id, history.newest_id) == (1, 7)
    assert file.stat().st_size == 10**11 + 1 + len(whole)


@pytest.mark.parametrize("content", [b"id,due_ns\n", b"a photograph", b'{"name": 1}', line(2, 2) + line(1, 1)])
def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "kept"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"^--keep .*file"), kept(str(file), History(10, 10**6), 10, 10**6):
        pass
    assert file.read_bytes() == content


def test_two_servers_cannot_keep_one_file(tmp_path: Path) -> None:
    with ExitStack() as stack:
        stack.enter_context(kept(str(tmp_path / "kept"), History(10, 10**6), 10, 10**6))
        with pytest.raises(OSError, match="in use by another server"):
            stack.enter_context(kept(str(tmp_path / "kept"), History(10, 10**6), 10, 10**6))
