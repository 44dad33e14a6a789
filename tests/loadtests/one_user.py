"""`python one_user.py PATTERN PORT`: one user of a pattern against whatever listens there; says what each read gave it.

One JSON line a read: its bytes, whether it had the kernel's stamp, and the rows it added, as [id, received, arrived].
"""

import json
import sys
from pathlib import Path

from locust.env import Environment

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from loadtests.records.rows import DELIVERY, Delivery
from loadtests.users.connection import Connection, Receive
from loadtests.users.user_classes import user_class
from loadtests.users.user_settings import session


def main(pattern: str, port: str) -> None:
    session.host = f"http://127.0.0.1:{port}"
    kind = user_class(pattern)

    class Telling(kind):  # type: ignore[misc,valid-type]
        """The real user, with its reads told."""

        def connect(self, receive: Receive) -> Connection:
            def received(data: bytes, received_ns: int, arrived_ns: int) -> None:
                before = len(self.tape.deliveries)
                receive(data, received_ns, arrived_ns)
                rows = [Delivery(*row) for row in DELIVERY.iter_unpack(bytes(self.tape.deliveries[before:]))]
                told = {
                    "bytes": len(data),
                    "stamped": arrived_ns > 0,
                    "rows": [[row.id, row.received_ns, row.arrived_ns] for row in rows],
                }
                sys.stdout.write(json.dumps(told) + "\n")
                sys.stdout.flush()

            return super().connect(received)  # type: ignore[no-any-return]

    user = Telling(Environment(user_classes=[Telling]))
    user.on_start()
    user.live()


if __name__ == "__main__":
    main(*sys.argv[1:])
