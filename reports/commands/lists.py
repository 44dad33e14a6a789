"""`scenarios`, `patterns`, `locustfile` and `schema`: what can be measured, and what is written."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from loadtests.runs.progress import duration
from loadtests.scenario.plan import Plan, known_name
from loadtests.scenario.scenarios import SCENARIOS
from loadtests.scenario.settings import typed
from reports.commands.common import Json, pattern_labels, say, show_table
from reports.commands.exits import DONE
from servers.home import LOCUSTFILE


def scenarios(as_json: Json = False) -> int:
    """List the scenarios with their purpose and duration.

    Example:

        pollbench scenarios
    """
    times_s = {name: Plan(each, tuple(pattern_labels()), 3).expected_s for name, each in SCENARIOS.items()}
    if as_json:
        print(json.dumps([asdict(each) | {"compare_s": times_s[name]} for name, each in SCENARIOS.items()]))
        return DONE
    rows = []
    for name, each in SCENARIOS.items():
        goals = f"; goals: {', '.join(each.goals)}" if each.goals else ""
        asked = typed("clients", each.clients), ", ".join(each.schedules.values())
        rows.append((name, f"{each.purpose}{goals}", *asked, duration(times_s[name])))
    show_table(("scenario", "purpose", "clients", "schedule", "compare takes"), rows)
    return DONE


def patterns(as_json: Json = False) -> int:
    """List the patterns that can be measured.

    Example:

        pollbench patterns
    """
    labels = pattern_labels()
    if as_json:
        print(json.dumps(labels))
        return DONE
    for name, label in labels.items():
        say(f"{name:16}{label}")
    return DONE


def locustfile() -> int:
    """Print the path of the locustfile, to run Locust yourself beside `pollbench serve`.

    Example:

        locust -f "$(pollbench locustfile)" --host http://127.0.0.1:8080
    """
    print(LOCUSTFILE)
    return DONE


def _schemas() -> list[str]:
    from reports.schemas import SCHEMAS

    return list(SCHEMAS)


def schema(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="which", show_default="list them", autocompletion=_schemas)
    ] = None,
) -> int:
    """Print the JSON Schema of what is written for machines.

    Examples:

        pollbench schema
        pollbench schema verdict
    """
    from reports import schemas

    if name is None:
        for each, about in schemas.WHERE.items():
            say(f"{each:13}{about.replace('`', '')}")
    else:
        print(json.dumps(schemas.schema(known_name(name, schemas.SCHEMAS, "schema")), indent=2))
    return DONE
