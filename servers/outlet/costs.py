"""Whose CPU and memory is the server's: what is known of it decides, and what is not known is not guessed."""

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import psutil
from yarl import URL

from servers.outlet.client import Refused
from servers.targets.adapter import Cost

CGROUPS: Final = Path("/sys/fs/cgroup")


class CostOf(NamedTuple):
    """pids: processes whose cost, with that of what they started, is the server's; none: it is not measured.

    known: which they are, or why it is not measured.
    """

    pids: list[int]
    known: str


def cost_of(cost: Cost, started: int | None, base: URL, cgroups: Path = CGROUPS) -> CostOf:
    """Say whose cost is the server's. started: the process that we started, None where it runs already.

    Raises Refused for processes that the adapter names and that are not there.
    """
    if not cost.measured:
        return CostOf([], "not measured, as cost.measured is false")
    if cost.cgroup:
        return CostOf(_roots(_in_cgroup(cost.cgroup, cgroups)), f"that of the processes in the cgroup {cost.cgroup}")
    named = {pid for name in cost.also for pid in _named(name)}
    also = f", and of processes called {', '.join(cost.also)}" if cost.also else ""
    if started is not None:
        return CostOf(_roots({started} | named), f"that of the process tree that pollbench started{also}")
    listening = _listeners(base)
    if not listening and not named:
        return CostOf([], f"not measured, as no process is seen here that listens on port {base.port}")
    who = ", ".join(sorted({_name(pid) for pid in listening})) or "nobody that is seen"
    return CostOf(_roots(listening | named), f"that of who listens on port {base.port} ({who}){also}")


def _in_cgroup(name: str, cgroups: Path) -> set[int]:
    folder = cgroups / name.strip("/")
    found: set[int] = set()
    for file in folder.rglob("cgroup.procs"):
        with suppress(OSError):  # a threaded one has no list of its own (cgroups(7))
            found |= {int(word) for word in file.read_text(encoding="ascii").split()}
    if not found - {0}:
        raise Refused(f"cost.cgroup {name!r}: no process is in {folder}; name the folder of a running service there")
    return found - {0}


def _named(name: str) -> set[int]:
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = {each.pid for each in psutil.process_iter(["name"]) if each.info["name"] == name} - ours
    if not found:
        raise Refused(f"cost.also {name!r}: no process is called so; `ps -e -o comm` shows what there is")
    return found


def _listeners(base: URL) -> set[int]:
    """Return which processes of this machine listen on a URL's port; none where that cannot be seen."""
    try:
        local = {"127.0.0.1", "::1", "localhost"} | {
            each.address for addresses in psutil.net_if_addrs().values() for each in addresses
        }
        if base.host not in local:
            return set()
        found = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return set()
    listening = [each for each in found if each.status == psutil.CONN_LISTEN and each.laddr]
    return {each.pid for each in listening if each.pid and tuple(each.laddr)[-1] == base.port}


def _name(pid: int) -> str:
    with suppress(psutil.Error):
        return str(psutil.Process(pid).name())
    return f"process {pid}"


def _roots(pids: Collection[int]) -> list[int]:
    """Leave out who is a descendant of another, because a process is sampled with its children."""
    roots = []
    for pid in sorted(pids):
        with suppress(psutil.Error):
            if not {parent.pid for parent in psutil.Process(pid).parents()} & set(pids):
                roots.append(pid)
    return roots
