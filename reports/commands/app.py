"""The commands in the order of --help, and how one ends: its exit code, an error in one line, an interrupt.

Progress and errors go to stderr; results go to stdout, where `--json` makes them readable for machines.
"""

import gc
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Annotated, NoReturn

import typer

from loadtests.host import standard_streams
from loadtests.runs.signals import heeded
from loadtests.runs.webui import Unreachable
from reports.commands import (
    advise,
    capacity,
    ci,
    claims,
    experiment,
    kept,
    lists,
    measure,
    model,
    selftest,
    serve,
    target,
)
from reports.commands.common import fail
from reports.commands.exits import DONE, EPILOG, INTERRUPTED, UNREACHABLE, UNWRITTEN, USAGE
from servers.home import VERSION, pass_on

app = typer.Typer(
    help="Polling, long polling, streaming or push: measure which one your service needs, and what it costs.",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(serve.serve)
app.command()(measure.run)
app.command()(measure.compare)
app.command(epilog=serve.WORKER_EPILOG)(serve.worker)
app.add_typer(target.app, name="target")
app.command(epilog=EPILOG)(target.peers)
app.command(epilog=capacity.CAPACITY_EPILOG)(capacity.capacity)
app.command()(experiment.idle)
app.command()(model.model)
app.command(epilog=advise.ADVISE_EPILOG)(advise.advise)
app.command()(kept.report)
app.command()(kept.explain)
app.command()(kept.runs)
app.command()(kept.history)
app.command()(lists.scenarios)
app.command()(lists.patterns)
app.command()(lists.locustfile)
app.command()(lists.schema)
app.command()(serve.ui)
app.command(epilog=selftest.CONTROLS_EPILOG)(selftest.controls)
app.command()(selftest.calibrate)
app.command()(serve.race)
app.command()(serve.agent)
app.command(epilog=ci.JUDGED_EPILOG)(ci.gate)
app.command(epilog=ci.JUDGED_EPILOG)(ci.compare_runs)
app.command(epilog=claims.CLAIMS_EPILOG)(claims.claims)
app.command(epilog=claims.REPLICATE_EPILOG)(claims.replicate)
app.command(epilog=experiment.EXPERIMENT_EPILOG)(experiment.experiment)


def _say_version(asked: bool) -> None:
    if asked:
        print(f"pollbench {VERSION}")
        raise typer.Exit


@app.callback()
def _front(
    _: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="print the version and end")
    ] = False,
) -> None: ...


def main(arguments: Sequence[str] | None) -> int:
    """Run one command, by default that of the command line, and return its exit code."""
    if arguments is not None:
        return _command(arguments)
    # A report is a million objects that refer to each other: to look for garbage among them is a tenth of its time.
    gc.set_threshold(50_000, 20, 100)
    stdout = standard_streams.settle()
    code = _command(sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # there is nothing left to interrupt
    sys.stdout.flush()
    return fail(UNWRITTEN, f"cannot write to stdout: {stdout.problem}") if stdout.problem and code == DONE else code


def _command(words: Sequence[str]) -> int:
    pass_on()
    for number in heeded():
        signal.signal(number, _interrupt)
    try:
        return int(app([*words] or ["--help"], prog_name="pollbench", standalone_mode=False) or DONE)
    except typer.TyperException as problem:
        return fail(USAGE, problem.format_message())
    except ValueError as problem:
        return fail(USAGE, str(problem))
    except Unreachable as problem:
        return fail(UNREACHABLE, str(problem))
    except (KeyboardInterrupt, typer.Abort):
        return fail(INTERRUPTED, "interrupted")


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM and a closed terminal end a run as Ctrl-C does: processes stopped, finished cells kept and reported."""
    raise KeyboardInterrupt
