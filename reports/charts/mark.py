"""PURE. The verdict on a run, put on each of its charts: a chart pasted into slides still says what it is worth."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, Final, ParamSpec

from matplotlib.figure import Figure

from reports.charts.chart_data import Scene
from reports.charts.style import BAD, MUTED, WARN
from reports.validity.caution import WORTHLESS, Verdict

ADVICE: Final[dict[Verdict, str]] = {
    "VALID": "VALID: nothing puts these figures in doubt",
    "SUSPECT": "SUSPECT: some figures may be wrong, see the report",
    "INVALID": "INVALID: do not decide anything from this chart",
    "FAIL": "FAIL: the records of this run contradict each other",
}


P = ParamSpec("P")


def marked(draw: Callable[Concatenate[Scene, P], Figure]) -> Callable[Concatenate[Scene, P], Figure]:
    """Make a chart that carries the verdict on its scene, wherever it is drawn: page, notebook, script."""

    @wraps(draw)
    def drawn(scene: Scene, /, *args: P.args, **kwargs: P.kwargs) -> Figure:
        figure = draw(scene, *args, **kwargs)
        mark(figure, scene.verdict)
        return figure

    return drawn


def say(figure: Figure, words: str, colour: str = MUTED) -> None:
    """Write what a chart is worth above it: a figure's title takes its place from the axes, so it hides nothing."""
    figure.set_figheight(figure.get_figheight() + 0.2)
    figure.suptitle(words, x=0.995, ha="right", size=7.5, weight="bold", color=colour, gid="verdict")


def mark(figure: Figure, verdict: Verdict) -> None:
    """Write a verdict that limits what a chart is worth; across it as well when it is worth nothing."""
    if verdict == "VALID":  # said once, at the top of the page
        return
    colour = BAD if verdict in WORTHLESS else WARN
    say(figure, ADVICE[verdict], colour)
    if verdict in WORTHLESS:
        figure.text(
            0.5,
            0.5,
            verdict,
            ha="center",
            va="center",
            rotation=12,
            size=min(64, 30 * figure.get_figheight(), 11 * figure.get_figwidth()),
            weight="bold",
            color=colour,
            alpha=0.22,
            zorder=10,
            gid="watermark",
        )
