"""Which processes of this machine listen where somebody else says that a server is."""

from contextlib import suppress

import psutil


def listeners(host: str, port: int) -> list[int]:
    """Return which processes of this machine listen on a port; none where that cannot be seen."""
    try:
        local = {"127.0.0.1", "::1", "localhost"} | {
            each.address for addresses in psutil.net_if_addrs().values() for each in addresses
        }
        if host not in local:
            return []
        found = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return []
    listening = [each for each in found if each.status == psutil.CONN_LISTEN and each.laddr]
    pids = {each.pid for each in listening if tuple(each.laddr)[-1] == port}
    return roots({pid for pid in pids if pid})


def roots(pids: set[int]) -> list[int]:
    """Leave out who is a descendant of another, because a process is sampled with its children."""
    found = []
    for pid in sorted(pids):
        with suppress(psutil.Error):
            if not {parent.pid for parent in psutil.Process(pid).parents()} & pids:
                found.append(pid)
    return found
