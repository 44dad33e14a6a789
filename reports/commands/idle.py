"""`idle`: what very many clients cost that only wait, and how soon one message reaches all of them."""

import json
from dataclasses import asdict
from functools import partial
from typing import Annotated

import typer
from rich.table import Table

from loadtests.host.managed_process import ChildFailed
from loadtests.idle.asked import IdleSettings
from loadtests.idle.measured import Idle, measure
from loadtests.runs.target import WrongServer
from loadtests.scenario.overrides import with_options
from loadtests.scenario.plan import known_name
from reports.basics.units import quantity
from reports.commands.common import Json, err, fail, out, pattern_labels, pattern_names
from reports.commands.exits import DONE, FAILED
from servers.patterns import facts
from servers.settings.setting import read, settings

HEADER = ("clients", "processes", "connected in", "server", "kernel", "client", "server CPU", "client CPU", "median",
          "last", "not reached")  # fmt: skip


@partial(
    with_options,
    argument="asked",
    table=settings(IdleSettings),
    panel="What waits",
    read=lambda typed: read(IdleSettings, typed),
)
def idle(
    asked: IdleSettings,
    pattern: Annotated[str, typer.Argument(help="see pollbench patterns", autocompletion=pattern_names)] = "sse",
    as_json: Json = False,
) -> int:
    """Let very many clients wait for one message: memory, CPU at rest, time to connect, and the message to all.

    Examples:

        pollbench idle sse --clients 1000,10000
        pollbench idle websocket --clients 100000 --json
    """
    known = {name: label for name, label in pattern_labels().items() if waits(name)}
    name, found = known_name(pattern, known, "pattern"), list[Idle]()
    for clients in asked.clients:
        try:
            found.append(measure(name, clients, asked))
        except (ChildFailed, WrongServer) as problem:
            return fail(FAILED, f"--clients {clients}: {problem}")
        if not as_json:
            err.print(f"{clients:,} clients done", highlight=False)
    if as_json:
        print(json.dumps([asdict(each) for each in found]))
    else:
        out.print(table(found))
    return DONE


def waits(pattern: str) -> bool:
    """Whether a client of a pattern asks once and waits, on a connection that one process can hold thousands of."""
    from loadtests import patterns

    return patterns.held(pattern) is not False and not facts(pattern).http2


def table(found: list[Idle]) -> Table:
    """Memory and CPU are for each client, CPU in a second at rest; the last three columns are of the message."""
    drawn = Table(*HEADER)
    for each in found:
        drawn.add_row(
            f"{each.clients:,}",
            f"{each.server_processes} + {each.load_processes}",
            quantity(each.connect_s * 1000, "ms"),
            *(_bytes(value) for value in (each.server_bytes, each.kernel_bytes, each.client_bytes)),
            *(f"{value:.2g} us/s" for value in (each.server_cpu_us_per_s, each.client_cpu_us_per_s)),
            *(_ms(value) for value in (each.p50_ms, each.last_ms)),
            f"{each.clients - each.heard:,}",
        )
    return drawn


def _bytes(value: float | None) -> str:
    return "unknown" if value is None else quantity(value, "B")


def _ms(value: float | None) -> str:
    return "never" if value is None else quantity(value, "ms")
