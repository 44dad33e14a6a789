"""CSV files that a server writes while it runs: truth kept apart from what the clients say."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Write = Callable[[bytes], object]


@contextmanager
def open_csv(option: str, path: str, columns: str) -> Iterator[Write | None]:
    """Give what appends lines to a new file, or None without a path. What was given is in the file when it returns.

    Raises OSError naming the option and the file when it cannot be opened.
    """
    if not path:
        yield None
        return
    try:
        file = Path(path).open("wb", buffering=0)  # noqa: SIM115
        file.write(columns.encode() + b"\n")
    except OSError as wrong:
        raise OSError(f"{option} {path!r} cannot be written: {wrong.strerror}") from None
    with file:
        yield file.write
