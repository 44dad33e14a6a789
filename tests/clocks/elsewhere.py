"""`python elsewhere.py FOLDER SECONDS[,SECONDS] COMMAND...`: runs a program in a time namespace, its clock being off.

FOLDER: the first that comes takes the first number of seconds, the next one the next, the last for all who come then. A
program that only listens to others (Locust's --master) stays as it is. The offset is exact: the kernel adds it.
"""

import ctypes
import os
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

CLONE_NEWTIME = 0x80


def go(seconds: int) -> None:
    """Move this process to a clock that is ahead by so much. Raises OSError where that is not permitted."""
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.unshare(CLONE_NEWTIME))
    Path("/proc/self/timens_offsets").write_text(f"monotonic {seconds} 0\n", encoding="ascii")
    namespace = os.open("/proc/self/ns/time_for_children", os.O_RDONLY)
    _check(libc.setns(namespace, CLONE_NEWTIME))
    os.close(namespace)


def _check(code: int) -> None:
    if code:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@cache
def why_not() -> str:
    """Return what keeps tests from having clocks of their own, "" for nothing."""
    if sys.platform != "linux" or not Path("/proc/self/ns/time").exists():
        return "only Linux has time namespaces"
    done = subprocess.run(command([1], Path("/tmp"), ["true"]), capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"no time namespace is permitted here: {done.stderr.strip()[-80:]}"


def back_s(wanted: int) -> int:
    """Return how many seconds a clock can be put back: it counts from the start of the machine, never below 0."""
    return -min(wanted, int(time.monotonic()) // 2)


def command(seconds: list[int], folder: Path, words: list[str]) -> list[str]:
    return [sys.executable, str(Path(__file__).absolute()), str(folder), ",".join(map(str, seconds)), *words]


def _turn(folder: Path, among: int) -> int:
    for at in range(among):
        try:
            (folder / f"turn-{at}").touch(exist_ok=False)
        except FileExistsError:
            continue
        return at
    return among - 1


def main() -> None:
    folder, several, *words = sys.argv[1:]
    if "--master" not in words:
        seconds = [int(each) for each in several.split(",")]
        offset = seconds[_turn(Path(folder), len(seconds))] if len(seconds) > 1 else seconds[0]
        if offset:
            go(offset)
    os.execvp(words[0], words)


if __name__ == "__main__":
    main()
