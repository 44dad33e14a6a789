"""The Delivery tab's last cell: which pattern for a load that was not measured, as `pollbench advise` answers it.

The reports know, and stand to the right of us, so the front door is asked, in a process of its own.
"""

import subprocess
from typing import Final

from flask import Response, make_response, request
from gevent.lock import BoundedSemaphore

from loadtests.runs.commands import OURS

FIELDS: Final = {"clients": "--clients", "rate": "--rate", "rtt": "--rtt", "goal": "--goal"}
"""Field of the form -> option of the command, which reads and refuses them."""
LONGEST: Final = 60
REFUSED: Final = 400
ASKING: Final = BoundedSemaphore()
"""One process at a time: whoever asks faster waits."""


def advice() -> Response:
    """Answer with what the command says, as JSON, or with its own line on what is wrong with a field."""
    given = {option: request.args.get(field, "").strip() for field, option in FIELDS.items()}
    if long := [option for option, text in given.items() if len(text) > LONGEST]:
        return refused(f"{long[0]}: {LONGEST} characters at most")
    # With = what begins with a dash stays a value.
    words = [f"{option}={text}" for option, text in given.items() if text]
    with ASKING:
        done = subprocess.run([*OURS.advise, *words, "--json"], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        return refused(done.stderr.strip().removeprefix("pollbench: "))
    return make_response(done.stdout, {"Content-Type": "application/json"})


def refused(problem: str, code: int = REFUSED) -> Response:
    return make_response(problem, code, {"Content-Type": "text/plain; charset=utf-8"})
