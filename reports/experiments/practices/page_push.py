"""How should a page tell of its assets: not at all, in a header, in a hint, or by pushing them? At some distances."""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from loadtests.probes.chromium import PROGRAM, Certificate, Timing, certificate, chromium
from loadtests.probes.page_load import Load, PageClient
from loadtests.probes.reference import reference, relay
from loadtests.runs.commands import HOST
from reports.basics.units import number, quantity
from reports.charts.style import MUTED, Look, figure, label_ends, y_title
from reports.experiments import Effect, Effects, Observation
from reports.experiments.effects import TILDE

TITLE: Final = "A page and its assets over HTTP/2"
ADVICE: Final = "Push what the page will need, or hint at it with 103, and it is there a round trip sooner."
MECHANISM: Final = (
    "A client learns of a page's assets when it reads the page, and asks for them then: a round trip more than the "
    "page itself. A push needs no asking, a 103 lets the client ask while the server still makes the page, and a Link "
    "header on the page itself comes with the page, too late to help a client that reads it in one go. Dotted in the "
    "chart: what that comes to, for a page that takes as long to make as it did here. A server that pushes does not "
    "know what its client has, and sends again what is in the cache already."
)
LIMITS: Final = (
    "Two small assets, a page that takes 100 ms to make, one connection that is open already, and no slow start: the "
    "relay delays bytes and loses none. Chromium's figures count from its request to its load event, with its own "
    "rendering in them. No browser of today accepts pushes; what push gains, only the client of this project sees."
)
PROGRAMS: Final = {PROGRAM: "chromium"}
ARMS: Final = {"plain": "nothing", "preload": "Link header", "hints": "103 Early Hints", "push": "HTTP/2 push"}
EFFECTS: Final = (
    Effect("client_ms", "all there, our client, Link header", "ms", "plain", "preload"),
    Effect("client_ms", "all there, our client, 103", "ms", "plain", "hints", "lower"),
    Effect("client_ms", "all there, our client, push", "ms", "plain", "push", "lower"),
    Effect("chromium_ms", "all there, Chromium, Link header", "ms", "plain", "preload"),
    Effect("chromium_ms", "all there, Chromium, 103", "ms", "plain", "hints", "lower"),
    Effect("chromium_ms", "all there, Chromium, push (refused)", "ms", "plain", "push"),
    Effect("requests", "requests of our client", "", "plain", "push", "lower", "difference"),
    Effect("client_bytes", "bytes of a first visit, our client", "B", "plain", "push"),
    Effect("again_bytes", "bytes of a second visit, our client", "B", "plain", "push", "higher"),
)
THINK_S: Final = 0.1
RTTS_MS: Final = (0.0, 50.0, 100.0, 200.0)
QUICK_RTTS_MS: Final = (100.0,)
HEADLINE_RTT_MS: Final = 100.0
PAGE: Final = "/index.html"
CHROMIUM, OURS = "Chromium", "a client that accepts pushes"
SETTINGS: Final = "fetch('/settings').then((answer) => answer.json())"
MODE: Final = "fetch('/index.html').then((answer) => answer.headers.get('x-page-mode'))"


class Browsed(NamedTuple):
    """version: the browser's own word; settings: its first SETTINGS frame; mode: what our page says came of it."""

    timings: Mapping[float, Timing]
    version: str
    settings: Mapping[str, int]
    mode: str


def measure(arm: str, where: Path, *, quick: bool) -> Observation:
    rtts_ms = QUICK_RTTS_MS if quick else RTTS_MS
    first, again = _loads(arm, where, rtts_ms)
    browsed = _browse(arm, where, rtts_ms)
    at, seen = first[HEADLINE_RTT_MS], browsed.timings[HEADLINE_RTT_MS]
    figures = {
        "client_ms": at.complete_ms,
        "requests": float(at.requests),
        "pushes": float(at.pushes),
        "client_bytes": float(at.received_bytes),
        "again_bytes": float(again[HEADLINE_RTT_MS].received_bytes),
        "unwanted": float(again[HEADLINE_RTT_MS].unwanted),
        "chromium_ms": seen.complete_ms,
        "chromium_requests": float(seen.requests),
        "chromium_bytes": seen.bytes,
        "chromium_hinted": float(seen.hinted),
        "chromium_refuses_push": float(browsed.settings.get("ENABLE_PUSH") == 0),
    }
    frame = ", ".join(f"{name}={value}" for name, value in browsed.settings.items())
    common: dict[str, float | str] = {"browser": browsed.version, "settings": frame}
    points = [
        common | {"client": client, "rtt_ms": rtt_ms, "complete_ms": one.complete_ms, "mode": mode}
        for client, loads, mode in ((OURS, first, at.mode), (CHROMIUM, browsed.timings, browsed.mode))
        for rtt_ms, one in loads.items()
    ]
    unhinted = arm == "hints" and not seen.hinted
    return Observation(figures, points, ["Chromium took no hint"] if unhinted else [])


