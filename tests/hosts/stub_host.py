"""A load host whose load processes are stubs: `python stub_host.py PORT NAME WAY`. They leave rows and end in order.

WAY: "good"; "late" never joins Locust's master; "many" leaves many files; "unhappy" ends with an exit code; "other" is
of another version.
"""

import os
import sys
from pathlib import Path

from loadtests.records.recorder import FOLDER_VARIABLE, process_name
from loadtests.records.rows import DELIVERY
from loadtests.runs.commands import Programs
from loadtests.runs.hosts.line import Line
from loadtests.runs.hosts.messages import TOKEN
from loadtests.runs.hosts.trying import JOINED
from loadtests.runs.hosts.worker import Worker

ROWS = 1_000
FILES = {"many": 200}
VERSIONS = {"other": {"pollbench": "0"}}
PATIENCE_S = 20.0


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def load(way: str) -> int:
    """Behave as a load process does that Locust's master tells to end at once."""
    raw = Path(os.environ[FOLDER_VARIABLE], "raw")
    raw.mkdir()
    for at in range(FILES.get(way, 1)):
        (raw / f"deliveries-sse{at}-{process_name()}.rows").write_bytes(DELIVERY.pack(*[at] * 8) * ROWS)
    if way == "late":
        return 0
    say(JOINED)
    return 5 if way == "unhappy" else 0


def main() -> int:
    if "--worker" in sys.argv:
        return load(sys.argv[1])
    port, name, way = sys.argv[1:]
    line = Line("127.0.0.1", int(port), os.environ[TOKEN], PATIENCE_S)
    programs = Programs(load=(sys.executable, __file__, way))
    return Worker(line, name, PATIENCE_S, say, programs=programs, versions=VERSIONS.get(way)).serve()


if __name__ == "__main__":
    sys.exit(main())
