"""PURE. Why a run can be trusted, in the terms of people who run services: what was checked, and the result.

checks.py reports only what is wrong. This reports what was checked, so that silence is not mistaken for proof.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from loadtests.scenario.settings import NETEM
from reports.basics.records import records
from reports.basics.units import counted, listed, percent, quantity
from reports.data.clock_error import ERROR
from reports.data.situations import differing
from reports.validity.caution import Caution, Facts
from reports.validity.foreign import adapters, cost, identity
from reports.validity.network import relays

TIMES: Final = "\N{MULTIPLICATION SIGN}"
SIDES: Final = {
    "owed": "owed",
    "received": "delivered",
    "missed": "missed",
    "superseded": "superseded",
    "in_flight": "in flight",
}
ROLE_NAMES: Final = {"server": "server", "relay": "network delay", "generator": "load generator"}


@dataclass(frozen=True, slots=True)
class Ground:
    """One reason to trust a run, or not. doubted: a caution says why not."""

    question: str
    answer: str
    doubted: bool


@dataclass(frozen=True, slots=True)
class SideBySide:
    """One pattern's latency as users felt it, and as a tool without coordinated-omission correction would report it.

    Milliseconds. hidden: the part of the p99 that such a tool leaves out. unsent: polls that were due and not sent.
    """

    title: str
    due_p50: float
    due_p99: float
    sent_p50: float
    sent_p99: float
    hidden: float
    late_p99: float
    late_max: float
    unsent: str


@dataclass(frozen=True, slots=True)
class Account:
    """Where the messages of one situation went, and how many of its clients got all of them, once, in order.

    counts: by what they are called, "owed" first.
    """

    title: str
    counts: Mapping[str, str]
    closes: bool
    promises: Sequence[tuple[str, bool]]


def grounds(facts: Facts, cautions: Sequence[Caution]) -> list[Ground]:
    """Return every question that this run can answer about itself. cautions: all of the run."""
    doubted = {caution.topic for caution in cautions if caution.severity != "note"}
    told = ((topic, question, answer(facts)) for topic, (question, answer) in QUESTIONS.items())
    return [Ground(question, answer, topic in doubted) for topic, question, answer in told if answer]


def _generator(facts: Facts) -> str:
    lag, cells = facts.cells["generator_lag_ms"], facts.cells
    if not lag.notna().any():
        return "There are no samples of the load generator."
    usual_ms, most_ms = (cells[f"wait_{quantile}_ms"].max() for quantile in ("p50", "p99"))
    unread = (
        f" In the worst cell the median message lay unread for {quantity(usual_ms, 'ms')}, and 99 % for at most "
        f"{quantity(most_ms, 'ms')}."
    )
    shared = int(cells["generator_processes"].max())
    hosts = next((f" on load hosts ({each})" for each in facts.run.cells["hosts"] if each), "")
    several = (
        f"{shared:g} processes{hosts} shared the clients, and the latest and busiest of them counts. "
        if shared > 1
        else ""
    )
    return (
        f"{several}Its event loop was late by at most {quantity(lag.max(), 'ms')} in a usual second "
        f"({quantity(cells['generator_lag_max_ms'].max(), 'ms')} at worst), and used "
        f"{percent(cells['generator_cpu_peak'].max())} of a core in its busiest second."
        f"{unread if pd.notna(usual_ms) else ''}"
    )


def _server(facts: Facts) -> str:
    shares = {name: facts.cells[f"{role}_cpu_peak"].max() for role, name in ROLE_NAMES.items() if role != "generator"}
    told = [f"the {name} {percent(share)}" for name, share in shares.items() if pd.notna(share)]
    known = f"Of a core, in their busiest second: {listed(told)}." if told else ""
    return f"{known} {cost(facts)}".strip()


def _starved(facts: Facts) -> str:
    shares = {name: facts.cells[f"{role}_waited_share"].max() for role, name in ROLE_NAMES.items()}
    told = [f"the {name} {percent(share)}" for name, share in shares.items() if pd.notna(share)]
    return f"Time waited for CPU in a usual second: {listed(told)}." if told else ""


def _network(facts: Facts) -> str:
    if told := relays(facts.summary):
        return " ".join(["A relay delays bytes; its own delay beyond that is in every latency.", *told])
    if any(scenario.get("network") == NETEM for scenario in facts.run.manifest.scenarios):
        return "The kernel delayed every packet (netem), without a process between clients and server."
    return "There was no network delay between clients and server."


def _publisher(facts: Facts) -> str:
    late = facts.cells["lateness_p99_ms"].max()
    return f"99 % of them within {quantity(late, 'ms')} of the instant that was fixed before the run."


def _sending(facts: Facts) -> str:
    polling = facts.summary[facts.summary["polls_due"] > 0]
    if not len(polling):
        return ""
    due, unsent = int(polling["polls_due"].sum()), int(polling["polls_unsent"].sum())
    return (
        f"99 % of them within {quantity(polling['send_late_p99_ms'].max(), 'ms')} of their due instant, the latest "
        "after "
        f"{quantity(polling['send_late_max_ms'].max(), 'ms')}; {unsent or 'none'} of {due:,} were skipped."
    )


def _books(facts: Facts) -> str:
    sides = _sides(facts.summary)
    total = facts.summary[[*sides]].sum()
    clients = int((facts.summary["clients"] * facts.summary["repeats"]).sum())
    bad = int((facts.cells["discrepancies"] > 0).sum())
    kept = f"not in {counted(bad, 'cell')}" if bad else f"for each of {counted(clients, 'client')} and in total"
    owed, *parts = (f"{int(total[side]):,}" for side in sides)
    return (
        f"Published {TIMES} clients = {' + '.join([*sides.values()][1:])}, {kept}: "
        f"{owed} {'does not equal' if bad else '='} {' + '.join(parts)}. The left side is "
        f"{'our publisher' if adapters(facts) else 'the server'}'s journal, the right side the clients' records."
    )


def _clock(facts: Facts) -> str:
    early = int(facts.cells["negative"].sum())
    told = f"{counted(early, 'message')} arrived" if early else "no message arrived"
    who = "Our publisher" if adapters(facts) else "Server"
    worst_ms = float(facts.cells[ERROR].max())
    if worst_ms > 0:
        return (
            f"{who} and clients read different clocks. How far apart these were is proven by exchanges to within "
            f"{quantity(worst_ms, 'ms')}, which stands beside each latency; {told} before it was published."
        )
    exchanges = facts.run.finished["clock_exchanges"]
    checked = "; exchanges between them agree" if len(exchanges) and exchanges.min() > 0 else ""
    return f"{who} and clients read the same counter of the same kernel{checked}; {told} before it was published."


def _limits(facts: Facts) -> str:
    machine, clients = facts.run.manifest.machine, int(facts.summary["clients"].max())
    room = {"open files for each process": machine.open_files, "ports for connections to one server": machine.ports}
    told = [f"{limit:,} {what}" for what, limit in room.items() if limit]
    return f"{counted(clients, 'client')} at once; this system has {listed(told)}." if told else ""


def _warmup(facts: Facts) -> str:
    if facts.cells["warmup_share"].isna().all():
        return ""
    cells, unsettled = facts.cells, int((facts.cells["warmup_share"] > 0).sum())
    told = (
        f"In {unsettled} of {counted(len(cells), 'cell')}" if unsettled else f"In none of {counted(len(cells), 'cell')}"
    )
    return f"{told} the first deliveries of the window differ from the later ones. None was removed."


def _samples(facts: Facts) -> str:
    return (
        f"Each p99 rests on at least {counted(facts.summary['messages'].min(), 'message')}, and "
        f"each figure on {counted(facts.summary['repeats'].min(), 'repeat')}."
    )


QUESTIONS: Final[Mapping[str, tuple[str, Callable[[Facts], str]]]] = {
    "books": ("Is every message accounted for?", _books),
    "identity": ("How was a message recognised?", identity),
    "clock": ("Do the clocks of server and clients agree?", _clock),
    "publisher": ("Were messages published when they were due?", _publisher),
    "sending": ("Were polls sent when they were due?", _sending),
    "generator": ("Did the load generator keep up?", _generator),
    "network": ("Did the network delay match the setting?", _network),
    "server": ("Was CPU left over?", _server),
    "starved": ("Did processes have to wait for CPU?", _starved),
    "limits": ("Were there enough ports and open files?", _limits),
    "warmup": ("Had latency settled before the window?", _warmup),
    "samples": ("Are there enough samples?", _samples),
}
"""Topic of the cautions that say no -> question, and the result of the run; "" where it is unknown."""


def side_by_side(summary: pd.DataFrame) -> list[SideBySide]:
    """Return, for each situation, latency from the due instant beside latency from the instant of publishing."""
    return [
        SideBySide(
            title=title_of(row, summary),
            due_p50=row["p50_ms"],
            due_p99=row["p99_ms"],
            sent_p50=row["transit_p50_ms"],
            sent_p99=row["transit_p99_ms"],
            hidden=row["p99_ms"] - row["transit_p99_ms"],
            late_p99=row["send_late_p99_ms"],
            late_max=row["send_late_max_ms"],
            unsent=f"{int(row['polls_unsent']):,} of {int(row['polls_due']):,}" if row["polls_due"] else "",
        )
        for row in records(summary)
    ]


def accounts(summary: pd.DataFrame) -> list[Account]:
    """Return, for each situation, its message counts and how many clients each promise of ordering.py was kept for."""
    sides = _sides(summary)
    return [_account(row, title_of(row, summary), sides) for row in records(summary)]


def _sides(summary: pd.DataFrame) -> Mapping[str, str]:
    """Return the counts that belong on a page, by column: only states can be superseded."""
    return {side: name for side, name in SIDES.items() if side != "superseded" or summary[side].any()}


def _account(row: Mapping[Any, Any], title: str, sides: Mapping[str, str]) -> Account:
    users, reconnected = int(row["users"]), int(row["reconnected_users"])
    promises = [(int(row[f"{name}_users"]), users) for name in ("ordered", "unique", "reliable")]
    promises.append((int(row["resumed_users"]), reconnected))
    return Account(
        title=title,
        counts={name: f"{int(row[side]):,}" for side, name in sides.items()},
        closes=not row["discrepancies"],
        promises=[(f"{kept:,} of {of:,}" if of else "no reconnect", kept < of) for kept, of in promises],
    )


def title_of(row: Mapping[Any, Any], summary: pd.DataFrame) -> str:
    """Name a situation by what not all have in common: "SSE", or "SSE, 50 clients, 40 ms round trip"."""
    return ", ".join([row["label"], *differing(row, summary)])