def _loads(arm: str, where: Path, rtts_ms: tuple[float, ...]) -> tuple[dict[float, Load], dict[float, Load]]:
    """Load the page with our client, and again on the same connection, with the assets in its cache."""
    first, again = {}, {}
    with reference(where, "http2_push", "--page", arm, "--page-think", THINK_S) as server:
        for rtt_ms in rtts_ms:
            with relay(where, server.http2_port, rtt_ms) as port, PageClient(HOST, port) as client:
                first[rtt_ms], again[rtt_ms] = client.load(PAGE), client.load(PAGE)
    return first, again


def _browse(arm: str, where: Path, rtts_ms: tuple[float, ...]) -> Browsed:
    """Load the page with Chromium, each time with an empty cache and on a connection of its own."""
    made = certificate(where)
    options = ("--page", arm, "--page-think", THINK_S, "--tls-cert", made.chain, "--tls-key", made.key)
    with reference(where, "http2_push", *options, name="secure") as server, ExitStack() as stack:
        ports = {rtt_ms: stack.enter_context(relay(where, server.http2_port, rtt_ms)) for rtt_ms in rtts_ms}
        return asyncio.run(_drive(ports, where, made))


async def _drive(ports: Mapping[float, int], where: Path, accepted: Certificate) -> Browsed:
    timings: dict[float, Timing] = {}
    async with chromium(where, accepted) as browser:
        async with browser.tab() as tab:  # what a browser does once in its life is done here
            await tab.load(f"https://{HOST}:{min(ports.values())}{PAGE}")
        for rtt_ms, port in ports.items():
            async with browser.tab() as tab:
                # The connection is made, and what Chromium does once for a site done, before the page is asked for.
                await tab.load(f"https://{HOST}:{port}/settings")
                timings[rtt_ms] = await tab.load(f"https://{HOST}:{port}{PAGE}")
                if rtt_ms == min(ports):
                    settings, mode = await tab.evaluate(SETTINGS), await tab.evaluate(MODE)
        return Browsed(timings, browser.version, settings, mode)


def expected_ms(arm: str, rtt_ms: float) -> float:
    """Return when everything is there if nothing but the network and the page's making takes time."""
    think_ms = THINK_S * 1000
    if arm == "push":
        return rtt_ms + think_ms
    if arm == "hints":
        return max(2 * rtt_ms, rtt_ms + think_ms)
    return 2 * rtt_ms + think_ms


def verdict(effects: Effects) -> str:
    hints, push = effects["chromium_ms", "hints"], effects["client_ms", "push"]
    own, again = effects["client_ms", "hints"], effects["again_bytes", "push"]
    base = f"At a round trip of {number(HEADLINE_RTT_MS)} ms"
    if not (hints.proven and push.proven):
        return f"{TILDE} {base} it is not shown that hints or pushes help; measure more repeats."
    return (
        f"{base} a page and its assets were in Chromium {_ms(hints.base - hints.arm)} sooner with 103 Early Hints "
        f"({_ms(hints.arm)} instead of {_ms(hints.base)}). To a client that accepts pushes, push saved "
        f"{_ms(push.base - push.arm)} and 103 {_ms(own.base - own.arm)}; but push sent {quantity(again.arm, 'B')} "
        f"instead of {quantity(again.base, 'B')} on a second visit, and Chromium refuses it. Send 103 where a page "
        "takes time to make; do not build on push."
    )


def _ms(value: float) -> str:
    return quantity(value, "ms")


def draw(points: pd.DataFrame, look: Look) -> Figure:
    """Time until everything is there against distance, our client beside Chromium; dotted: what arithmetic says.

    Dots are single loads, lines their medians.
    """
    drawn = figure(3.6)
    axes = drawn.subplots(1, 2, sharex=True, sharey=True)
    ends: dict[str, tuple[float, float]] = {}
    for panel, client in zip(axes, (OURS, CHROMIUM), strict=True):
        of_client = points[points["client"] == client]
        for arm in (arm for arm in look.labels if arm in set(of_client["arm"])):
            rows = of_client[of_client["arm"] == arm]
            medians = rows.groupby("rtt_ms")["complete_ms"].median()
            panel.plot(medians.index, medians, color=look.line(arm))
            panel.plot(rows["rtt_ms"], rows["complete_ms"], ".", color=look.line(arm), ms=3.5, alpha=0.6)
            ends[arm] = (float(medians.index[-1]), float(medians.iloc[-1]))
            if client == OURS:
                expected = [expected_ms(arm, rtt_ms) for rtt_ms in medians.index]
                panel.plot(medians.index, expected, color=look.line(arm), lw=1, ls=":")
        panel.set(xlabel="round trip, ms")
        y_title(panel, f"page and assets there, ms: {client}")
    axes[0].set_ylim(0, 1.05 * float(points["complete_ms"].max()))
    frame = str(points["settings"].iloc[0]).replace(", ", "\n")
    words = f"{points['browser'].iloc[0]}, its SETTINGS frame:\n{frame}"
    axes[1].text(0.97, 0.04, words, transform=axes[1].transAxes, size=6.5, color=MUTED, va="bottom", ha="right")
    label_ends(axes[1], ends, look)
    return drawn
