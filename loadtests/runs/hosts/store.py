"""A place that the run and its load hosts both see, for rows on their way: a folder, or a bucket that speaks S3.

Hosts write, the run reads, checks by length and digest, and clears what it has taken. Credentials of S3 come from the
environment, as its own tools have them (AWS_ACCESS_KEY_ID and the like), and are never part of the place.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from loadtests.runs.hosts.messages import Piece
from loadtests.runs.hosts.pieces import CHUNK_BYTES, take

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

CONNECT_S: Final = 5.0
ANSWER_S: Final = 30.0
ATTEMPTS: Final = 2
OPTIONS: Final = ("endpoint_override", "region", "scheme")
"""What may stand behind the `?` of an S3 address, as pyarrow calls it."""
PROBE: Final = "pollbench-was-here"


class StoreFailed(Exception):
    """The store does not do what it is for: one line that names it, what was tried, and its own words."""


class Store:
    """place: a folder, or s3://BUCKET/PREFIX. Raises ValueError for a place that is none of both."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._files, self._base = _opened(place)

    def check(self) -> None:
        """Write something and take it away again. Raises StoreFailed."""
        with self._telling("be written to"):
            self._files.create_dir(self._base, recursive=True)
            with self._files.open_output_stream(f"{self._base}/{PROBE}") as out:
                out.write(b"")
            self._files.delete_file(f"{self._base}/{PROBE}")

    def put(self, folder: str, file: Path, moved: Callable[[int], None]) -> None:
        """Copy a file into a folder of the store, in place of any before it. Raises StoreFailed."""
        with self._telling(f"take {file.name}"):
            self._files.create_dir(f"{self._base}/{folder}", recursive=True)
            with file.open("rb") as source, self._files.open_output_stream(f"{self._base}/{folder}/{file.name}") as out:
                while chunk := source.read(CHUNK_BYTES):
                    out.write(chunk)
                    moved(len(chunk))

    def get(self, folder: str, piece: Piece, into: Path, moved: Callable[[int], None]) -> None:
        """Copy a file out of the store. Raises StoreFailed where it is not there, or not what was put there."""
        path = f"{self._base}/{folder}/{piece.file}"
        with self._telling(f"give {piece.file}"), self._files.open_input_stream(path) as source:
            digest = take(source, piece.size_bytes, into, piece.file, moved)
            if digest != piece.sha256 or source.read(1):
                raise EOFError("it is not the file that was put there: length or digest differ")

    def clear(self, folder: str) -> None:
        """Take away a folder of the store and all in it. Raises StoreFailed."""
        with self._telling(f"delete {folder}"):
            self._files.delete_dir(f"{self._base}/{folder}")

    @contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        import pyarrow as pa

        try:
            yield
        except (OSError, EOFError, pa.ArrowException) as problem:
            words = " ".join(str(getattr(problem, "strerror", None) or problem).split())[:300]
            raise StoreFailed(f"the store {self._place} cannot {what}: {words}") from None


def _opened(place: str) -> "tuple[FileSystem, str]":
    from pyarrow import fs

    if not place.startswith("s3://"):
        if "://" in place:
            raise ValueError(f"--store {place!r} is no place for rows: name a folder, or s3://BUCKET/PREFIX")
        return fs.LocalFileSystem(), str(Path(place).absolute())
    url = urlsplit(place)
    options: dict[str, Any] = dict(parse_qsl(url.query))
    if unknown := sorted(options.keys() - set(OPTIONS)):
        raise ValueError(f"--store {place!r}: {', '.join(unknown)} is none of {', '.join(OPTIONS)}")
    if "@" in url.netloc or not url.netloc:
        raise ValueError(
            "--store: an S3 place is s3://BUCKET/PREFIX, and its keys stand in AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY"
        )
    return (
        fs.S3FileSystem(
            **options,
            connect_timeout=CONNECT_S,
            request_timeout=ANSWER_S,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        ),
        f"{url.netloc}{url.path}".rstrip("/"),
    )
