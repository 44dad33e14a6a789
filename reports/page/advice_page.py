"""PURE. Advice as one page that can be sent around: two sentences, when to move on, the map, and what it rests on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from reports.advice import recommendation
from reports.advice.advise import PatternAdvice, Question, best_first, ranked
from reports.advice.decision_map import COLUMNS, LINES, decision_map
from reports.advice.goals import Met
from reports.basics.templating import template
from reports.basics.units import NONE, quantity, sentence
from reports.charts import svg
from reports.charts.decision import decision
from reports.charts.style import Look, styled
from reports.model.model import Model

FIGURES: Final = {
    "p50": ("p50", "ms"),
    "p99": ("p99", "ms"),
    "cores": ("cores", ""),
    "memory": ("memory", "B"),
    "mbit": ("sent, Mbit/s", ""),
    "money": ("money a month", ""),
}
"""Measure of goals.py -> its heading and unit."""
STATES: Final = {Met.YES: "valid", Met.PERHAPS: "suspect", Met.UNKNOWN: "unknown", Met.NO: "invalid"}


@dataclass(frozen=True)
class AdviceLine:
    """One pattern's row. figures: each with its interval beneath, "" for none; best: the one that is recommended."""

    pattern: str
    label: str
    best: bool
    met: str
    css: str
    processes: str
    figures: Sequence[tuple[str, str]]
    why: Sequence[str]


def advice_page(
    model: Model,
    rests_on: str,
    question: Question,
    rows: Sequence[PatternAdvice],
    columns: int = COLUMNS,
    lines: int = LINES,
) -> str:
    """Return the page, the map and all in it. columns, lines: of the map; the usual ones take half a minute."""
    look = Look.of(model.labels)
    found, pictures = decision_map(model, question, columns, lines), []
    for name in ("map", "map-narrow"):
        with styled(narrow=name == "map-narrow"):
            drawn = svg.standalone(decision(found))
        pictures.append(svg.inline(drawn, name, "Message rate and clients: the cheapest pattern", look))
    titles = {name: title for name, title in FIGURES.items() if name != "money" or question.prices}
    if question.prices and question.prices.currency:
        titles["money"] = (f"{question.prices.currency} a month", "")
    best = ranked(rows)[:1]
    return template("advice.html.j2").render(
        words=recommendation.recommendation(question, rows),
        moves=[str(change) for change in recommendation.changes(model, question)],
        titles=[title for title, _ in titles.values()],
        lines=[_line(row, row in best, titles) for row in best_first(rows)],
        notes=recommendation.notes(rows),
        pictures=pictures,
        colours={dark: Markup(svg.variables(look, dark=dark)) for dark in (False, True)},  # noqa: S704
        asked=_asked(question),
        rests_on=sentence(rests_on),
        model=model,
    )


def _line(row: PatternAdvice, best: bool, titles: Mapping[str, tuple[str, str]]) -> AdviceLine:
    return AdviceLine(
        pattern=row.pattern,
        label=row.label,
        best=best,
        met="ruled out" if row.ruled_out else str(row.met),
        css=STATES[row.met],
        processes=f"{row.processes:,}",
        figures=[_figure(row, name, unit) for name, (_, unit) in titles.items()],
        why=[*row.why, *row.needs],
    )


def _figure(row: PatternAdvice, name: str, unit: str) -> tuple[str, str]:
    figure = row.figures.get(name)
    if figure is None:
        return NONE, ""
    whole, middle = recommendation.ranged(figure, unit), recommendation.middle(figure, unit)
    return middle, whole.removeprefix(middle).strip(" ()")


def _asked(question: Question) -> dict[str, str]:
    """Return what was asked, as names and values."""
    around = question.around
    asked = {
        "Load": recommendation.asked(question),
        "Goals": ", ".join(goal.text for goal in question.goals),
        "Message content": quantity(question.message_bytes, "B"),
        "Poll interval": quantity(question.poll_interval_s * 1e3, "ms"),
        "Long polls are held for": quantity(around.hold_s * 1e3, "ms"),
        "Heartbeats": f"after {quantity(around.heartbeat_s * 1e3, 'ms')} of silence" if around.heartbeat_s else "none",
        "Clients": "browsers" if around.browser else "programs",
        "Encrypted": "by the server (TLS)" if around.tls else "no",
    }
    if around.proxy:
        words = [*["buffers"] * around.buffering, *["nginx"] * around.nginx]
        words += [f"cuts after {quantity(around.cut_s * 1e3, 'ms')} of silence"] * bool(around.cut_s)
        asked["Proxy"] = ", ".join(words)
    return asked
