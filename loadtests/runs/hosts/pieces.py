"""Files of records on their way from a load host: what is sent, what has come, and that both are the same.

A file comes under another name and gets its own when it is whole, so that half of one is never read; it is known by
its length and SHA-256, so sending it again is the same file again and never more rows.
"""

import hashlib
import secrets
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from loadtests.records.rows import ROW_TYPES
from loadtests.runs.hosts.messages import Piece
from loadtests.summary.kept import Folded, together

CHUNK_BYTES = 2**20


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def pieces_of(raw: Path, without: Collection[str] = ()) -> list[Piece]:
    """Return the files that load processes left in a folder. without: tables that stay. Raises OSError."""
    files = [file for file in sorted(raw.iterdir()) if file.is_file()]
    return [piece_of(file) for file in files if file.name.partition("-")[0] not in without]


def counts_of(host: str, raw: Path) -> Path:
    """Return the file in which a host says what its rows came to, where it keeps them."""
    return raw / f"folded@{host}.json"


def counted_by(hosts: Collection[str], raw: Path) -> Folded:
    """Return what the rows of all hosts came to. Raises ValueError for what does not add up, OSError."""

    def each() -> Iterator[Folded]:
        for host in hosts:
            try:
                yield msgspec.json.decode(counts_of(host, raw).read_bytes(), type=Folded)
            except (FileNotFoundError, msgspec.MsgspecError) as wrong:
                raise ValueError(f"load host {host} did not say what its rows came to ({wrong})") from None

    return together(each())


def piece_of(file: Path) -> Piece:
    size = file.stat().st_size
    table = ROW_TYPES.get(file.name.partition("-")[0]) if file.suffix == ".rows" else None
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return Piece(file=file.name, size_bytes=size, rows=size // table[1].size if table else 0, sha256=digest)


def take(source: Readable, size_bytes: int, folder: Path, name: str, moved: Callable[[int], None]) -> str:
    """Read so many bytes into a file of a folder, in place of any before it; return their SHA-256.

    moved: told of each part. Raises EOFError when there are fewer, OSError.
    """
    partial, digest = folder / f"{name}.{secrets.token_hex(4)}.part", hashlib.sha256()
    try:
        with partial.open("wb") as file:
            left = size_bytes
            while left:
                chunk = source.read(min(left, CHUNK_BYTES))
                if not chunk:
                    raise EOFError(f"{name} ends after {size_bytes - left} of {size_bytes} bytes")
                file.write(chunk)
                digest.update(chunk)
                left -= len(chunk)
                moved(len(chunk))
        partial.replace(folder / name)
    finally:
        partial.unlink(missing_ok=True)
    return digest.hexdigest()
