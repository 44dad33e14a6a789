"""`serve`, `ui`, `race`, `agent`, `worker`: what stays up, for curl, for Locust's web UI, for the browser, for runs
elsewhere.
"""

import os
import secrets
import sys
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Final

import typer

from loadtests.agent.messages import TOKEN, check_token
from loadtests.metrics.destination import Destination, parse_metrics
from loadtests.runs import webui
from loadtests.runs.hosts.meeting import Coming, where
from loadtests.runs.run_folder import RUNS
from loadtests.scenario.locust_options import read_options
from loadtests.scenario.overrides import with_options
from reports.commands.common import Metrics, fail, pattern_names, say, tell
from reports.commands.exits import DONE, USAGE
from servers.home import python
from servers.settings.options import ServerOptions
from servers.settings.setting import Setting, read, settings

WORKER_EPILOG: Final = (
    "Exit codes: 0 the run is done; 2 wrong option, or the run refused this host (wrong token, another version, a name "
    "that is taken); 3 no run answers at that address, or none any more; 4 the run is incomplete, or this host failed "
    "in a cell, as when its disk or the store was full; 130 interrupted, here or there."
)


@partial(with_options, argument="options", table=settings(ServerOptions), panel="Server")
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
    agent: Annotated[
        str,
        typer.Option(metavar="URL", help="ask a pollbench agent what a server of your own costs"),
    ] = "",
) -> int:
    """Start a server and Locust's web UI: choose patterns and settings, and watch live.

    Examples:

        pollbench ui
        pollbench ui --agent http://10.0.0.2:8766
    """
    asked, beside = parse_metrics(metrics or ()), None
    words = ["--agent", read_options({"agent": agent}).agent] if agent else []
    if asked != Destination():
        from loadtests.metrics.watched import ByHand

        beside = ByHand(RUNS, asked)
    return webui.serve(port, say, beside, words)


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

    return stage.serve(port, urls, say, show=(lambda _: None) if no_open else typer.launch)


def agent(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="address to listen on; 0.0.0.0 for all of this host's")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="port, 0 for any free one")] = 8766,
) -> int:
    """Report CPU and memory of a server on this host to runs on other hosts. It is read-only, and needs a token.

    The token is taken from POLLBENCH_AGENT_TOKEN; without it, one is made and printed. A run uses the agent with
    --agent http://HOST:PORT, and the same token in its environment.

    Examples:

        POLLBENCH_AGENT_TOKEN=... pollbench agent --host 10.0.0.2
        pollbench run sse --target chat.toml --agent http://10.0.0.2:8766
    """
    import asyncio

    from loadtests.agent.service import serve
    from servers.process import stop_signal

    given = os.environ.get(TOKEN, "")
    token = check_token(given) if given else secrets.token_hex(16)

    def said(url: str) -> None:
        if not given:
            say(f"{TOKEN}={token}")
        say(f"agent at {url}; runs have --agent {url} and {TOKEN}")

    async def answering() -> None:
        await serve(host, port, token, stop_signal(), said)

    try:
        asyncio.run(answering())
    except OSError as problem:
        return fail(USAGE, f"--host {host} --port {port}: {problem.strerror or problem}; choose another")
    return DONE


@partial(
    with_options,
    argument="coming",
    table=settings(Coming),
    panel="The run to join",
    read=lambda typed: read(Coming, typed),
)
def worker(coming: Coming) -> int:
    """Drive users for a run on another machine that was started with --workers.

    Both need the same token in POLLBENCH_TOKEN; a run that has none makes one and prints it.

    Examples:

        POLLBENCH_TOKEN=... pollbench worker --master 10.0.0.1
        POLLBENCH_TOKEN=... pollbench worker --master load-master:5570 --name alpha --wait 1h
    """
    from loadtests.runs.hosts import line, messages
    from loadtests.runs.hosts import worker as host

    token = os.environ.get(messages.TOKEN, "")
    if not token:
        raise ValueError(
            f"{messages.TOKEN} is not set: set it to the token of the run, which prints it where it made one"
        )
    to_run = line.Line(*where(coming.master), messages.check_token(token), coming.wait_s)
    name = coming.name or line.named()
    return host.serve(to_run, name, coming.wait_s, tell)
