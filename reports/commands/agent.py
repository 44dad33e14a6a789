"""`agent`: tells runs on other hosts the clock of this one, and what a server here costs."""

import os
import secrets
from typing import Annotated

import typer

from loadtests.agent.messages import TOKEN, check_token
from reports.commands.common import fail, out
from reports.commands.exits import DONE, USAGE


def agent(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="address to listen on; 0.0.0.0 for all of this host's")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="port, 0 for any free one")] = 8766,
) -> int:
    """Tell runs on other hosts what a server on this one costs, and what time it is here: read-only, with a token.

    The token is in the environment, as POLLBENCH_AGENT_TOKEN; without it one is made and printed. A run is told of the
    agent with --agent http://HOST:PORT, and has the same token in its environment.

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
            out.print(f"{TOKEN}={token}", highlight=False, soft_wrap=True)
        out.print(f"agent at {url}; runs have --agent {url} and {TOKEN}", highlight=False, soft_wrap=True)

    async def answering() -> None:
        await serve(host, port, token, stop_signal(), said)

    try:
        asyncio.run(answering())
    except OSError as problem:
        return fail(USAGE, f"--host {host} --port {port}: {problem.strerror or problem}; choose another")
    return DONE
