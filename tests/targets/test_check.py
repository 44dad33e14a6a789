"""`pollbench target check` tells what one client of each pattern saw, and writes a file to go on from."""

import re
from pathlib import Path

import pytest

from tests.targets.test_run import ADAPTER, PUBLISH, command, foreign

FAILED, USAGE = 1, 2
RESUMED = ADAPTER.replace('"GET /events"', '"GET /events"\nheaders = { Last-Event-ID = "{{last}}" }').replace(
    "[websocket]", "remember = { last = 'regex (?m)^id: ?([^\\r\\n]+)[\\r\\n]' }\n[websocket]"
)


def test_a_check_says_field_by_field_what_each_pattern_saw(tmp_path: Path) -> None:
    (tmp_path / "chat.toml").write_text(RESUMED, encoding="utf-8")
    done = command("target", "check", str(tmp_path / "chat.toml"))
    assert done.returncode == 0, done.stdout + done.stderr
    for says in (
        r"server +http://127\.0\.0\.1:\d+",
        r"sse +asks GET /events",
        r"sse +answered 200, text/event-stream",
        r"sse +message 3 came after [\d.]+ ms, its token at /text of the JSON",
        r"sse +without news, within 1 s: b'.*: hello",
        r"sse +event: message",
        r"sse +id: \d+",
        r"sse +/text: \"x+\.\.\. with the TOKEN",
        r"sse +a browser's EventSource gets it with onmessage",
        r"sse +after a cut asks GET /events, Last-Event-ID: \d+",
        r"sse +resumes: messages published while it was away came",
        r"websocket +answered 101",
        r"websocket +message 3 came after [\d.]+ ms, its token in bytes \d+ to \d+ of 120",
        r"websocket +does not resume: messages published while it was away are lost",
        r"long_polling +without news: the request is kept, for longer than 1 s",
        r"long_polling +message 1 came after [\d.]+ ms, its token at /0 of the JSON",
    ):
        assert re.search(says, done.stdout), f"{says}\n{done.stdout}"


def test_what_was_typed_is_written_as_a_file_that_can_be_checked_and_run(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    with foreign() as url:
        more = ["--publish", PUBLISH, "--set", "headers.X-Team=a", "--write", str(file)]
        first = command("target", "check", f"{url}/events", *more)
        assert first.returncode == 0, first.stdout + first.stderr
        again = command("target", "check", str(file))
    assert again.returncode == 0, again.stdout + again.stderr
    assert 'headers = { "X-Team" = "a" }' in file.read_text(encoding="utf-8")
    assert "message 3 came after" in again.stdout


def test_short_polls_say_what_an_answer_without_news_looks_like() -> None:
    with foreign() as url:
        words = [f"{url}/poll?hold=0.01&since=0", "--pattern", "short_polling", "--publish", PUBLISH]
        done = command("target", "check", *words)
    assert re.search(r"short_polling +without news: answered 204, ", done.stdout), done.stdout + done.stderr
    assert "message 3 came after" in done.stdout


@pytest.mark.parametrize(
    ("path", "mode", "says"),
    [
        ("/nowhere", "", "likely: there is no such path"),
        ("/events", "cut", "likely: a tracer begins and does not end"),
        ("/events", "swallow", "was taken and did not come within 1 s"),
        ("/events", "refuse", "the server answered 503"),
    ],
)
def test_a_server_that_cannot_be_measured_so_is_told_with_the_likely_cause(path: str, mode: str, says: str) -> None:
    with foreign(mode) as url:
        done = command("target", "check", f"{url}{path}", "--publish", PUBLISH, "--set", "roll_call_s=1")
    assert done.returncode == FAILED
    assert says in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_a_browser_could_not_send_is_said() -> None:
    with foreign() as url:
        words = [f"{url}/events", "--publish", PUBLISH, "--set", "headers.X-Team=a", "--set", "roll_call_s=5"]
        done = command("target", "check", *words)
    assert "a browser's EventSource does not get it: it sends no X-Team" in done.stdout, done.stdout + done.stderr


def test_a_server_that_is_not_there_is_told_in_one_line() -> None:
    done = command("target", "check", "http://127.0.0.1:1/events", "--publish", PUBLISH)
    assert (done.returncode, done.stdout) == (FAILED, "")
    assert "http://127.0.0.1:1 cannot be reached: no server listens there" in done.stderr


def test_the_presets_are_listed_with_their_patterns() -> None:
    done = command("target", "list")
    assert re.search(r"nchan +long_polling, sse, websocket: nginx with nchan", done.stdout)
