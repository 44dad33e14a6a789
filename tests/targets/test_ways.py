"""Redirects, proxies and encodings: for clients and publisher alike, and only as the adapter says."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from servers.targets.client import Request
from servers.targets.redirects import redirected
from servers.targets.variables import Misunderstood
from servers.web.free_port import free_port
from tests.forked import Forked
from tests.targets.test_run import ADAPTER, BRIEF, PUBLISH, command, foreign

HERE = "http://h.example/a/b"
OWN = {"Authorization": "Bearer t", "Cookie": "c", "X-Api-Key": "k", "X-Signature": "s", "Last-Event-ID": "7"}


@contextmanager
def going(folder: Path) -> Iterator[tuple[str, Path]]:
    """Run what may stand before a server; give its URL, and where it notes what it is asked."""
    port, log = str(free_port()), folder / "asked.log"
    with Forked("tests.targets.going", port, str(log)) as process:
        assert process.first_line() == "ready"
        yield f"http://127.0.0.1:{port}", log


def measured(folder: Path, *words: str) -> list[dict[str, Any]]:
    done = command(*words, *BRIEF, "--json", "--out", str(folder / "run"))
    assert done.stdout, done.stderr
    return list(json.loads(done.stdout)["summary"])


@pytest.mark.parametrize(
    ("location", "path", "kept"),
    [
        ("/c", "http://h.example/c", True),
        ("c?d=1#e", "http://h.example/a/c?d=1", True),
        ("http://h.example:80/c", "http://h.example:80/c", True),
        ("https://h.example/c", "https://h.example/c", False),
        ("http://h.example:81/c", "http://h.example:81/c", False),
        ("//other.example/c", "http://other.example/c", False),
        ("http://h.example.evil/c", "http://h.example.evil/c", False),
    ],
)
def test_credentials_never_go_to_another_origin(location: str, path: str, kept: bool) -> None:
    led = redirected(Request("GET", "/b", OWN), HERE, 307, location)
    assert led.path == path
    assert led.headers == (OWN if kept else {"Last-Event-ID": "7"})


@pytest.mark.parametrize(("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")])
def test_a_post_stays_one_only_where_browsers_leave_it_one(status: int, method: str) -> None:
    led = redirected(Request("POST", "/b", {"Content-Type": "x"}, b"m"), HERE, status, "/c")
    assert (led.method, led.body, "Content-Type" in led.headers) == (
        method,
        b"m" * (method == "POST"),
        method == "POST",
    )


@pytest.mark.parametrize(
    "location", ["ftp://h/", "javascript:x", "http://[::1", "http://h:port/", "http://h.example@evil.example/c"]
)
def test_what_is_no_url_of_http_is_not_followed(location: str) -> None:
    with pytest.raises(Misunderstood, match=r"it redirects to .*, which is no http or https URL"):
        redirected(Request("GET", "/b"), HERE, 302, location)


def test_clients_and_publisher_follow_as_many_redirects_as_they_are_told(tmp_path: Path) -> None:
    with foreign() as url, going(tmp_path) as (before, log):
        publish = f"POST {before}/307/{before}/308/{url}/messages {{{{message}}}}"
        words = ["run", "sse", "--url", f"{before}/302/{before}/302/{url}/events", "--publish", publish]
        (row,) = measured(tmp_path, *words, "--set", "redirects=2", "--set", "headers.X-Team=a")
        asked = log.read_text(encoding="utf-8")
        refused = command(*words, "--set", "redirects=1", "--set", "roll_call_s=2", *BRIEF)
    assert (row["delivered"], row["missed"], row["duplicated"], row["errors"]) == (80, 0, 0, 0)
    assert f"GET /302/{url}/events x-team=a" in asked
    assert "POST: the server answered 308" in refused.stderr


def test_polls_follow_redirects_to_another_server_and_come_back(tmp_path: Path) -> None:
    with foreign() as url, going(tmp_path) as (before, _):
        words = ["run", "long_polling", "--url", f"{before}/302/{url}/poll?hold=20&since={{{{n}}}}"]
        state = ["--set", "long_polling.first.n=", "--set", "long_polling.remember.n=header X-Next"]
        words += ["--publish", f"POST {url}/messages {{{{message}}}}", *state, "--set", "redirects=1"]
        (row,) = measured(tmp_path, *words)
    assert (row["delivered"], row["missed"], row["duplicated"], row["errors"]) == (80, 0, 0, 0)


def test_everything_goes_through_the_proxy_that_is_asked_for_and_nothing_asks_for_an_encoding(tmp_path: Path) -> None:
    (tmp_path / "chat.toml").write_text(ADAPTER, encoding="utf-8")
    with going(tmp_path) as (proxy, log):
        words = ["compare", "--target", str(tmp_path / "chat.toml"), "--repeats", "1", "--set", f"proxy={proxy}"]
        rows = measured(tmp_path, *words, "--set", "sse.gzip=true")
        asked = log.read_text(encoding="utf-8").splitlines()
    assert {(row["delivered"], row["missed"], row["duplicated"]) for row in rows} == {(80, 0, 0)}
    assert {each.split(" ")[0] for each in asked} == {"GET", "POST", "CONNECT"}
    assert all(each.split(" ")[1].startswith(("http://127.0.0.1:", "127.0.0.1:")) for each in asked)
    assert {each.split("/")[-1] for each in asked if "accept-encoding" in each} == {"events accept-encoding=gzip"}


def test_a_proxy_that_is_not_there_or_knows_no_way_is_named(tmp_path: Path) -> None:
    with foreign() as url:
        words = ["run", "websocket", "--url", f"{url}/socket", "--publish", "pipe cat", "--set", "roll_call_s=2"]
        done = command(*words, "--set", f"proxy={url}", *BRIEF, "--out", str(tmp_path / "run"))
    assert done.returncode == 1
    assert "the proxy does not connect us to" in " ".join(done.stderr.split()), done.stderr
    refused = command("run", "sse", "--url", f"{url}/events", "--publish", PUBLISH, "--set", "proxy=http://me:pw@h:1")
    assert "a proxy with a login is not supported" in refused.stderr
    assert "pw" not in refused.stderr


def test_of_a_state_what_was_overwritten_is_superseded_and_not_missed(tmp_path: Path) -> None:
    with foreign() as url:
        words = ["run", "short_polling", "--url", f"{url}/state", "--publish", PUBLISH, "--poll-interval", "0.3"]
        (row,) = measured(tmp_path, *words, "--set", "short_polling.latest=true")
    assert row["missed"] == row["duplicated"] == 0
    assert row["superseded"] > 0
    assert row["delivered"] + row["superseded"] + row["in_flight"] == row["owed"] == 80
    assert "superseded" in (tmp_path / "run/report.html").read_text(encoding="utf-8")
