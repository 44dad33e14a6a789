"""`python contract_user.py PATTERN HOST HTTP2_HOST CURSOR READS MUTANT TOLD`: one user; its rows become lines of TOLD.

READS: "whole", or "bytes" to hand it each byte of a read by itself. MUTANT: what is wrong with how it decodes, one of
MUTANTS or "none". Lines: ["read"], ["request", started, ended], ["delivery", id, due, published, received].
"""

import json
import sys
from pathlib import Path
from typing import Any

from locust.env import Environment

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from loadtests.scenario.settings import UserSettings
from loadtests.users.connection import Connection, Exchange, Receive
from loadtests.users.inbox import Inbox
from loadtests.users.user_classes import user_class
from loadtests.users.user_settings import session
from servers.feed.message import Stamp
from servers.targets.tracer import Trace
from tests.loadtests.mutants import MUTANTS


def main(pattern: str, host: str, http2_host: str, cursor: str, reads: str, mutant: str, told: str) -> None:
    session.host, session.http2_host = host, http2_host
    session.options = UserSettings(poll_interval_s=0.02, hold_timeout_s=300.0, silence_timeout_s=0.0)
    kind = user_class(pattern)
    with Path(told).open("w", buffering=1, encoding="ascii") as lines:

        def tell(*line: object) -> None:
            lines.write(json.dumps(line) + "\n")

        class Telling(kind):  # type: ignore[misc,valid-type]
            """The real user, with its reads cut and its rows told."""

            def connect(self, receive: Receive) -> Connection:
                def received(data: bytes, received_ns: int, arrived_ns: int) -> None:
                    tell("read")
                    if reads == "whole":
                        receive(data, received_ns, arrived_ns)
                        return
                    for at in range(len(data)):
                        receive(data[at : at + 1], received_ns, 0)

                return super().connect(received)  # type: ignore[no-any-return]

            def requested(self, due_ns: int, exchange: Exchange, *rest: int) -> None:
                tell("request", exchange.started_ns, exchange.ended_ns)
                super().requested(due_ns, exchange, *rest)

        class TellingInbox(Inbox):
            def take(self, stamp: Stamp | Trace, received_ns: int, *rest: int) -> None:
                tell("delivery", stamp.id, stamp.due_ns, stamp.published_ns, received_ns)
                super().take(stamp, received_ns, *rest)

        user: Any = Telling(Environment(user_classes=[Telling]))
        user.on_start()
        user.first_cursor = int(cursor)
        user.inbox = TellingInbox(user.number, user.tape.deliveries, user.first_cursor)
        if mutant in MUTANTS:
            user.inbox.take = MUTANTS[mutant](user.inbox.take)
        user.live()


if __name__ == "__main__":
    main(*sys.argv[1:])
