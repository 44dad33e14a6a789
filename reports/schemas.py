"""What is written for machines, as JSON Schema: made from the types that write it, so that neither can be stale."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from loadtests.records import manifest
from loadtests.records.rows import ERRORS
from reports.data.situations import SITUATION
from reports.experiments.result import Written
from reports.measures.losses import COUNTS
from reports.measures.measures import BREAKDOWN, MEASURES
from reports.page.explain import Explanation
from reports.page.outcome import Told
from reports.validity.caution import Ruling

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
NUMBER: Final = {"type": ["number", "null"]}
COUNT: Final = {"type": "integer", "minimum": 0}


def _of(kind: type) -> Callable[[], dict[str, Any]]:
    return lambda: msgspec.json.schema(kind, schema_hook=_anything)


def _anything(kind: type) -> dict[str, Any]:
    """A scenario's fields may be anything that JSON has."""
    if kind is not object:
        raise NotImplementedError
    return {"description": "anything that JSON has"}


def summary() -> dict[str, Any]:
    """A list of rows, as `--json` has them. In summary.csv null is an empty field."""
    keys: dict[str, Any] = {name: {"type": "number", "minimum": 0} for name in SITUATION}
    keys |= {name: {"type": "string"} for name in ("scenario", "pattern", "label")} | {"repeats": COUNT}
    measures = {each.name: NUMBER | {"description": _described(each)} for each in (*MEASURES, *BREAKDOWN)}
    properties = keys | measures | dict.fromkeys(COUNTS, COUNT)
    row = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "patternProperties": {
            "_(low|high)$": NUMBER | {"description": "an end of the interval over repeats, null for a single one"},
            "_floor$": NUMBER | {"description": "a latency without the instrument's own part"},
            f"^error_({'|'.join(filter(None, ERRORS))})$": COUNT,
        },
        "additionalProperties": NUMBER,
    }
    about = "One row for each scenario, client count, round trip, message rate and pattern: medians over repeats."
    return {"description": about, "type": "array", "items": row}


def _described(measure: Any) -> str:
    return f"{measure.meaning}; {measure.name.rpartition('_')[2]}"


SCHEMAS: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "run": _of(manifest.Run),
    "cell": _of(manifest.Cell),
    "verdict": _of(Ruling),
    "summary": summary,
    "outcome": _of(Told),
    "explanation": _of(Explanation),
    "results": _of(Written),
}
WHERE: Final = {
    "run": "`run.json` of a run folder: what was asked",
    "cell": "`cell.json` of a cell: what happened",
    "verdict": "`verdict.json` of a run folder: the answers, what they are worth, and why",
    "summary": "`summary.csv` and `summary.parquet` of a run folder, and `summary` of an outcome",
    "outcome": "what `run --json` and `compare --json` print",
    "explanation": "what `explain --json` prints",
    "results": "`results.json` of an experiment, and each of `experiment --json`",
}
"""What each schema is of."""


def schema(name: str) -> dict[str, Any]:
    """Return a schema by its name."""
    return {"$schema": DIALECT, "title": f"pollbench {name}", **SCHEMAS[name]()}
