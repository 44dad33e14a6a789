"""A page names its assets not at all, in a header, in a 103 hint, or pushes them; at several distances.

It is loaded by our own client, which accepts pushes, and by Chromium.
"""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

from loadtests.experiments.observations import Observation, Points
from loadtests.probes.chromium import PROGRAM, Certificate, Timing, certificate, chromium
from loadtests.probes.page_load import PageClient, PageLoad
from loadtests.probes.reference import reference, relay
from loadtests.runs.commands import HOST

PROGRAMS: Final = {PROGRAM: "chromium"}
ARMS: Final = {each: each for each in ("plain", "preload", "hints", "push")}
"""How the page is served (`--page`)."""
THINK_S: Final = 0.1
RTTS_MS: Final = (0.0, 50.0, 100.0, 200.0)
QUICK_RTTS_MS: Final = (100.0,)
HEADLINE_RTT_MS: Final = 100.0
PAGE: Final = "/index.html"
CHROMIUM, OURS = "Chromium", "a client that accepts pushes"
SETTINGS: Final = "fetch('/settings').then((answer) => answer.json())"
MODE: Final = "fetch('/index.html').then((answer) => answer.headers.get('x-page-mode'))"


class Browsed(NamedTuple):
    """version: as the browser gives it; settings: its first SETTINGS frame; mode: what became of the pushed assets."""

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
    common: dict[str, float | str] = {"browser": browsed.version, "settings": frame, "think_ms": THINK_S * 1000}
    points: Points = [
        common | {"client": client, "rtt_ms": rtt_ms, "complete_ms": one.complete_ms, "mode": mode}
        for client, loads, mode in ((OURS, first, at.mode), (CHROMIUM, browsed.timings, browsed.mode))
        for rtt_ms, one in loads.items()
    ]
    unhinted = arm == "hints" and not seen.hinted
    return Observation(figures, points, ["Chromium took no hint"] if unhinted else [])


def _loads(arm: str, where: Path, rtts_ms: tuple[float, ...]) -> tuple[dict[float, PageLoad], dict[float, PageLoad]]:
    """PageLoad the page with our client, and again on the same connection, with the assets in its cache."""
    first, again = {}, {}
    with reference(where, "http2_push", "--page", arm, "--page-think", THINK_S) as server:
        for rtt_ms in rtts_ms:
            with relay(where, server.http2_port, rtt_ms) as port, PageClient(HOST, port) as client:
                first[rtt_ms], again[rtt_ms] = client.load(PAGE), client.load(PAGE)
    return first, again


def _browse(arm: str, where: Path, rtts_ms: tuple[float, ...]) -> Browsed:
    """PageLoad the page with Chromium, each time with an empty cache and on a connection of its own."""
    made = certificate(where)
    options = ("--page", arm, "--page-think", THINK_S, "--tls-cert", made.chain, "--tls-key", made.key)
    with reference(where, "http2_push", *options, name="secure") as server, ExitStack() as stack:
        ports = {rtt_ms: stack.enter_context(relay(where, server.http2_port, rtt_ms)) for rtt_ms in rtts_ms}
        return asyncio.run(_drive(ports, where, made))


async def _drive(ports: Mapping[float, int], where: Path, accepted: Certificate) -> Browsed:
    timings: dict[float, Timing] = {}
    async with chromium(where, accepted) as browser:
        async with browser.tab() as tab:  # what a browser does only once is done here
            await tab.load(f"https://{HOST}:{min(ports.values())}{PAGE}")
        for rtt_ms, port in ports.items():
            async with browser.tab() as tab:
                # The connection is made, and what Chromium does once for a site done, before the page is asked for.
                await tab.load(f"https://{HOST}:{port}/settings")
                timings[rtt_ms] = await tab.load(f"https://{HOST}:{port}{PAGE}")
                if rtt_ms == min(ports):
                    settings, mode = await tab.evaluate(SETTINGS), await tab.evaluate(MODE)
        return Browsed(timings, browser.version, settings, mode)
