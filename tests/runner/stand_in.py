"""Stands in for the server or the load of a cell, and goes wrong in one way: `python stand_in.py WAY ARGUMENT...`.

The arguments behind WAY are those that the runner gives to the real program. `server:` ways run the real server.
"""

import json
import os
import runpy
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from loadtests.records.rows import DELIVERY


def argument(name: str) -> str:
    return sys.argv[sys.argv.index(name) + 1]


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def serve() -> None:
    sys.argv[0] = "servers"
    runpy.run_module("servers", run_name="__main__", alter_sys=True)


def load(
    users: int,
    *,
    exit_code: int = 0,
    counts: dict[str, int] | None = None,
    absent: int = 0,
    deaf: int = 0,
    answer: str = "",
) -> None:
    """Behave as Locust does: say that users run, wait for SIGTERM, leave rows and counts, end.

    absent: users that do not start; deaf: users that receive nothing; answer: the first bytes that each was sent.
    """
    users -= absent
    raw = Path(argument("--run-dir"), "raw")
    raw.mkdir()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    say(f'All users spawned: {{"SseUser": {users}}} ({users} total users)')
    ended.wait()
    if counts is not None:
        counts |= deliver(raw, range(deaf, users))
        (raw / "seen-1.json").write_text(json.dumps(dict.fromkeys(range(users), answer)), encoding="ascii")
        (raw / f"counts-{os.getpid()}.json").write_text(json.dumps(counts), encoding="utf-8")
    if exit_code:
        say("the load is unhappy")
    sys.exit(exit_code)


def deliver(raw: Path, users: range) -> dict[str, int]:
    """Record that each message reached each of these users a millisecond after it was published."""
    lines = (raw.parent / "published.csv").read_text(encoding="ascii").splitlines()[1:]
    messages = [tuple(map(int, line.split(","))) for line in lines]
    rows = [
        DELIVERY.pack(user, number, due_ns, published_ns, published_ns + 1_000_000, 100, 0, 0)
        for number, due_ns, published_ns in messages
        for user in users
    ]
    name = f"deliveries-sse-{os.getpid()}"
    (raw / f"{name}.rows").write_bytes(b"".join(rows))
    return {name: len(rows)}


WAITING: dict[str, tuple[str, Any]] = {
    "deaf": ("deaf", signal.SIG_IGN),
    "relay: says nothing at its end": ('{"event": "ready", "port": 1}', lambda *_: sys.exit(0)),
}

LOADS: dict[str, Any] = {
    "good": {"counts": {}},
    "too few users": {"counts": {}, "absent": 1},
    "unhappy": {"counts": {}, "exit_code": 4},
    "silent about rows": {},
    "lost a row": {"counts": {"requests-sse-1": 1}},
    "hears HTML": {
        "counts": {},
        "deaf": 2,
        "answer": "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<h1>It works</h1>",
    },
    "one hears nothing": {"counts": {}, "deaf": 1},
}


def main(way: str) -> None:
    if way == "ends at once":
        sys.exit("error: no such luck")
    elif way == "says nothing":
        time.sleep(60)
    elif way == "server: another token":
        sys.argv[sys.argv.index("--token") + 1] = "somebody-else"
        serve()
    elif way == "server: dies":
        threading.Timer(1.2, os._exit, [9]).start()
        serve()
    elif way == "server: ends badly":
        try:
            serve()
        finally:
            say("error: could not close the journal")
            os._exit(5)
    elif way in LOADS:
        load(int(argument("--users")), **LOADS[way])
    elif way in WAITING:
        line, on_stop = WAITING[way]
        signal.signal(signal.SIGTERM, on_stop)
        say(line)
        time.sleep(60)


if __name__ == "__main__":
    main(sys.argv.pop(1))
