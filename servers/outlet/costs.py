"""Whose CPU and memory is the server's: what is known of it decides, and what is not known is not guessed."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import psutil

from servers.outlet.listening import listeners, roots
from servers.targets.adapter import Cost
from servers.targets.variables import Misunderstood

CGROUPS: Final = Path("/sys/fs/cgroup")


class CostOf(NamedTuple):
    """pids: processes whose cost, with that of what they started, is the server's; none: it is not measured.

    known: which they are, or why it is not measured.
    """

    pids: list[int]
    known: str


def cost_of(cost: Cost, started: int | None, host: str, port: int, cgroups: Path = CGROUPS) -> CostOf:
    """Say whose cost is the server's. started: the process that we started, None where it runs already.

    Raises Misunderstood for processes that the adapter names and that are not there.
    """
    if not cost.measured:
        return CostOf([], "not measured, as cost.measured is false")
    if cost.agent:
        return CostOf([], f"that which the agent at {cost.agent} sees")
    if cost.cgroup:
        return CostOf(roots(_in_cgroup(cost.cgroup, cgroups)), f"that of the processes in the cgroup {cost.cgroup}")
    named = {pid for name in cost.also for pid in _named(name)}
    also = f", and of processes called {', '.join(cost.also)}" if cost.also else ""
    if started is not None:
        return CostOf(roots({started} | named), f"that of the process tree that pollbench started{also}")
    listening = set(listeners(host, port))
    if not listening and not named:
        return CostOf([], f"not measured, as no process is seen here that listens on port {port}")
    who = ", ".join(sorted({_name(pid) for pid in listening})) or "nobody that is seen"
    return CostOf(roots(listening | named), f"that of who listens on port {port} ({who}){also}")


def _in_cgroup(name: str, cgroups: Path) -> set[int]:
    folder = cgroups / name.strip("/")
    found: set[int] = set()
    for file in folder.rglob("cgroup.procs"):
        with suppress(OSError):  # a threaded one has no list of its own (cgroups(7))
            found |= {int(word) for word in file.read_text(encoding="ascii").split()}
    if not found - {0}:
        raise Misunderstood(
            f"cost.cgroup {name!r}: no process is in {folder}; name the folder of a running service there"
        )
    return found - {0}


def _named(name: str) -> set[int]:
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = {each.pid for each in psutil.process_iter(["name"]) if each.info["name"] == name} - ours
    if not found:
        raise Misunderstood(f"cost.also {name!r}: no process is called so; `ps -e -o comm` shows what there is")
    return found


def _name(pid: int) -> str:
    with suppress(psutil.Error):
        return str(psutil.Process(pid).name())
    return f"process {pid}"
