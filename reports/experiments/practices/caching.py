"""Is 304 worth it for short polls that find nothing new?"""

from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from reports.basics.units import quantity
from reports.charts.style import Look, figure, label_line, y_title
from reports.experiments import Effect, Effects
from reports.experiments.effects import said, with_doubt

TITLE: Final = "ETag and 304 for short polling"
ADVICE: Final = "Use ETags: a poll that finds nothing new is then answered by 304, which has no body."
MECHANISM: Final = (
    "A client sends If-None-Match for what it already has, and gets headers only. That saves the body, so the effect "
    "depends on what an unchanged response carries: the whole list each time, or, for a client with a cursor, an empty "
    "list."
)
LIMITS: Final = (
    "Only polls that find nothing new gain; a poll that brings a message pays for the validator. The server must know "
    "its version without building the body, as ours does from the newest id: hashing a finished body saves bytes and "
    "no CPU. Both arms send bytes that were rendered once; a server that renders for each poll saves more CPU."
)
ARMS: Final = {"off": "no validator", "on": "ETag, If-None-Match"}
EFFECTS: Final = (
    Effect("bytes_whole", "response, a list of 20 messages, unchanged", "B", "off", "on", expected="lower"),
    Effect("cpu_ms_whole", "server CPU per 1,000 of these polls", "ms", "off", "on", expected="lower"),
    Effect("bytes_cursor", "response to a client with a cursor, nothing new", "B", "off", "on", expected="lower"),
    Effect("cpu_ms_cursor", "server CPU per 1,000 of these polls", "ms", "off", "on", expected=""),
    Effect("request_bytes", "request", "B", "off", "on", expected="higher"),
)


def verdict(effects: Effects) -> str:
    whole, cursor = effects["bytes_whole", "on"], effects["bytes_cursor", "on"]
    cpu_whole, cpu_cursor = effects["cpu_ms_whole", "on"], effects["cpu_ms_cursor", "on"]
    return with_doubt(
        f"Where polls return a whole list, use ETags: 20 unchanged messages shrink from {quantity(whole.base, 'B')} to "
        f"{quantity(whole.arm, 'B')} ({said(whole)}), server CPU {said(cpu_whole)}; with a cursor in the query "
        f"an empty response is small already: 304 changes it by {said(cursor)}, CPU by {said(cpu_cursor)}.",
        whole,
        cpu_whole,
        cursor,
        cpu_cursor,
    )


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """Response bytes and CPU by the messages in an unchanged response; 0: a client with a cursor."""
    drawn = figure(2.9)
    for axes, column, title in zip(
        drawn.subplots(1, 2), ("bytes", "cpu_ms"), ("response, kB", "server CPU per 1,000 polls, ms"), strict=True
    ):
        y_title(axes, title)
        for arm in look.labels:
            rows = points[points["arm"] == arm]
            scaled = rows.assign(**{column: rows[column] / (1000 if column == "bytes" else 1)})
            middle = scaled.groupby("messages")[column].median()
            axes.plot(scaled["messages"], scaled[column], ".", color=look.line(arm), alpha=0.5, markersize=4)
            axes.plot(middle.index, middle, color=look.line(arm))
            label_line(axes, look, arm, (middle.index[-1], middle.iloc[-1]), (-4, 6), ha="right")
        axes.set(xlabel="messages in an unchanged response (0: a client with a cursor)")
        axes.margins(y=0.15)
        axes.set_ylim(bottom=0)
    return drawn
