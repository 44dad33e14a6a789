"""stdin, stdout and stderr as a program may find them: closed, full, a pipe on which nobody reads, ASCII only.

None of this changes what was measured or judged, so none of it may end a command: what cannot be written is dropped,
and a result that did not reach stdout though somebody wants it (a full disk) is told at the end.
"""

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

GONE: Final = frozenset({errno.EPIPE, errno.EIO})
"""Nobody reads any more: the pipe's other end is closed (`| head -1`), or the terminal is."""


class Outlet(io.FileIO):
    """Writes to an open file and never fails. problem: why something was lost that somebody may still want."""

    problem = ""

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError as wrong:
            if wrong.errno not in GONE:
                self.problem = self.problem or wrong.strerror or str(wrong)
            return memoryview(data).nbytes


def settle() -> Outlet:
    """Make all three usable, whatever they are, and return what stands behind stdout."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # Or the next file that is opened, a journal say, would get this number and all that is printed. The
            # lowest free number is the one that is missing.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    stdout, stderr = Outlet(1, "wb", closefd=False), Outlet(2, "wb", closefd=False)
    sys.stdout, sys.stderr = _text(stdout, sys.stdout), _text(stderr, sys.stderr)
    return stdout


def _text(outlet: Outlet, before: io.TextIOBase | object) -> io.TextIOWrapper:
    encoding = getattr(before, "encoding", None) or "utf-8"
    written = io.BufferedWriter(outlet)
    return io.TextIOWrapper(written, encoding, errors="replace", line_buffering=outlet.isatty())
