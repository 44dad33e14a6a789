"""`advise`: which pattern for a load that was not measured, what it costs, and when that changes."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer
from rich.table import Table

from loadtests.scenario.settings import SETTINGS
from reports.commands.common import Json, err, out, say, write_asked
from reports.commands.exits import DONE
from servers.settings.units import parse_duration_ns

if TYPE_CHECKING:
    from reports.advice.advise import PatternAdvice, Question
    from reports.advice.prices import Prices
    from reports.model.model import Model

ADVISE_EPILOG: Final = (
    "Exit codes: 0 done, whether or not a pattern meets the goals; 2 wrong option, unreadable input, or a load that "
    "the model does not cover."
)
GOALS: Final = ("p99 < 1s", "missed == 0")
MODEL: Final = "runs/model.json, or the one that is included"


def advise(
    clients: Annotated[int, typer.Option(metavar="N", min=1, max=10_000_000, help="number of clients")],
    rate: Annotated[
        float, typer.Option(metavar="N", min=1e-6, max=1e6, help="messages per second, each to all clients")
    ],
    rtt: Annotated[str, typer.Option(metavar="TIME", help="round trip between clients and server: 60ms")] = "0",
    goal: Annotated[
        list[str] | None, typer.Option(metavar="GOAL", help='requirement, such as "p99 < 1s"; may be repeated')
    ] = None,
    message_bytes: Annotated[int, typer.Option(metavar="N", min=0, max=1_000_000, help="length of a message")] = 200,
    poll_interval: Annotated[str, typer.Option(metavar="TIME", help="interval of short polls")] = "1s",
    hold_timeout: Annotated[str, typer.Option(metavar="TIME", help="how long the server holds a long poll")] = "30s",
    heartbeat: Annotated[
        str, typer.Option(metavar="TIME", help="interval of heartbeats on an idle stream; 0: none")
    ] = "15s",
    processes: Annotated[int, typer.Option(metavar="N", min=0, help="server processes (0: as few as possible)")] = 0,
    proxy: Annotated[
        str,
        typer.Option(
            metavar="WHAT", help="proxy before the servers: nginx, buffering, or its idle timeout, such as 60s"
        ),
    ] = "",
    browser: Annotated[bool, typer.Option("--browser", help="the clients are browsers")] = False,
    tls: Annotated[bool, typer.Option("--tls", help="the server encrypts connections")] = False,
    price: Annotated[Path | None, typer.Option(metavar="FILE", help="TOML: core_hour, gb_memory_hour, gb_sent")] = None,
    extrapolate: Annotated[
        bool, typer.Option("--extrapolate", help="answer for loads far beyond those measured")
    ] = False,
    file: Annotated[
        Path | None, typer.Option("--model", metavar="FILE", help="the model to use", show_default=MODEL)
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--map", metavar="FILE", help="draw a map of rate and clients as .svg or .png (takes half a minute)"
        ),
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="write the advice as one page, map and all: an .html")
    ] = None,
    as_json: Json = False,
) -> int:
    """Recommend a pattern for a load, with its cost, and when the recommendation changes.

    Example:

        pollbench advise --clients 20000 --rate 2 --rtt 60ms --goal "p99 < 1s" --browser
    """
    from reports.advice.advise import Question
    from reports.advice.constraints import Surroundings, parse_proxy
    from reports.advice.goals import parse_goal
    from reports.model import model_file

    buffering, nginx, cut_s = parse_proxy(proxy)
    hold_s, heartbeat_s = _seconds("hold_timeout_s", hold_timeout), _seconds("heartbeat_s", heartbeat)
    around = Surroundings(browser, tls, buffering, nginx, cut_s, hold_s, heartbeat_s)
    question = Question(
        clients=clients,
        rate_per_s=rate,
        rtt_s=parse_duration_ns("--rtt", rtt) / 1e9,
        message_bytes=message_bytes,
        poll_interval_s=_seconds("poll_interval_s", poll_interval),
        processes=processes,
        extrapolate=extrapolate,
        around=around,
        goals=[parse_goal(text) for text in goal or GOALS],
        prices=_prices(price),
    )
    model, rests_on = model_file.chosen(file)
    if picture is not None:
        _draw(model, question, picture)
    return _answer(model, rests_on, question, page, as_json=as_json)


def _write(page: Path, model: "Model", rests_on: str, question: "Question", rows: "list[PatternAdvice]") -> None:
    from reports.page.advice_page import advice_page

    if page.suffix != ".html":
        raise ValueError(f"--out {page}: no .html; name the file of a page, and the picture alone with --map")
    write_asked("--out", page, page.read_bytes() if page.is_file() else b"")  # before half a minute of work
    with err.status("drawing the map"):
        content = advice_page(model, rests_on, question, rows)
    write_asked("--out", page, content)


def _seconds(setting: str, text: str) -> float:
    """Read a duration as the setting of that name is read. Raises ValueError naming option, value and range."""
    each = SETTINGS[setting]
    value: float = each.of(text)
    each.check(value)
    return value


def _draw(model: "Model", question: "Question", picture: Path) -> None:
    from reports.advice.decision_map import decision_map
    from reports.charts.decision import decision
    from reports.charts.style import styled
    from reports.charts.svg import png, standalone

    if picture.suffix not in (".svg", ".png"):
        raise ValueError(f"--map {picture}: neither .svg nor .png; choose one of these endings")
    with err.status("drawing the map"), styled():
        figure = decision(decision_map(model, question))
        drawn = png(figure) if picture.suffix == ".png" else standalone(figure).encode()
    write_asked("--map", picture, drawn)


def _prices(file: Path | None) -> "Prices | None":
    from reports.advice.prices import parse_prices

    if file is None:
        return None
    try:
        return parse_prices(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as problem:
        raise ValueError(f"--price {file}: cannot be read ({problem}); name a TOML file of prices") from None


def _answer(model: "Model", rests_on: str, question: "Question", page: Path | None, *, as_json: bool) -> int:
    from reports.advice.advise import advise, best_first
    from reports.advice.advise import as_json as row_as_json
    from reports.advice.recommendation import changes, notes, recommendation

    with err.status("calculating"):
        rows = best_first(advise(model, question))
        moves = [str(change) for change in changes(model, question)]
    words = recommendation(question, rows)
    if page is not None:
        _write(page, model, rests_on, question, rows)
    if as_json:
        ground = {"model": rests_on, "coverage": msgspec.to_builtins(model.coverage), "note": model.note}
        print(json.dumps({"advice": words, "move_on": moves, "rows": [row_as_json(row) for row in rows], **ground}))
        return DONE
    for line in (words, *moves):
        say(line)
    out.print()
    out.print(_table(rows, question))
    for note in notes(rows):
        say(note)
    say(f"\nBased on {rests_on}. {model.coverage}. {model.note}".rstrip())
    return DONE


def _table(rows: "list[PatternAdvice]", question: "Question") -> Table:
    from reports.advice.recommendation import middle, ranged

    money = [f"money\n{question.prices.currency} a month".replace("\n ", "\n")] if question.prices else []
    heads = ("pattern", "meets", "p99", "cores", "pro-\ncesses", "memory", "Mbit/s\nsent", "connec-\ntions", *money)
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for head in heads:
        table.add_column(head, justify="left" if head in ("pattern", "meets") else "right", no_wrap=True)
    for row in rows:
        known = row.figures.get
        cells = [ranged(known("p99"), "ms"), ranged(known("cores")), str(row.processes), middle(known("memory"), "B")]
        cells += [middle(known("mbit")), f"{question.clients:,}"]
        table.add_row(row.label, str(row.met), *cells, *([ranged(known("money"))] if money else []))
    return table
