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


def argument(name: str) -> str:
    return sys.argv[sys.argv.index(name) + 1]


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def serve() -> None:
    sys.argv[0] = "servers"
    runpy.run_module("servers", run_name="__main__", alter_sys=True)


def load(users: int, *, exit_code: int = 0, counts: dict[str, int] | None = None) -> None:
    """Behave as Locust does: say that users run, wait for SIGTERM, leave counts, end."""
    raw = Path(argument("--run-dir"), "raw")
    raw.mkdir()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    say(f'All users spawned: {{"SseUser": {users}}} ({users} total users)')
    ended.wait()
    if counts is not None:
        (raw / f"counts-{os.getpid()}.json").write_text(json.dumps(counts), encoding="utf-8")
    if exit_code:
        say("the load is unhappy")
    sys.exit(exit_code)


WAITING: dict[str, tuple[str, Any]] = {
    "deaf": ("deaf", signal.SIG_IGN),
    "relay: says nothing at its end": ('{"event": "ready", "port": 1}', lambda *_: sys.exit(0)),
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
    elif way == "good":
        load(int(argument("--users")), counts={})
    elif way == "too few users":
        load(int(argument("--users")) - 1, counts={})
    elif way == "unhappy":
        load(int(argument("--users")), exit_code=4, counts={})
    elif way == "silent about rows":
        load(int(argument("--users")))
    elif way == "lost a row":
        load(int(argument("--users")), counts={"requests-sse-1": 1})
    elif way in WAITING:
        line, on_stop = WAITING[way]
        signal.signal(signal.SIGTERM, on_stop)
        say(line)
        time.sleep(60)


if __name__ == "__main__":
    main(sys.argv.pop(1))
