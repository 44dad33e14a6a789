"""How should a page announce its assets over HTTP/2: not at all, in a header, in a hint, or by pushing them?"""

from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from reports.basics.units import quantity
from reports.charts.style import MUTED, Look, figure, label_ends, y_title
from reports.experiments import Effect, Effects
from reports.experiments.effects import TILDE

TITLE: Final = "A page and its assets over HTTP/2"
ADVICE: Final = "Push what the page will need, or hint at it with 103, and it is there a round trip sooner."
MECHANISM: Final = (
    "A client learns of a page's assets when it reads the page, and asks for them then: a round trip more than the "
    "page itself. A push needs no request, a 103 lets the client ask while the server still makes the page, and a Link "
    "header on the page itself comes with the page, too late to help a client that reads it in one go. The dotted "
    "lines of the chart calculate this for a page that takes as long to make as it did here. A server that pushes does "
    "not know what its client has, and sends again what is in the cache already."
)
LIMITS: Final = (
    "Two small assets, a page that takes 100 ms to make, one connection that is open already, and no slow start: the "
    "relay delays bytes and loses none. Chromium's figures count from its request to its load event and include its "
    "own rendering. No current browser accepts pushes; only this project's client sees what push gains."
)
ARMS: Final = {"plain": "nothing", "preload": "Link header", "hints": "103 Early Hints", "push": "HTTP/2 push"}
EFFECTS: Final = (
    Effect("client_ms", "all loaded, our client, Link header", "ms", "plain", "preload"),
    Effect("client_ms", "all loaded, our client, 103", "ms", "plain", "hints", "lower"),
    Effect("client_ms", "all loaded, our client, push", "ms", "plain", "push", "lower"),
    Effect("chromium_ms", "all loaded, Chromium, Link header", "ms", "plain", "preload"),
    Effect("chromium_ms", "all loaded, Chromium, 103", "ms", "plain", "hints", "lower"),
    Effect("chromium_ms", "all loaded, Chromium, push (refused)", "ms", "plain", "push"),
    Effect("requests", "requests of our client", "", "plain", "push", "lower", "difference"),
    Effect("client_bytes", "bytes of a first visit, our client", "B", "plain", "push"),
    Effect("again_bytes", "bytes of a second visit, our client", "B", "plain", "push", "higher"),
)


def expected_ms(arm: str, rtt_ms: float, think_ms: float) -> float:
    """Return when everything is loaded if only the network and the making of the page take time."""
    if arm == "push":
        return rtt_ms + think_ms
    if arm == "hints":
        return max(2 * rtt_ms, rtt_ms + think_ms)
    return 2 * rtt_ms + think_ms


def verdict(effects: Effects) -> str:
    hints, push = effects["chromium_ms", "hints"], effects["client_ms", "push"]
    own, again = effects["client_ms", "hints"], effects["again_bytes", "push"]
    base = "At a round trip of 100 ms"
    if not (hints.proven and push.proven):
        return f"{TILDE} {base} it is not shown that hints or pushes help; measure more repeats."
    return (
        f"{base} Chromium had a page and its assets {_ms(hints.base - hints.arm)} sooner with 103 Early Hints "
        f"({_ms(hints.arm)} instead of {_ms(hints.base)}). For a client that accepts pushes, push saved "
        f"{_ms(push.base - push.arm)} and 103 {_ms(own.base - own.arm)}; but push sent {quantity(again.arm, 'B')} "
        f"instead of {quantity(again.base, 'B')} on a second visit, and Chromium refuses it. Send 103 where a page "
        "takes time to make; do not build on push."
    )


def _ms(value: float) -> str:
    return quantity(value, "ms")


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """Time until everything is loaded by distance, our client beside Chromium; dotted: calculated for ours.

    Dots are single loads, lines their medians.
    """
    drawn = figure(3.6)
    ours, *_ = clients = list(points["client"].unique())
    axes = drawn.subplots(1, len(clients), sharex=True, sharey=True)
    think_ms = float(points["think_ms"].iloc[0])
    ends: dict[str, tuple[float, float]] = {}
    for panel, client in zip(axes, clients, strict=True):
        of_client = points[points["client"] == client]
        for arm in (arm for arm in look.labels if arm in set(of_client["arm"])):
            rows = of_client[of_client["arm"] == arm]
            medians = rows.groupby("rtt_ms")["complete_ms"].median()
            panel.plot(medians.index, medians, color=look.line(arm))
            panel.plot(rows["rtt_ms"], rows["complete_ms"], ".", color=look.line(arm), ms=3.5, alpha=0.6)
            ends[arm] = (float(medians.index[-1]), float(medians.iloc[-1]))
            if client == ours:
                expected = [expected_ms(arm, rtt_ms, think_ms) for rtt_ms in medians.index]
                panel.plot(medians.index, expected, color=look.line(arm), lw=1, ls=":")
        panel.set(xlabel="round trip, ms")
        y_title(panel, f"page and assets loaded, ms: {client}")
    axes[0].set_ylim(0, 1.05 * float(points["complete_ms"].max()))
    frame = str(points["settings"].iloc[0]).replace(", ", "\n")
    words = f"{points['browser'].iloc[0]}, its SETTINGS frame:\n{frame}"
    axes[1].text(0.97, 0.04, words, transform=axes[1].transAxes, size=6.5, color=MUTED, va="bottom", ha="right")
    label_ends(axes[1], ends, look)
    return drawn
