"""Your own servers: how commands name them, and `target check` and `target list`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from loadtests.foreign.choose import as_toml, choose
from loadtests.foreign.spec import chosen_of
from loadtests.scenario.asked import Asked
from loadtests.scenario.overrides import with_target
from loadtests.scenario.scenarios import Scenario
from reports.commands.common import fail, out, pattern_names
from reports.commands.exits import DONE, FAILED
from servers.targets import presets

app = typer.Typer(help="Measure your own server: list the presets, or check that a server can be measured.")


def followed(scenario: Scenario, patterns: Sequence[str], asked: Asked) -> Scenario:
    """Return the scenario at the server that is named, or as it is where none is.

    patterns: those that are asked for, or all there are. Raises ValueError.
    """
    if asked == Asked():
        return scenario
    ours = {f"--server {scenario.server}": scenario.server, f"--fault {scenario.fault}": scenario.fault}
    for option, given in (ours | {"--tls": scenario.tls}).items():
        if given:
            raise ValueError(f"{option} is for servers that pollbench starts: drop it, or --target and --url")
    if not asked.target and len(patterns) > 1:
        raise ValueError("a URL serves one pattern: name the pattern, or describe all of them in a --target")
    chosen = choose(asked, patterns)
    if len(patterns) == 1:
        chosen.adapter.subscription(patterns[0])
    return replace(scenario, target=asked.words(), adapter=chosen.encoded())


def patterns_of(scenario: Scenario, otherwise: tuple[str, ...]) -> tuple[str, ...]:
    """Return the patterns by which a server can be followed: all, of one of ours."""
    return tuple(chosen_of(scenario.adapter).adapter.subscriptions()) if scenario.adapter else otherwise


@app.command("list")
def list_presets() -> int:
    """List the presets: servers that pollbench knows how to measure.

    Example:

        pollbench target list
    """
    for name in presets.names():
        adapter = presets.load(name)
        out.print(f"{name:18}{', '.join(adapter.subscriptions())}: {adapter.about}", markup=False, highlight=False)
    return DONE


@app.command()
@with_target("target")
def check(
    asked: Asked,
    source: Annotated[str, typer.Argument(metavar="PRESET|FILE|URL", help="the server")],
    pattern: Annotated[
        str, typer.Option(metavar="NAME", help="pattern of the URL", autocompletion=pattern_names)
    ] = "sse",
    idle: Annotated[float, typer.Option(metavar="S", min=0.1, max=600, help="how long to wait for a message")] = 1.0,
    write: Annotated[Path | None, typer.Option(metavar="FILE", help="write its description as TOML")] = None,
) -> int:
    """Send three messages through a server, and report what a client of each pattern received.

    Examples:

        pollbench target check nchan --url http://127.0.0.1:8080
        pollbench target check http://127.0.0.1:8000/events --publish 'POST /messages {"text": "{{message}}"}'
        pollbench target check chat.toml
    """
    from loadtests.probes.target_check import CheckFailed
    from loadtests.probes.target_check import check as look

    named = replace(asked, url=source) if "://" in source else replace(asked, target=source)
    chosen = choose(named, (pattern,))
    if write is not None:
        try:
            write.write_text(as_toml(chosen), encoding="utf-8")
        except OSError as wrong:
            raise ValueError(f"--write {write}: {wrong.strerror}; name a file that can be written") from None
    try:
        good = look(chosen, idle, lambda line: out.print(line, markup=False, highlight=False, soft_wrap=True))
    except CheckFailed as wrong:
        return fail(FAILED, str(wrong))
    return DONE if good else fail(FAILED, f"{source} cannot be measured as it is described; see above")
