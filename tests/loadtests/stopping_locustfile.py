"""The real locustfile in a process that is stopped for as long as STOP_S says (for good: -1), once messages come.

SIGSTOP comes from another process, as it does when somebody suspends it: nothing in this one can see it coming.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from locust import events

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from loadtests.locustfile import *  # noqa: F403

AFTER_S = 2.0
"""The window of the test begins within the first second after the users, and is longer than three."""


def _stop(**_kwargs: Any) -> None:
    stop_s = float(os.environ["STOP_S"])
    go_on = "" if stop_s < 0 else f"; sleep {stop_s}; kill -CONT {os.getpid()}"
    subprocess.Popen(["sh", "-c", f"sleep {AFTER_S}; kill -STOP {os.getpid()}{go_on}"])


events.spawning_complete.add_listener(_stop)
