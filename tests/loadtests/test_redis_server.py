"""A Redis of our own starts where nobody else is, and has again what it had."""

from pathlib import Path

import psutil
import pytest
from redis import Redis

from loadtests.host.managed_process import ChildFailed
from loadtests.host.redis_server import RedisServer

pytestmark = pytest.mark.peer


@pytest.mark.parametrize("appendonly", [True, False])
def test_a_restart_keeps_the_port_and_what_was_written_down(appendonly: bool, tmp_path: Path) -> None:
    with RedisServer(tmp_path, appendonly=appendonly) as server:
        url = server.url
        with Redis(port=server.port) as client:
            client.set("key", "value")
        server.stop()
        server.start()
        assert server.url == url
        with Redis(port=server.port) as client:
            assert client.get("key") == (b"value" if appendonly else None)
            assert client.config_get("bind") == {"bind": "127.0.0.1"}


def test_two_of_them_do_not_meet(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with RedisServer(tmp_path / "one") as one, RedisServer(tmp_path / "two") as two:
        assert one.port != two.port
        pids = [one.pid, two.pid]
    assert not any(psutil.pid_exists(pid) for pid in pids)
    with pytest.raises(ChildFailed, match="not running"):
        _ = one.pid


def test_a_folder_that_redis_cannot_use_is_said_in_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").write_text("not a folder")
    with (
        pytest.raises(ChildFailed, match=r"redis ended by itself with exit code 1: .*appendonlydir"),
        RedisServer(tmp_path),
    ):
        pass
