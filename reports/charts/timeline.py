"""PURE. A few seconds in the life of one client per pattern: the picture that shows how each pattern works.

It is drawn from the recorded rows alone and knows no pattern by name: what holds is long, what streams does not end.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.charts.chart_data import Scene
from reports.charts.mark import marked
from reports.charts.style import GRID, MUTED, figure

LEVELS: Final = 6
"""Messages that wait together are drawn below each other, up to so many."""
MOST: Final = 60
"""Messages that can be told apart in one picture."""
TOP, STEP, BAR_TOP, BAR_HEIGHT = -0.36, 0.075, 0.14, 0.2
"""A lane reaches from -0.5 to 0.5, downwards: messages above, requests below."""


@dataclass(frozen=True)
class Lane:
    """One client's rows of one pattern; instants in seconds from the start of the window."""

    requests: pd.DataFrame
    deliveries: pd.DataFrame
    due_s: np.ndarray


@marked
def timeline(scene: Scene) -> Figure:
    """Due instants as thin lines; each message a line from due to arrival; each request a bar."""
    span_s = _span_s(scene)
    canvas = figure(0.45 + 0.62 * len(scene.patterns))
    axes = canvas.add_subplot()
    for at, pattern in enumerate(scene.patterns):
        lane = _lane(scene, pattern, span_s)
        axes.axhspan(at - 0.46, at + 0.46, color=GRID, alpha=0.35, lw=0)
        axes.vlines(lane.due_s, at - 0.46, at + 0.46, color=MUTED, lw=0.5, alpha=0.55, gid=f"due-{pattern}")
        _requests(axes, lane, at, scene.look.line(pattern), span_s)
        _deliveries(axes, lane, at, pattern, scene)
    axes.set_yticks(range(len(scene.patterns)), labels=[scene.look.labels[name] for name in scene.patterns])
    for tick, pattern in zip(axes.get_yticklabels(), scene.patterns, strict=True):
        tick.set(color=scene.look.text(pattern), weight="bold", size=8.5)
    axes.set(xlim=(0, span_s), ylim=(len(scene.patterns) - 0.45, -0.55), xlabel="seconds into the window")
    axes.grid(visible=False)
    return canvas


def _span_s(scene: Scene) -> float:
    """Long enough for some eight messages and two and a half polls, as far as the window goes; of very many, fewer."""
    message_s, poll_s = 1 / (scene.rate_per_s or 1.0), float(scene.setting["poll_interval_s"])
    wanted = max(8 * message_s, min(2.5 * poll_s, MOST * message_s), 1.2 * poll_s)
    return min(wanted, float(scene.setting["window_s"]))


def _lane(scene: Scene, pattern: str, span_s: float) -> Lane:
    """What of the middle client of the first repeat reaches into the first `span_s` seconds."""
    cells = scene.cells[scene.cells["pattern"] == pattern]
    cell, from_ns = cells["cell"].iloc[0], int(cells["window_from_ns"].iloc[0])
    rows = scene.run.rows
    asked, got = rows.columns("requests", cell), rows.columns("deliveries", cell)
    users = np.unique(asked["user"])
    user = users[len(users) // 2] if len(users) else 0
    due_s = (rows.of("published", cell)["due_ns"].to_numpy() - from_ns) / 1e9
    requests = asked[asked["user"] == user][["started_ns", "ended_ns", "messages"]]
    deliveries = got[got["user"] == user][["due_ns", "received_ns", "mode"]]
    requests = _in_seconds(requests, ["started_ns", "ended_ns"], from_ns)
    deliveries = _in_seconds(deliveries, ["due_ns", "received_ns"], from_ns)
    return Lane(
        requests[(requests["ended_s"] > 0) & (requests["started_s"] < span_s)],
        deliveries[(deliveries["received_s"] > 0) & (deliveries["due_s"] < span_s)],
        due_s[(due_s >= 0) & (due_s < span_s)],
    )


def _in_seconds(rows: pd.DataFrame, columns: list[str], from_ns: int) -> pd.DataFrame:
    return rows.assign(**{column.replace("_ns", "_s"): (rows[column] - from_ns) / 1e9 for column in columns})


def _requests(axes: Axes, lane: Lane, at: int, colour: str, span_s: float) -> None:
    """Bars from start to end, each a little short of its start so that a new one shows. Pale while nothing comes."""
    gap_s = 0.004 * span_s
    started = lane.requests["started_s"].clip(lower=-span_s) + gap_s
    width = lane.requests["ended_s"].clip(upper=2 * span_s) - started
    brief = width < 5 * gap_s
    strength = np.where(brief & (lane.requests["messages"] > 0), 1.0, np.where(brief, 0.5, 0.32))
    for start, length, alpha in zip(started, width.clip(lower=gap_s), strength, strict=True):
        axes.broken_barh([(start, length)], (at + BAR_TOP, BAR_HEIGHT), facecolor=colour, alpha=alpha, lw=0)


def _deliveries(axes: Axes, lane: Lane, at: int, pattern: str, scene: Scene) -> None:
    rows = lane.deliveries
    due_s, received_s = rows["due_s"].to_numpy(), rows["received_s"].to_numpy()
    line, text = scene.look.line(pattern), scene.look.text(pattern)
    height = at + TOP + STEP * _levels(due_s, received_s)
    axes.hlines(height, due_s, received_s, color=line, lw=1.1)
    axes.plot(received_s, height, "o", ms=3.6, color=text, mew=0, gid=f"received-{pattern}")
    pushed = (rows["mode"] == "pushed").to_numpy()
    middle = np.full(len(rows), at + BAR_TOP + BAR_HEIGHT / 2)
    axes.plot(received_s[~pushed], middle[~pushed], "|", ms=9, color=text, mew=1.3)
    axes.plot(received_s[pushed], middle[pushed] - 0.02, "v", ms=5, color=text, mew=0, gid=f"pushed-{pattern}")


def _levels(due_s: np.ndarray, received_s: np.ndarray) -> np.ndarray:
    """Count, for each message, how many that were due before it are still waiting: its line goes below theirs."""
    waiting = [(due_s[:at] <= due_s[at]) & (received_s[:at] > due_s[at]) for at in range(len(due_s))]
    return np.array([int(before.sum()) for before in waiting], int) % LEVELS
