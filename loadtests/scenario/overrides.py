"""The command line options that change a named scenario: one for each setting that a cell depends on."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Annotated, Any

import typer

from loadtests.scenario.plan import known_name
from loadtests.scenario.scenarios import SCENARIOS, Scenario
from loadtests.scenario.settings import SETTINGS
from servers.settings.setting import Setting


def with_overrides(command: Callable[..., int]) -> Callable[..., int]:
    """Give a typer command these options. It takes them as one argument, `overrides`: field -> text, True or None."""

    @wraps(command)
    def called(**arguments: Any) -> int:
        overrides = {field: arguments.pop(field) for field in SETTINGS}
        return command(**arguments, overrides=overrides)

    own = inspect.signature(command)
    kept = [parameter for name, parameter in own.parameters.items() if name != "overrides"]
    added = [
        inspect.Parameter(field, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(each))
        for field, each in SETTINGS.items()
    ]
    called.__signature__ = own.replace(parameters=[*kept, *added])  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in (*kept, *added)}
    return called


def _annotation(each: Setting) -> Any:
    # The table reads the text: typer would read numbers only, and refuse them in words of its own.
    kind = bool if each.kind is bool else str
    option = typer.Option(
        each.option, metavar=each.placeholder, help=each.described, rich_help_panel="Instead of the scenario's own"
    )
    return Annotated[kind | None, option]


def overridden(name: str | None, overrides: Mapping[str, Any], otherwise: Scenario) -> Scenario:
    """Return the named scenario, or `otherwise`, with the fields changed that `overrides` gives, as typed.

    Raises ValueError naming option, value and remedy.
    """
    scenario = otherwise if name is None else SCENARIOS[known_name(name, SCENARIOS, "scenario")]
    given = {field: SETTINGS[field].of(value) for field, value in overrides.items() if value is not None}
    return replace(scenario, **given)
