"""A server that cannot have the feed it is asked for says so in one line, and is gone."""

import socket
import subprocess

import pytest
from redis import Redis

from loadtests.host.redis_server import RedisServer
from servers.web.free_port import free_port
from tests.backplane.sharing import KINDS
from tests.forked import ran
from tests.server_process import HANG_S, ServerProcess

pytestmark = pytest.mark.peer


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return ran("sse", "--port", "0", *arguments, module="servers", timeout=HANG_S)


def refusal(url: str, kind: str) -> str:
    """Return the reason that is given, having checked everything around it."""
    ended = command("--feed", kind, "--redis", url)
    assert (ended.returncode, ended.stdout) == (3, ""), ended.stderr
    begin, end = (
        f"error: --redis {url.replace(':secret@', '')} cannot be used: ",
        "; start a Redis there, or name another\n",
    )
    assert ended.stderr.startswith(begin)
    assert ended.stderr.endswith(end)
    return ended.stderr[len(begin) : -len(end)]


@pytest.mark.parametrize("kind", KINDS)
def test_no_redis_at_the_port(kind: str) -> None:
    assert refusal(f"redis://127.0.0.1:{free_port()}/0", kind) == "Connection refused"


@pytest.mark.parametrize("kind", KINDS)
def test_something_at_the_port_that_is_not_redis(kind: str, server: ServerProcess) -> None:
    assert refusal(f"redis://127.0.0.1:{server.port}", kind) == "what answers there is not Redis"


@pytest.mark.parametrize("kind", KINDS)
def test_something_at_the_port_that_says_nothing(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert refusal(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", kind) == "no answer within 3 s"


def test_a_host_that_does_not_exist() -> None:
    assert refusal("redis://nowhere.invalid/0", KINDS[0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_that_does_not_exist(kind: str, redis: RedisServer) -> None:
    assert "out of range" in refusal(f"redis://127.0.0.1:{redis.port}/99", kind)


def test_a_password_that_is_wrong_is_not_shown(redis: RedisServer) -> None:
    assert "secret" not in refusal(f"redis://:secret@127.0.0.1:{redis.port}/0", KINDS[0])


def test_keys_that_belong_to_something_else(redis: RedisServer) -> None:
    with Redis(port=redis.port) as client:
        client.lpush("taken:stream:0", "somebody's list")
    ended = command("--feed", "redis-stream", "--redis", redis.url, "--feed-name", "taken")
    assert ended.returncode == 3
    assert "wrong kind of value" in ended.stderr


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:6379",
        "http://127.0.0.1:6379/0",
        "redis://",
        "redis:///0",
        "redis://127.0.0.1:port/0",
        "redis://127.0.0.1:70000/0",
        "redis://127.0.0.1:0/0",
        "redis://127.0.0.1:6379/zero",
        "redis://127.0.0.1:6379/0/1",
        "redis://127.0.0.1:6379/0?db=1",
        "redis://[::1",
    ],
)
def test_an_url_that_names_no_redis_is_a_wrong_option(url: str) -> None:
    ended = command("--feed", "redis-stream", "--redis", url)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error: --redis {url} is out of range: it must be redis://")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--feed", "kafka"], "--feed kafka is out of range: it must be one of memory, redis-stream, redis-pubsub"),
        (["--feed", "redis-stream"], "--redis '' must be given with --feed redis-stream or redis-pubsub"),
        (["--redis", "redis://127.0.0.1:6379/0"], "must be given with --feed redis-stream or redis-pubsub, and only"),
        (
            ["--feed", "redis-stream", "--redis", "redis://h", "--fault", "drop:0.1"],
            "--fault 'drop:0.1' must be left out",
        ),
        (["--feed-name", "a b"], "--feed-name 'a b' is out of range: it must be letters"),
    ],
)
def test_options_that_do_not_fit_are_named(arguments: list[str], named: str) -> None:
    ended = command(*arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert named in ended.stderr
