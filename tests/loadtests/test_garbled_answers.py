"""A server that sends nonsense: what is recorded of it still adds up. Real Locust, real sockets, a server of ours."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from loadtests.records.to_parquet import collect
from servers.timing.clock import clock_id, now_ns
from tests.loadtests.load_process import Loads, loads_on


def message(number: int) -> dict[str, Any]:
    return {"id": number, "due_ns": now_ns(), "published_ns": now_ns(), "content": "", "timestamp": ""}


class Garbling(BaseHTTPRequestHandler):
    """Has three messages. The first answer to each user ends in one that is no message; then all comes well."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/stats":
            self._answer({"token": "", "clock_id": clock_id(), "newest_id": 0, "start_at_ns": now_ns()})
            return
        cursor = int(self.path.rpartition("=")[2])
        messages: list[Any] = [message(number) for number in range(cursor + 1, 4)]
        if not self.server.garbled:  # type: ignore[attr-defined]
            self.server.garbled = True  # type: ignore[attr-defined]
            messages[-1] = {"id": "three"}
        self._answer({"messages": messages, "count": len(messages)})

    def _answer(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def loads(tmp_path: Path) -> Iterator[Loads]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Garbling) as server:
        server.daemon_threads = True
        server.garbled = False  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with loads_on(tmp_path, f"http://127.0.0.1:{server.server_address[1]}") as loads:
                yield loads
        finally:
            server.shutdown()


@pytest.mark.slow
def test_of_an_answer_that_cannot_be_read_whole_nothing_counts_and_it_is_asked_for_again(loads: Loads) -> None:
    load = loads.start(
        "ShortPollingUser", "--users", "1", "--headless", "--poll-interval", "0.2", "--join-at", "oldest"
    )
    load.until(lambda: loads.raw_bytes("deliveries") > 0, "deliveries")
    load.process.terminate()
    load.ended()
    collect(loads.cell)
    requests, deliveries = loads.table("requests"), loads.table("deliveries")
    assert deliveries["id"].tolist() == [1, 2, 3]
    assert requests["error"].tolist()[0] == "protocol"
    assert requests["messages"].tolist()[:2] == [0, 3]
    assert requests["messages"].sum() == len(deliveries)
