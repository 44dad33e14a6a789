"""Starts the servers of a race and shows its page in the browser, until Ctrl-C."""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from loadtests.host.managed_process import Child, ChildFailed
from loadtests.runs import announcements
from loadtests.runs.commands import HOST, OURS
from loadtests.runs.signals import Interrupt
from loadtests.runs.webui import Unreachable, check_free

LOOK_EVERY_S: Final = 0.1


def serve(port: int, urls: Sequence[str], say: Callable[[str], None], show: Callable[[str], object]) -> int:
    """Run the race at this port until Ctrl-C and return 0. urls: of streams beside it; show: called with the page's.

    Raises Unreachable for a port that is taken, and for servers that do not come up or end by themselves.
    """
    check_free(port)
    ports = ["--port", str(port), "--http2-port", "0", "--announce-json"]
    beside = [word for url in urls for word in ("--url", url)]
    with (
        tempfile.TemporaryDirectory(prefix="pollbench-") as folder,
        Interrupt() as interrupt,
        Child("server", [*OURS.race, *ports, *beside], Path(folder, "server.log")) as server,
    ):
        try:
            ready = server.answered(announcements.ready, OURS.ready_s, interrupt.check)
            page = f"http://{HOST}:{ready.http_port}/"
            say(f"race  {page}   Ctrl-C ends it")
            show(page)
            while not interrupt.noticed:
                time.sleep(LOOK_EVERY_S)
                server.check()
        except ChildFailed as problem:
            raise Unreachable(str(problem)) from None
        except KeyboardInterrupt:
            pass  # before there was a page; it ends in the same way
    return 0
