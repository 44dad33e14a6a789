"""PURE. The network between clients and server, and the delay that it added by itself."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import pandas as pd

from loadtests.scenario.settings import NETEM, RELAY
from reports.basics.units import percent, quantity
from reports.validity.caution import Caution, Facts
from servers.settings.units import format_bandwidth

SHARE: Final = 0.1
"""A relay whose mean delay is above this share of the median distorts the pattern's latency."""
BY: Final = {RELAY: "by a relay process", NETEM: "by the kernel's netem"}


def conditions(setting: Mapping[str, Any]) -> dict[str, str]:
    """Return what else the network of a scenario did, by name; empty where it only delayed."""
    told = {}
    if setting.get("jitter_ms"):
        told["Jitter"] = f"up to {_ms(setting['jitter_ms'])} each way"
    if setting.get("bandwidth_bits_per_s"):
        told["Bandwidth"] = f"{format_bandwidth(setting['bandwidth_bits_per_s'])}/s for each connection, each way"
    return told


def relays(rows: pd.DataFrame) -> list[str]:
    """Describe for each round trip how late and how busy the relay was; empty where there was none.

    rows: what `measures.summary` gives.
    """
    told = []
    for _, near in rows.dropna(subset=["relay_late_mean_ms"]).groupby("rtt_ms"):
        told.append(
            f"At {_ms(float(near['rtt_ms'].iloc[0]))} round trip, depending on the pattern, it wrote "
            f"{_span(near['relay_late_mean_ms'], _ms)} late on average, {_span(near['relay_late_max_ms'], _ms)} at "
            f"worst, and used {_span(near['relay_cpu_share'], percent)} of a core."
        )
    return told


def relay_in_the_way(facts: Facts) -> Iterable[Caution]:
    cells = facts.cells
    late = cells[cells["relay_late_mean_ms"] > SHARE * cells["p50_ms"]]
    if len(late):
        yield Caution(
            "suspect",
            f"The relay was late by {_ms(float(late['relay_late_mean_ms'].max()))} on average ({facts.names(late)})",
            f"that is more than {percent(SHARE)} of the median latency, and not part of the round trip.",
            "Use fewer clients, a longer round trip, or --network netem, which needs no process between.",
            "network",
        )


def _ms(value: float) -> str:
    return quantity(value, "ms")


def _span(values: "pd.Series[float]", write: Callable[[float], str]) -> str:
    return " to ".join(dict.fromkeys(write(float(end)) for end in (values.min(), values.max())))
