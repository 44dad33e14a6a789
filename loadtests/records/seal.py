"""What a cell's files were when it had ended, kept as digests in its cell.json: a changed figure changes a digest.

This is against mistakes, mixed-up folders and edits by hand, not against an attacker who makes new digests.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import msgspec

from loadtests.records.manifest import Cell

FILES: Final = (
    *("requests.parquet", "deliveries.parquet", "samples.parquet", "exchanges.parquet"),
    *("published.csv", "summary.json"),
)
CELL, RUN = "cell.json", "run.json"


def sealed(folder: Path, cell: Cell) -> Cell:
    """Return a cell with the seal of what lies in its folder, cells/NAME of a run. Raises OSError."""
    return msgspec.structs.replace(cell, seal=_digests(folder, msgspec.to_builtins(cell)))


def broken(folder: Path) -> list[str]:
    """Name the files of a cell that are not what they were. Its cell.json must be one. Raises OSError."""
    fields: dict[str, Any] = json.loads((folder / CELL).read_bytes())
    seal = fields.get("seal")
    if not seal:
        return []
    now = _digests(folder, fields)
    return [name for name in (*FILES, CELL, RUN) if now.get(name) != seal.get(name)]


def _digests(folder: Path, fields: dict[str, Any]) -> dict[str, str]:
    """A file that is not there has none: that a cell lacks one is for others to say."""
    files = {name: folder / name for name in FILES} | {RUN: folder.parent.parent / RUN}
    found = {name: _digest(file) for name, file in files.items() if file.is_file()}
    own = json.dumps({name: value for name, value in fields.items() if name != "seal"}, sort_keys=True)
    return found | {CELL: hashlib.sha256(own.encode()).hexdigest()}


def _digest(file: Path) -> str:
    if file.suffix != ".parquet":  # text, whose line ends a version control may change
        return hashlib.sha256(file.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
