"""HTTP_PROXY and its kin in the environment divert nothing: what is measured, and what we ask, goes straight there."""

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from loadtests.probes.followers import CLIENTS, Followed, follow
from loadtests.runs.target import Target
from servers import patterns
from tests.loadtests.foreign_server import ForeignServer
from tests.server_process import HANG_S, serving

NAMES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy", "ws_proxy", "wss_proxy")
SCRIPT = Path(__file__).with_name("foreign_users.py")


async def probed(url: str) -> None:
    """Have the probes' own clients hear a message each."""
    followed = {pattern: Followed() for pattern in CLIENTS}
    following = [asyncio.create_task(follow(pattern, url, each)) for pattern, each in followed.items()]
    async with asyncio.timeout(HANG_S):
        while not all(each.received_ns for each in followed.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    for task in following:
        task.cancel()
    await asyncio.wait(following)


def test_no_user_and_no_question_of_ours_goes_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def proxy(connection: socket.socket, number: int) -> None:
        asked.append(connection.recv(65_536))

    with serving("--schedule", "steady:20") as server:
        diversion = ForeignServer(proxy)
        for name in NAMES:
            monkeypatch.setenv(name, f"http://127.0.0.1:{diversion.port}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.setenv(name, "")
        url = f"http://127.0.0.1:{server.port}"
        assert Target(url).stats.patterns
        asyncio.run(probed(url))
        users = {
            name: {
                "pattern": name,
                "port": server.http2_port if patterns.facts(name).http2 else server.port,
                "requests": 0,
                "adapter": None,
            }
            for name in patterns.names()
        }
        command = [sys.executable, str(SCRIPT), json.dumps({"session": {"poll_interval_s": 0.1}, "users": users})]
        done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, check=True)
        diversion.close()
    found = json.loads(done.stdout)
    assert {name: found[name]["delivered"][:3] for name in users} == {name: [1, 2, 3] for name in users}
    assert asked == []
