"""Command line options made of tables of settings: those that change a named scenario, and those of a server."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, replace
from functools import wraps
from typing import Annotated, Any, Final

import typer

from loadtests.scenario.plan import known_name
from loadtests.scenario.scenarios import SCENARIOS, Scenario
from loadtests.scenario.settings import SETTINGS
from servers.settings.setting import Setting

INSTEAD: Final = "Instead of the scenario's own"


def with_overrides(command: Callable[..., int]) -> Callable[..., int]:
    """Give a typer command the options of a scenario. It takes them as `overrides`: field -> text, True or None."""
    return with_settings(SETTINGS, "overrides", INSTEAD)(command)


def with_settings(
    table: Mapping[str, Setting], into: str, panel: str
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a typer command the options of a table. It takes them as one argument: field -> text, True or None.

    into: the name of that argument. panel: the heading of these options in --help.
    """

    def give(command: Callable[..., int]) -> Callable[..., int]:
        @wraps(command)
        def called(**arguments: Any) -> int:
            given = {field: arguments.pop(field) for field in table}
            return command(**arguments, **{into: given})

        own = inspect.signature(command)
        kept = [parameter for name, parameter in own.parameters.items() if name != into]
        added = [
            inspect.Parameter(field, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(each, panel))
            for field, each in table.items()
        ]
        called.__signature__ = own.replace(parameters=[*kept, *added])  # type: ignore[attr-defined]
        called.__annotations__ = {parameter.name: parameter.annotation for parameter in (*kept, *added)}
        return called

    return give


def _annotation(each: Setting, panel: str) -> Any:
    # The table reads the text: typer would read numbers only, and refuse them in words of its own.
    kind = bool if each.kind is bool else str
    usual = "the scenario's" if each.default is MISSING else each.usual
    option = typer.Option(
        each.option,
        metavar=None if each.kind is bool else each.placeholder,
        help=each.described,
        show_default=usual or False,
        rich_help_panel=panel,
    )
    return Annotated[kind | None, option]


def overridden(name: str | None, overrides: Mapping[str, Any], otherwise: Scenario) -> Scenario:
    """Return the named scenario, or `otherwise`, with the fields changed that `overrides` gives, as typed.

    Raises ValueError naming option, value and remedy.
    """
    scenario = otherwise if name is None else SCENARIOS[known_name(name, SCENARIOS, "scenario")]
    given = {field: SETTINGS[field].of(value) for field, value in overrides.items() if value is not None}
    return replace(scenario, **given)
