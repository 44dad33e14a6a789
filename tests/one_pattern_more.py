"""`python one_pattern_more.py NAME ...`, in a copy of the sources: all that is known of these patterns, as JSON."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path.cwd()
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import docs_pages  # type: ignore[import-not-found]  # noqa: E402

from loadtests import patterns  # noqa: E402
from loadtests.scenario.scenarios import SCENARIOS  # noqa: E402
from reports.charts.style import Look  # noqa: E402
from reports.commands.common import pattern_labels  # noqa: E402
from reports.data.load import load  # noqa: E402
from reports.measures.measures import per_cell, summary  # noqa: E402
from reports.validity.by_theory import without_theory  # noqa: E402
from reports.validity.caution import Facts  # noqa: E402
from servers.race.race import has_client, lacks_client  # noqa: E402
from tests.synthetic import write_run  # noqa: E402


def main(names: list[str]) -> dict[str, dict[str, Any]]:
    labels, page = pattern_labels(), docs_pages.scenarios()
    look = Look.of(labels)
    return {
        name: {
            "label": look.labels[name],
            "colour is its own": [look.line(each) for each in labels].count(look.line(name)) == 1,
            "held": patterns.held(name),
            "lane": has_client(name),
            "no lane": lacks_client(name),
            "documented": f"| `{name}` | {labels[name]} |" in page,
            "cautions": cautions(name),
        }
        for name in names
    }


def cautions(name: str) -> list[str]:
    """Return what a report says of a pattern that it has no theory for, of a run that pretends to be its."""
    with tempfile.TemporaryDirectory() as folder:
        run = load(write_run(Path(folder), [SCENARIOS["feed"]], repeats=1, labels={"sse": name}))
    rows, cells = (frame.replace({"pattern": {"sse": name}}) for frame in (summary(run), per_cell(run)))
    return [f"{each.what}: {each.remedy}" for each in without_theory(Facts(run, cells, rows))]


if __name__ == "__main__":
    json.dump(main(sys.argv[1:]), sys.stdout)
