"""PURE. Servers that are not ours: what is known, what is not, and what was trusted without proof."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from reports.basics.units import counted, quantity
from reports.validity.caution import Caution, Facts


def adapters(facts: Facts) -> list[Mapping[str, Any]]:
    """Return the adapters of servers that are not ours."""
    texts = [str(scenario.get("adapter") or "") for scenario in facts.run.manifest.scenarios]
    return [json.loads(text)["adapter"] for text in texts if text]


def way_up(facts: Facts) -> str:
    """Describe how long publishing to the server took."""
    cells = facts.run.finished
    usual_ms, most_ms = (cells[f"way_up_{name}_ms"].max() for name in ("median", "p99"))
    taken, refused = (int(cells[f"way_up_{name}"].fillna(0).sum()) for name in ("taken", "refused"))
    return (
        f"the server took {taken:,} messages and refused {refused:,}, and answered after {quantity(usual_ms, 'ms')} as "
        f"a rule, after {quantity(most_ms, 'ms')} at p99"
    )


def cost(facts: Facts) -> str:
    """Say whose cost is the server's, or that it is not measured and why; "" where the server is ours."""
    if not adapters(facts):
        return ""
    told = dict.fromkeys(filter(None, facts.run.finished["cost_of"]))
    unknown = not facts.cells["cpu_ms_per_1000"].notna().any()
    known = "; ".join(told) or ("not measured" if unknown else "that of the processes that were found")
    return f"The server's cost is {known}."


def identity(facts: Facts) -> str:
    """Describe how a message was recognised, "" where the server is ours."""
    if not adapters(facts):
        return ""
    return (
        "Identity by echo of a token: we published, with a token in each text, and a client has received a message "
        "when its "
        f"token comes back. Latency includes the way up to the server: {way_up(facts)} (roll call included)."
    )


def foreign(facts: Facts) -> Iterable[Caution]:
    """The limits of what is known about a server that is not ours."""
    known = adapters(facts)
    if not known:
        return
    yield Caution(
        "note",
        "The server is not ours: identity by echo of a token, theory: none",
        f"only its usual interfaces were used, and no expected latency exists for its messages: {way_up(facts)}. "
        f"{cost(facts)}",
        "Compare it only with servers that were measured the same way.",
        "identity",
    )
    if superseded := int(facts.summary["superseded"].sum()):
        yield Caution(
            "note",
            f"{counted(superseded, 'state')} superseded",
            "the channel holds a state (latest = true): who has a newer one misses nothing, so these are not counted "
            "as missed, and they have no latency.",
            "Leave latest out where every message counts.",
            "identity",
        )
    if any(adapter.get("tls", {}).get("insecure") for adapter in known):
        yield Caution(
            "note",
            "The server's certificate was not checked (--insecure)",
            "another server could have answered.",
            "Name the authority that signed it: --set tls.ca=FILE.",
        )
