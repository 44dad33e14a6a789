"""stdin, stdout and stderr as a program may find them: closed, full, a pipe without a reader, ASCII only.

None of this changes what was measured or judged, so none of it may end a command: what cannot be written is dropped,
and a result that did not reach stdout (a full disk) is reported at the end.
"""

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

GONE: Final = frozenset({errno.EPIPE, errno.EIO})
"""There is no reader any more: the pipe's other end is closed (`| head -1`), or the terminal is."""


class StandardOutput(io.FileIO):
    """Writes to an open file and never fails. problem: why output was lost that may still be wanted."""

    problem = ""

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError as wrong:
            if wrong.errno not in GONE:
                self.problem = self.problem or wrong.strerror or str(wrong)
            return memoryview(data).nbytes


def settle() -> StandardOutput:
    """Make all three usable, whatever they are, and return what stands behind stdout."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # Or the next file that is opened, a journal say, would get this number and all that is printed. The
            # lowest free number is the one that is missing.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    stdout, stderr = StandardOutput(1, "wb", closefd=False), StandardOutput(2, "wb", closefd=False)
    sys.stdout, sys.stderr = _text(stdout, sys.stdout), _text(stderr, sys.stderr)
    return stdout


def _text(outlet: StandardOutput, before: io.TextIOBase | object) -> io.TextIOWrapper:
    encoding = getattr(before, "encoding", None) or "utf-8"
    written = io.BufferedWriter(outlet)
    return io.TextIOWrapper(written, encoding, errors="replace", line_buffering=outlet.isatty())
