"""`worker`: a machine that drives users for a run on another one, until that says that it is done."""

import os
from functools import partial
from typing import Final

from loadtests.runs.hosts.meeting import Coming
from loadtests.scenario.overrides import with_options
from reports.commands.common import err
from servers.settings.setting import read, settings

WORKER_EPILOG: Final = (
    "Exit codes: 0 the run is done; 2 wrong option, or the run refused this host (wrong token, another version, a name "
    "that is taken); 3 no run answers at that address, or none any more; 4 the run is incomplete, or this host failed "
    "in a cell, as when its disk or the store was full; 130 interrupted, here or there."
)


@partial(
    with_options,
    argument="coming",
    table=settings(Coming),
    panel="Where the run is",
    read=lambda typed: read(Coming, typed),
)
def worker(coming: Coming) -> int:
    """Drive users for a run on another machine that was started with --workers.

    The secret that both share is in the environment, as POLLBENCH_TOKEN; the run makes and prints one where it has
    none.

    Examples:

        POLLBENCH_TOKEN=... pollbench worker --master 10.0.0.1
        POLLBENCH_TOKEN=... pollbench worker --master load-master:5570 --name alpha --wait 1h
    """
    from loadtests.runs.hosts import line, meeting, messages
    from loadtests.runs.hosts import worker as host

    token = os.environ.get(messages.TOKEN, "")
    if not token:
        raise ValueError(
            f"{messages.TOKEN} is not set: set it to the token of the run, which prints it where it made one"
        )
    to_run = line.Line(*meeting.where(coming.master), messages.check_token(token), coming.wait_s)
    name = coming.name or line.named()
    return host.serve(to_run, name, coming.wait_s, lambda text: err.print(text, markup=False, soft_wrap=True))
