"""Writes a page, a table or a chart into a run folder, which is input: what lies there already leads nowhere else."""

import errno
import os
from pathlib import Path


def write(file: Path, content: str | bytes) -> None:
    """Put a file in the place of whatever has its name: a link or a pipe would take the content elsewhere.

    Raises OSError, also where the folder is a link.
    """
    if file.parent.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(file.parent))
    file.unlink(missing_ok=True)
    with file.open("xb") as written:
        written.write(content.encode() if isinstance(content, str) else content)
