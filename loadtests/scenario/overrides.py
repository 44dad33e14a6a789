"""Settings as options of typer's commands; those that change a named scenario: one for each that a cell depends on."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, replace
from functools import wraps
from typing import Annotated, Any

import typer

from loadtests.scenario.asked import Asked
from loadtests.scenario.plan import known_name
from loadtests.scenario.scenarios import SCENARIOS, Scenario
from loadtests.scenario.settings import SETTINGS
from servers.settings.setting import Setting, read, settings


def with_overrides(command: Callable[..., int]) -> Callable[..., int]:
    """Give a typer command these options. It takes them as one argument, `overrides`: field -> text, True or None."""
    return with_options(command, "overrides", SETTINGS, "Settings of the scenario")


def with_target(*without: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a typer command the options that name a server, as one argument: `asked`. without: those that it lacks."""
    table = {name: each for name, each in settings(Asked).items() if name not in without}
    panel = "Your own server (docs/howto/own-server.md)"
    return lambda command: with_options(command, "asked", table, panel, lambda typed: read(Asked, typed))


def with_options(
    command: Callable[..., int],
    argument: str,
    table: Mapping[str, Setting],
    panel: str,
    read: Callable[[Mapping[str, object]], Any] = dict,
) -> Callable[..., int]:
    """Give a typer command the options of a table. It takes them as one argument: what `read` makes of what was typed.

    panel: above them in --help. What was typed is text, a list of texts, True or None, by the names of the settings.
    """

    @wraps(command)
    def called(**arguments: Any) -> int:
        typed = {name: arguments.pop(name) for name in table}
        return command(**arguments, **{argument: read(typed)})

    own = inspect.signature(command)
    kept = [parameter for name, parameter in own.parameters.items() if name != argument]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(each, panel))
        for name, each in table.items()
    ]
    called.__signature__ = own.replace(parameters=[*kept, *added])  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in (*kept, *added)}
    return called


def _annotation(each: Setting, panel: str) -> Any:
    # The table reads the text: typer would read numbers only, and refuse them in words of its own.
    kind: Any = list[str] if each.repeated else bool if each.kind is bool else str
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
