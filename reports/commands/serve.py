"""`serve`, `ui` and `race`: servers that stay up, for curl, for Locust's web UI and for the browser."""

import os
import sys
from typing import Annotated

import typer

from loadtests.runs import webui
from reports.commands.common import out
from servers.home import python


def serve(context: typer.Context) -> None:
    """Run the reference servers, for curl or your own client.

    All options go to `python -m servers`; `pollbench serve --help` lists them.

    Examples:

        pollbench serve --schedule steady:1
        pollbench serve sse websocket --port 9000
    """
    os.execv(sys.executable, python("servers", *context.args))  # noqa: S606


def ui(port: Annotated[int, typer.Option(metavar="PORT", min=1, max=65535, help="port of the web page")] = 8089) -> int:
    """Start a server and Locust's web UI: choose patterns and settings, and watch live.

    Example:

        pollbench ui
    """
    return webui.serve(port, lambda line: out.print(line, highlight=False, soft_wrap=True))


def race(
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="port of the page, 0 for any free one")
    ] = 8090,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="print the address of the page instead of opening it")
    ] = False,
) -> int:
    """Watch the patterns in your browser: real clients side by side on one feed.

    Examples:

        pollbench race
        pollbench race --no-open --port 9000
    """
    from loadtests.runs import race as stage

    def say(line: str) -> None:
        out.print(line, highlight=False, soft_wrap=True)

    return stage.serve(port, say, show=(lambda _: None) if no_open else typer.launch)
