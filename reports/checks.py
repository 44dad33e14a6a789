"""PURE. What could make a reader believe too much. A check looks at one thing and returns cautions about it.

It repairs nothing and hides nothing. A new check is a function here and its name in CHECKS.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Final

import pandas as pd

from reports.caution import VERDICTS, Caution, Facts
from reports.load import Run
from reports.synthetic import KIND as SYNTHETIC
from reports.theory import BUSY_CORE, Agreement, agreements
from reports.theory_table import in_words, situation
from reports.units import counted, grouped, listed, percent, quantity

FEW_MESSAGES: Final = 100
"""Of fewer messages p99 is little more than the worst one."""
TOO_FEW_MESSAGES: Final = 10
TAIL_SHARE: Final = 0.5
"""A lag that is usual and above this share of p99 may be most of what is reported as the pattern's slow deliveries."""
TAIL_FLOOR_MS: Final = 2.0


Check = Callable[[Facts], Iterable[Caution]]


def cautions(
    run: Run, cells: pd.DataFrame, summary: pd.DataFrame, theory: Sequence[Agreement] | None = None
) -> list[Caution]:
    """Return every caution about a run, worst first. theory: what `agreements(run, summary)` returned, if at hand."""
    facts = Facts(run, cells, summary, agreements(run, summary) if theory is None else theory)
    found = [caution for check in CHECKS for caution in check(facts)]
    return sorted(found, key=lambda caution: -list(VERDICTS).index(caution.severity))


def _synthetic(facts: Facts) -> Iterable[Caution]:
    if facts.run.manifest.kind == SYNTHETIC:
        yield Caution(
            "invalid",
            "Nothing here was measured",
            "the run was made up by reports/synthetic.py, to test the report.",
            "Measure with: pollbench compare",
        )


def _incomplete(facts: Facts) -> Iterable[Caution]:
    cells = facts.run.cells
    failed = cells[cells["status"] != "finished"]
    if len(failed):
        reasons = [f"{cell['cell']} ({cell['problems'] or 'no reason given'})" for cell in failed.to_dict("records")]
        yield Caution(
            "suspect",
            f"{counted(len(failed), 'cell')} of {len(facts.run.manifest.cells)} failed",
            f"{'; '.join(reasons[:3])}{' …' if len(reasons) > 3 else ''}. Their numbers are left out.",
            "Read cells/<name>/load.log and server.log, then resume the run.",
        )
    if unfinished := set(facts.run.manifest.cells) - set(cells["cell"]):
        yield Caution(
            "suspect",
            f"{counted(len(unfinished), 'cell')} of {len(facts.run.manifest.cells)} never finished",
            "the run was interrupted, so patterns may have unequal numbers of repeats.",
            "Resume the run; finished cells are kept.",
        )


def _clock(facts: Facts) -> Iterable[Caution]:
    negative = int(facts.cells["negative"].sum())
    if negative:
        yield Caution(
            "invalid",
            f"{counted(negative, 'message')} arrived before being published",
            "server and clients did not read the same clock, so no latency of this run means anything.",
            "Run server and clients on one host that is not suspended or migrated meanwhile.",
        )
    if not facts.run.manifest.machine.clock_id:
        yield Caution(
            "suspect",
            "The clock has no name",
            "this platform tells no boot id, so nothing proves that server and clients share one clock.",
            "Make sure that both ran on one host, without a reboot between.",
        )


def _accounts(facts: Facts) -> Iterable[Caution]:
    causes = {
        "missed": ("never arrived", "what never arrived has no latency, so these patterns look faster than they are."),
        "in_flight": ("were still under way at the end", "the slowest deliveries are missing from the quantiles."),
        "duplicated": ("arrived more than once", "only the first arrival counts; the repeats cost bytes and CPU."),
        "reordered": ("arrived after a newer one", "a client that keeps only a cursor would have skipped them."),
        "unknown": ("are not in the server's journal", "the journal is incomplete, so losses cannot be counted."),
    }
    for count, (what, cause) in causes.items():
        bad = facts.summary[facts.summary[count] > 0]
        if len(bad):
            total, owed = int(bad[count].sum()), int(bad["owed"].sum())
            yield Caution(
                "suspect",
                f"{counted(total, 'delivery', 'deliveries')} {what} ({percent(total / owed)} in {_names(facts, bad)})",
                cause,
                "Lower the rate or the number of clients, or lengthen the drain, and read the cells' logs.",
            )


def _connected(facts: Facts) -> Iterable[Caution]:
    cells = facts.run.finished.merge(facts.cells[["cell", "users"]], on="cell")
    late = cells[cells["spawned_by_ns"] > cells["window_from_ns"]]
    if len(late):
        yield Caution(
            "invalid",
            f"Clients were still connecting when measuring began, in {counted(len(late), 'cell')}",
            "the start-up of clients is mixed into the steady state.",
            "Raise the warm-up or the spawn rate.",
        )
    short = cells[cells["users"] < cells["clients"]]
    if len(short):
        yield Caution(
            "suspect",
            f"Not every client received something, in {counted(len(short), 'cell')}",
            "some clients never connected, or were cut off before the first message.",
            "Read the cells' load.log; lower the number of clients.",
        )


