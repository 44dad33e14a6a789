"""The process that publishes into a server that is not ours: how it is told whom to reach, and heard when it does."""

from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from loadtests.foreign.spec import Chosen
from loadtests.host.managed_process import Child, ChildFailed, Tick, idle
from loadtests.records.manifest import WayUp
from loadtests.runs import announcements
from loadtests.runs.announcements import Announcement
from loadtests.runs.commands import ADAPTER_FILE, OURS

NAME: Final = "outlet"


def started(chosen: Chosen, run: str, folder: Path) -> Child:
    """Start it for a server that no plan names. run: also the token by which it is known."""
    tell(chosen, folder)
    return Child(NAME, OURS.outlet_command_of(chosen.url, run, folder), folder / f"{NAME}.log")


def tell(chosen: Chosen, folder: Path) -> None:
    """Leave the adapter where the process reads it."""
    (folder / ADAPTER_FILE).write_bytes(msgspec.json.encode(chosen.adapter))


def answered(outlet: Child, chosen: Chosen, ready_s: float, tick: Tick = idle) -> Announcement:
    """Return what it says once it publishes. Raises ChildFailed with what it said of the server, not of itself."""
    try:
        return outlet.answered(announcements.ready, chosen.adapter.ready_s + ready_s, tick)
    except ChildFailed as problem:
        raise ChildFailed(str(problem).partition("error: ")[2] or str(problem)) from None


def way_up(folder: Path) -> WayUp | None:
    """Return how long the server took to accept messages, None where it took none."""
    accepted = _rows(folder / "accepted.csv", 2)
    published = _rows(folder / "published.csv", 3)
    sent_ns = dict(zip(published[:, 0].tolist(), published[:, 2].tolist(), strict=True))
    taken = [at_ns - sent_ns[number] for number, at_ns in accepted.tolist() if at_ns and number in sent_ns]
    if not taken:
        return None
    median, p99 = np.quantile(taken, [0.5, 0.99]) / 1e6
    refused = int((accepted[:, 1] == 0).sum())
    return WayUp(taken=len(taken), refused=refused, median_ms=float(median), p99_ms=float(p99))


def _rows(file: Path, columns: int) -> "np.ndarray[tuple[int, int], np.dtype[np.int64]]":
    rows = np.loadtxt(file, dtype=np.int64, delimiter=",", skiprows=1, ndmin=2)
    return rows.reshape(-1, columns)
