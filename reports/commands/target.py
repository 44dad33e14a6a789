"""Servers that are not ours, as commands name them."""

from collections.abc import Sequence
from dataclasses import replace

from loadtests.foreign.choose import Asked, choose
from loadtests.foreign.spec import chosen_of
from loadtests.scenario.scenarios import Scenario


def followed(scenario: Scenario, patterns: Sequence[str], asked: Asked) -> Scenario:
    """Return the scenario at the server that is named, or as it is where none is.

    patterns: those that are asked for, or all there are. Raises ValueError.
    """
    if asked == Asked():
        return scenario
    for option, given in {"--server": scenario.server, "--fault": scenario.fault}.items():
        if given:
            raise ValueError(f"{option} {given} is for servers that we start: leave it out, or --target and --url")
    if not asked.target and len(patterns) > 1:
        raise ValueError("a URL alone is followed by one pattern: name it, or describe all of them in a --target")
    chosen = choose(asked, patterns)
    if len(patterns) == 1:
        chosen.adapter.subscription(patterns[0])
    return replace(scenario, target=asked.words(), adapter=chosen.encoded())


def patterns_of(scenario: Scenario, otherwise: tuple[str, ...]) -> tuple[str, ...]:
    """Return the patterns by which a server can be followed: all, of one of ours."""
    return tuple(chosen_of(scenario.adapter).adapter.subscriptions()) if scenario.adapter else otherwise