def _push_mode(facts: Facts) -> Iterable[Caution]:
    push = facts.cells[facts.cells["pattern"].astype(str).str.endswith("_push")]
    inline = push[push["pushed_ratio"] < 1]
    if len(inline):
        yield Caution(
            "suspect" if inline["pushed_ratio"].any() else "invalid",
            f"{percent(1 - inline['pushed_ratio'].min())} of the messages of {_names(facts, inline)} were not pushed",
            "they came inside the response to the client's own request, which is chunked streaming by another name.",
            "Use a client that allows push, and no proxy that strips it.",
        )


def _generator(facts: Facts) -> Iterable[Caution]:
    busy = facts.cells[facts.cells["generator_cpu_share"] > BUSY_CORE]
    if len(busy):
        yield Caution(
            "suspect",
            f"The load generator used {percent(busy['generator_cpu_share'].max())} of a core ({_names(facts, busy)})",
            "messages waited in the generator, which counts as latency of the pattern.",
            "Use fewer clients, or more load processes, and see whether the latency stays.",
        )
    limit = (facts.cells["p99_ms"] * TAIL_SHARE).clip(lower=TAIL_FLOOR_MS)
    lagging = facts.cells[facts.cells["generator_lag_ms"] > limit]
    if len(lagging):
        yield Caution(
            "suspect",
            f"The load generator was late by up to {quantity(lagging['generator_lag_ms'].max(), 'ms')} "
            f"({_names(facts, lagging)})",
            "the worst lag of its own loop in a second was more than half of the p99 reported there: the slow "
            "deliveries may be its own.",
            "Close other programs, use fewer clients, or more load processes.",
        )


def _publisher(facts: Facts) -> Iterable[Caution]:
    limit = (facts.cells["p99_ms"] * TAIL_SHARE).clip(lower=TAIL_FLOOR_MS)
    late = facts.cells[facts.cells["lateness_p99_ms"] > limit]
    if len(late):
        yield Caution(
            "suspect",
            f"The publisher was late: 1 % of the messages by more than {quantity(late['lateness_p99_ms'].max(), 'ms')} "
            f"({_names(facts, late)})",
            "the server did not come round to publishing in time; latency counts from the due instant, so more than "
            "half of the p99 reported there is its lateness.",
            "Close other programs; if it stays, the server is overloaded: lower the rate or the number of clients.",
        )


def _theory(facts: Facts) -> Iterable[Caution]:
    for _, rows in groupby(facts.theory, key=situation):
        off = [row for row in rows if not row.agrees]
        if off and off[0].saturated:
            yield Caution(
                "note",
                f"Theory says nothing about {off[0].label}: the {off[0].saturated} was saturated",
                f"theory assumes that nothing is overloaded, and would have it otherwise: {_told(off)}.",
                "Take the figures for what this machine could do; lower the load to see the pattern itself.",
            )
        elif off:
            yield Caution(
                "suspect",
                f"{off[0].label} does not agree with theory: {_told(off)}",
                "some settings were not obeyed, something else disturbed the machine, or what was measured is not what "
                "it says it is.",
                "Repeat it; if it stays, lower the load, then doubt the server, then the suite.",
            )


def _told(off: Sequence[Agreement]) -> str:
    return "; ".join(in_words(row) for row in off)


def _samples(facts: Facts) -> Iterable[Caution]:
    fewest = int(facts.summary["messages"].min())
    if fewest < FEW_MESSAGES:
        yield Caution(
            "suspect" if fewest < TOO_FEW_MESSAGES else "note",
            f"p99 rests on {counted(fewest, 'message')} for each pattern",
            "all clients share the fate of a message, so fewer than 100 make p99 nearly the worst of them.",
            "Measure longer or more often: --repeats, or a scenario with a longer window.",
        )
    if (facts.summary["repeats"] == 1).any():
        yield Caution(
            "note",
            "There is a single repeat, so no uncertainty is known",
            "a difference between two patterns may be chance.",
            "Use --repeats 3 or more.",
        )


def _loopback(facts: Facts) -> Iterable[Caution]:
    if not facts.summary["rtt_ms"].any():
        yield Caution(
            "note",
            "There was no network delay between server and clients",
            "on loopback a long poll is asked again at once and so behaves like a stream; over a real network "
            "it waits up to one round trip more.",
            "Measure with the round trip of your users (--rtt) before choosing between long polling and a stream.",
        )


def _platform(facts: Facts) -> Iterable[Caution]:
    columns = {
        "wire_bytes_per_delivery": "bytes on the wire",
        "kernel_per_client_bytes": "memory queued in kernel sockets",
        "cpu_ms_per_1000": "server CPU",
    }
    if empty := [name for column, name in columns.items() if facts.cells[column].isna().all()]:
        yield Caution(
            "note",
            f"Not measured here: {listed(empty)}",
            f"{facts.run.manifest.machine.system or 'this platform'} does not tell them (Linux does).",
            "Run on Linux if you need them.",
        )


def _names(facts: Facts, rows: pd.DataFrame) -> str:
    return grouped(list(dict.fromkeys(rows["label"])), list(dict.fromkeys(facts.cells["label"])))


CHECKS: Final[tuple[Check, ...]] = (
    _synthetic,
    _incomplete,
    _clock,
    _connected,
    _push_mode,
    _accounts,
    _generator,
    _publisher,
    _theory,
    _samples,
    _loopback,
    _platform,
)
