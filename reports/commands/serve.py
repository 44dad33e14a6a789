"""`serve`, `ui` and `race`: servers that stay up, for curl, for Locust's web UI and for the browser."""

import os
import sys
from collections.abc import Mapping
from functools import partial
from typing import Annotated

import typer

from loadtests.metrics.exporter import Destination, parse_metrics
from loadtests.metrics.watched import ByHand
from loadtests.runs import runner, webui
from loadtests.scenario.overrides import with_options
from reports.commands.common import Metrics, out, pattern_names
from servers.home import python
from servers.settings.options import ServerOptions
from servers.settings.setting import Setting, settings


@partial(with_options, argument="options", table=settings(ServerOptions), panel="What it is told")
def serve(
    options: Mapping[str, object],
    patterns: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATTERN]...", help="which", show_default="all", autocompletion=pattern_names),
    ] = None,
    announce_json: Annotated[
        bool, typer.Option("--announce-json", help="say what was bound as one line of JSON")
    ] = False,
) -> int:
    """Run the reference servers, for curl or your own client.

    Examples:

        pollbench serve --schedule steady:1
        pollbench serve sse websocket --port 9000
    """
    table = settings(ServerOptions)
    words = [word for name, value in options.items() if value is not None for word in _words(table[name], value)]
    os.execv(  # noqa: S606
        sys.executable, python("servers", *(patterns or ()), *words, *["--announce-json"] * announce_json)
    )


def _words(each: Setting, value: object) -> list[str]:
    return [each.option] if each.kind is bool else [each.option, str(value)]


def ui(
    port: Annotated[int, typer.Option(metavar="PORT", min=1, max=65535, help="port of the web page")] = 8089,
    metrics: Metrics = None,
) -> int:
    """Start a server and Locust's web UI: choose patterns and settings, and watch live.

    Example:

        pollbench ui
    """
    asked = parse_metrics(metrics or ())
    beside = ByHand(runner.RUNS, asked) if asked != Destination() else None
    return webui.serve(port, lambda line: out.print(line, highlight=False, soft_wrap=True), beside)


def race(
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="port of the page, 0 for any free one")
    ] = 8090,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="print the address of the page instead of opening it")
    ] = False,
    url: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL", help="show a stream of your own beside them, if it lets this page read it (CORS); repeatable"
        ),
    ] = None,
) -> int:
    """Watch the patterns in your browser: real clients side by side on one feed.

    Examples:

        pollbench race
        pollbench race --no-open --port 9000
        pollbench race --url https://staging.example/events
    """
    from loadtests.runs import race as stage
    from servers.targets.url import server_and_path

    urls = url or ()
    for each in urls:
        server_and_path(each)  # or the server would say so, in its log

    def say(line: str) -> None:
        out.print(line, highlight=False, soft_wrap=True)

    return stage.serve(port, urls, say, show=(lambda _: None) if no_open else typer.launch)
