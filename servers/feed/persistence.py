"""A file that keeps a feed's messages, so that a server that is started again goes on where the last one was.

One encoded message per line, written before it is sent: an id that a client has seen is never given away a
second time, even if the process is killed. Nothing is forced to the disk (fsync), so a machine that loses power may
lose the last ones.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path
from typing import Final

import msgspec

from servers.feed.history import History
from servers.feed.journal import Write
from servers.feed.message import decode_stamp
from servers.timing.clock import now_ns

LONGEST_BYTES: Final = 8_000_000
"""More than the longest message there can be: 1 MB of control characters, which JSON writes with six each."""
BEGIN: Final = b'{"id":'


@dataclass(frozen=True, slots=True)
class Kept:
    """write: keeps a message, encoded, with its line's end; None without a file. until_ns: up to which due instant the
    schedule had been published, 0 if nothing was."""

    write: Write | None = None
    until_ns: int = 0


@contextmanager
def kept(path: str, history: History, limit: int, limit_bytes: int) -> Iterator[Kept]:
    """Fill the history with the newest messages of the file, and keep what is published from now on.

    limit, limit_bytes: of the history. No more than that is read, and the longest message there can be.

    A last line without its end, which a killed server leaves, is cut off. Raises OSError when the file cannot be used,
    ValueError when it holds something else.
    """
    if not path:
        yield Kept()
        return
    try:
        file = Path(path).open("a+b", buffering=0)  # noqa: SIM115
    except OSError as wrong:
        raise OSError(f"--keep {path!r} cannot be opened: {wrong.strerror}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OSError(f"--keep {path!r} is in use by another server; give each its own") from None
        begin = max(0, file.seek(0, SEEK_END) - limit_bytes - LONGEST_BYTES)
        file.seek(begin)
        content = file.read()
        whole = content.rfind(b"\n") + 1
        lines = content[:whole].splitlines()
        if not content[whole:].startswith(BEGIN[: len(content) - whole]):
            lines = [content]
        until_ns = _refill(history, lines[1 if begin and whole else 0 :][-limit:], path)
        file.truncate(begin + whole)
        yield Kept(file.write, until_ns)


def _refill(history: History, bodies: list[bytes], path: str) -> int:
    """Return the latest due instant that has passed. Due later, by the clock of another boot, says nothing here."""
    until_ns, now = 0, now_ns()
    for body in bodies:
        try:
            stamp = decode_stamp(body)
        except msgspec.MsgspecError:
            raise ValueError(f"--keep {path!r} is no file that a server kept; name another, or a new one") from None
        history.skip(stamp.id - 1)
        if stamp.id != history.append(body):
            raise ValueError(f"--keep {path!r} goes on with message {stamp.id} before its time; name a new file")
        if until_ns < stamp.due_ns <= now:
            until_ns = stamp.due_ns
    return until_ns
