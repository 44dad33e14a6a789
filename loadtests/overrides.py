"""The command line options that change a named scenario: one for each field that a cell depends on."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Annotated, Any

import typer

from loadtests.plan import known_name
from loadtests.scenario import OPTIONS, SCENARIOS, SETTINGS, Scenario


def with_overrides(command: Callable[..., int]) -> Callable[..., int]:
    """Give a typer command these options. It takes them as one argument, `overrides`: field -> value or None."""

    @wraps(command)
    def called(**arguments: Any) -> int:
        overrides = {field: arguments.pop(field) for field in OPTIONS}
        return command(**arguments, overrides=overrides)

    own = inspect.signature(command)
    kept = [parameter for name, parameter in own.parameters.items() if name != "overrides"]
    added = [
        inspect.Parameter(field, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(field))
        for field in OPTIONS
    ]
    called.__signature__ = own.replace(parameters=[*kept, *added])  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in (*kept, *added)}
    return called


def _annotation(field: str) -> Any:
    each = SETTINGS[field]
    option = typer.Option(
        each.option, metavar=each.metavar, help=each.help, rich_help_panel="Instead of the scenario's own"
    )
    return Annotated[(str if each.read else each.kind) | None, option]


def overridden(name: str | None, overrides: Mapping[str, Any], otherwise: Scenario) -> Scenario:
    """Return the named scenario, or `otherwise`, with the fields changed that `overrides` gives.

    Raises ValueError naming option, value and remedy.
    """
    scenario = otherwise if name is None else SCENARIOS[known_name(name, SCENARIOS, "scenario")]
    given = {field: value for field, value in overrides.items() if value is not None}
    for field, value in given.items():
        if read := SETTINGS[field].read:
            given[field] = read(OPTIONS[field], value)
    return replace(scenario, **given)
