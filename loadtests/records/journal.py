"""The journal of a server, published.csv: what losses are counted against, so it is looked at before it is believed."""

from pathlib import Path
from typing import Final

import pyarrow as pa
from pyarrow import csv

COLUMNS: Final = ("id", "due_ns", "published_ns")


def unusable(file: Path) -> str:
    """Return why a journal cannot be read, "" when it can: then it is three columns of whole numbers of 64 bits."""
    types = csv.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.int64()))
    try:
        table = csv.read_csv(file, convert_options=types)
    except (OSError, pa.ArrowException) as problem:
        return " ".join(str(problem).split())
    if table.column_names != [*COLUMNS]:
        return f"{file}: its first line must be {','.join(COLUMNS)}"
    if any(column.null_count for column in table.columns):
        return f"{file}: it has lines with empty fields"
    return ""
