"""`python foreign_users.py JSON`: users against servers that nobody here wrote; says what became of each, as JSON.

JSON: {"session": settings, "users": {name: {"pattern", "port", "requests", "adapter"}}}. A user ends when it has
received message 3, or, where `requests` is not 0, when it has made so many.
"""

import json
import resource
import sys
from pathlib import Path
from typing import Any

import gevent
import msgspec
from locust.env import Environment

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from loadtests.foreign.spec import ForeignTarget
from loadtests.records.recorder import Tape
from loadtests.records.rows import DELIVERY, ERRORS, REQUEST, Delivery, Request
from loadtests.scenario.settings import UserSettings
from loadtests.users.connection import expire_overdue
from loadtests.users.user_classes import user_class
from loadtests.users.user_settings import session
from servers.targets.adapter import Adapter
from servers.timing.clock import now_ns
from tests.server_process import HANG_S

LAST_ID = 3


def main(told: dict[str, Any]) -> None:
    session.options = UserSettings(**told["session"])
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found: dict[str, Any] = {}
    running = [gevent.spawn(follow, name, found, **wanted) for name, wanted in told["users"].items()]
    gevent.joinall(running, timeout=HANG_S)
    found["grown_bytes"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) * 1024
    sys.stdout.write(json.dumps(found))


def follow(name: str, found: dict[str, Any], pattern: str, port: int, requests: int, adapter: Any) -> None:
    session.host = session.http2_host = f"http://127.0.0.1:{port}"
    session.follow(
        ForeignTarget(adapter=msgspec.convert(adapter, Adapter), url=session.host, run="0af3") if adapter else None
    )
    kind = user_class(pattern)
    user = kind(Environment(user_classes=[kind]))
    user.on_start()
    user.tape = Tape()
    task = gevent.spawn(user.live)
    while not task.ready() and (
        len(user.tape.requests) < requests * REQUEST.size if requests else user.cursor < LAST_ID
    ):
        gevent.sleep(0.01)
        expire_overdue(now_ns())
    found[name] = {"died": repr(task.exception) if task.exception else "", "failures": user.backoff.failures}
    task.kill()
    rows = [Request(*row) for row in REQUEST.iter_unpack(bytes(user.tape.requests))]
    found[name]["requests"] = [
        {"status": row.status, "error": ERRORS[row.error], "messages": row.messages, "repeated": row.repeated}
        for row in rows
    ]
    found[name]["delivered"] = [Delivery(*row).id for row in DELIVERY.iter_unpack(bytes(user.tape.deliveries))]


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
