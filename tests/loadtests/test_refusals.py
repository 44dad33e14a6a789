"""A user that is refused comes back no sooner than it was asked to, whatever its pattern."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from loadtests.scenario.backoff import RETRY_AFTER_MAX_S, asked_for_s
from servers.timing.clock import now_ns
from tests.server_process import HANG_S

ASKED_FOR_S = 1
REFUSAL = (
    f"HTTP/1.1 429 Too Many Requests\r\nRetry-After: {ASKED_FOR_S}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
).encode()


@pytest.mark.parametrize("pattern", ["chunked", "long_polling", "sse", "websocket"])
def test_a_refused_user_waits_as_long_as_the_server_asks(pattern: str) -> None:
    script = Path(__file__).with_name("one_user.py")
    refused_ns, asked_ns = [], []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(HANG_S)
        command = [sys.executable, str(script), pattern, str(listener.getsockname()[1])]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as user:
            try:
                for _ in range(2):
                    with listener.accept()[0] as server:
                        asked_ns.append(now_ns())
                        server.recv(4096)
                        refused_ns.append(now_ns())
                        server.sendall(REFUSAL)
            finally:
                user.kill()
    assert asked_ns[1] - refused_ns[0] >= ASKED_FOR_S * 1_000_000_000


def test_what_is_no_number_of_seconds_asks_for_nothing_and_no_server_asks_for_ever() -> None:
    assert [asked_for_s(text) for text in ("", "soon", "-1", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT")] == [0.0] * 5
    assert (asked_for_s("7"), asked_for_s("9" * 30)) == (7.0, RETRY_AFTER_MAX_S)
