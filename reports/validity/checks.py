"""PURE. What could make a reader believe too much. A check looks at one thing and returns cautions about it.

It repairs nothing and hides nothing. A new check is a function here and its name in CHECKS.
"""

from collections.abc import Callable, Iterable
from typing import Final

import pandas as pd

from loadtests.live.live_checks import TOO_FEW_MESSAGES
from loadtests.records.manifest import SESSION, SYNTHETIC
from reports.basics.units import counted, examples, listed, number, percent, quantity
from reports.data.clock_error import ERROR
from reports.data.load import Run
from reports.measures.measures import FEW_MESSAGES
from reports.measures.summarised import CANNOT_SHOW
from reports.validity import foreign, instrument
from reports.validity.by_theory import against_theory, without_theory
from reports.validity.calibration_used import quotes
from reports.validity.caution import VERDICTS, Caution, Facts
from reports.validity.network import relay_in_the_way
from reports.validity.timetable import timetable, unknown_timetable
from servers.settings.fault_specs import parse_fault

Check = Callable[[Facts], Iterable[Caution]]


def cautions(run: Run, cells: pd.DataFrame, summary: pd.DataFrame) -> list[Caution]:
    """Return every caution about a run, worst first."""
    return cautions_of(Facts(run, cells, summary))


def cautions_of(facts: Facts) -> list[Caution]:
    """The same of facts that are at hand."""
    found = [caution for check in CHECKS for caution in check(facts)]
    return sorted(found, key=lambda caution: -list(VERDICTS).index(caution.severity))


def _synthetic(facts: Facts) -> Iterable[Caution]:
    if facts.run.manifest.kind == SYNTHETIC:
        yield Caution(
            "invalid",
            "Nothing here was measured",
            "tests/synthetic.py made this run up, to test the report.",
            "Measure with: pollbench compare",
        )


def _fault(facts: Facts) -> Iterable[Caution]:
    for scenario in facts.run.manifest.scenarios:
        if fault := str(scenario.get("fault") or ""):
            yield Caution(
                "invalid",
                f"The server was wrong on purpose ({fault})",
                f"it {parse_fault(fault).meaning}: this run tests the instrument and proves nothing about a pattern.",
                "Measure without --fault.",
            )


def _incomplete(facts: Facts) -> Iterable[Caution]:
    cells = facts.run.cells
    failed = cells[cells["status"] != "finished"]
    if len(failed):
        reasons = [f"{cell['cell']} ({cell['problems'] or 'no reason given'})" for cell in failed.to_dict("records")]
        yield Caution(
            "suspect",
            f"{counted(len(failed), 'cell')} of {len(facts.run.manifest.cells)} failed",
            f"{examples(reasons, REASONS_SHOWN)}. Their numbers are left out.",
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
    finished = facts.run.finished
    wrong = finished[finished["clock_problems"] != ""]
    if len(wrong):
        lines = [f"{cell['cell']}: {cell['clock_problems']}" for cell in wrong.to_dict("records")]
        yield Caution(
            "invalid",
            f"Clocks contradict each other in {counted(len(wrong), 'cell')}",
            f"{examples(lines, REASONS_SHOWN)}. What was added to the instants of the load is wrong, and so is every "
            "latency.",
            "Do not set, suspend, migrate or clone these hosts while a run lasts; then measure again (docs/clocks.md).",
            "clock",
        )
    negative = int(facts.cells["negative"].sum())
    if negative:
        yield Caution(
            "invalid",
            f"{counted(negative, 'message')} arrived before being published",
            "server and clients did not read the same clock, so no latency of this run is valid.",
            "Run server and clients on one host, and do not suspend or migrate it.",
            "clock",
        )
    yield from _clocks_known_well(facts)
    if not facts.run.manifest.machine.clock_id:
        yield Caution(
            "suspect",
            "The clock has no name",
            "this platform has no boot id, so nothing proves that server and clients share one clock.",
            "Make sure that both ran on one host, with no reboot between them.",
            "clock",
        )


def _clocks_known_well(facts: Facts) -> Iterable[Caution]:
    """Latencies that are hardly longer than what two clocks may make them wrong by."""
    doubtful = facts.summary[facts.summary[ERROR] > CLOCK_SHARE * facts.summary["p50_ms"]]
    if len(doubtful):
        error_ms, shortest_ms = float(doubtful[ERROR].max()), float(doubtful["p50_ms"].min())
        yield Caution(
            "suspect" if (doubtful[ERROR] > doubtful["p50_ms"]).any() else "note",
            f"Clocks may make latencies wrong by {quantity(error_ms, 'ms')} ({facts.names(doubtful)})",
            f"server and clients read different clocks, and a message takes {quantity(shortest_ms, 'ms')}: how far "
            "the clocks are apart is known to half of the shortest way there and back.",
            "Compare patterns of this run with each other, whose differences the clocks hardly touch; for the "
            "latencies themselves, run the load nearer to the server.",
            "clock",
        )


def _accounts(facts: Facts) -> Iterable[Caution]:
    logs = "Read cells/<name>/server.log and load.log."
    causes = {
        "missed": (
            "never arrived",
            "messages that were overtaken, or later than theory allows, have no latency: these patterns look too fast.",
            f"{logs} A longer drain will not help.",
        ),
        "in_flight": (
            "were still in flight at the end",
            "the slowest deliveries are missing from the quantiles.",
            "Lengthen the drain (--drain).",
        ),
        "duplicated": (
            "arrived more than once",
            "only the first arrival counts; the repeats cost bytes and CPU.",
            logs,
        ),
        "reordered": (
            "arrived after a newer one",
            "a client that keeps only a cursor would have skipped them.",
            logs,
        ),
        "unknown": (
            "are not in the server's journal",
            "the journal is incomplete, so losses cannot be counted.",
            "Have the server record each message before it sends it to a client.",
        ),
    }
    for count, (what, cause, remedy) in causes.items():
        bad = facts.summary[facts.summary[count] > 0]
        if len(bad):
            total, owed = int(bad[count].sum()), int(bad["owed"].sum())
            yield Caution(
                "suspect",
                f"{counted(total, 'delivery', 'deliveries')} {what} ({percent(total / owed)} in {facts.names(bad)})",
                cause,
                remedy,
            )


def _connected(facts: Facts) -> Iterable[Caution]:
    cells = facts.run.finished.merge(facts.cells[["cell", "users"]], on="cell")
    late = cells[cells["spawned_by_ns"] > cells["window_from_ns"]]
    if len(late):
        yield Caution(
            "invalid",
            f"Clients were still connecting when measuring began, in {counted(len(late), 'cell')}",
            "the figures include the start of the clients.",
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
            f"{percent(1 - inline['pushed_ratio'].min())} of the messages of {facts.names(inline)} were not pushed",
            "they came inside the response to the client's own request, which is chunked streaming.",
            "Use a client that accepts pushes, and no proxy that removes them.",
        )


def _calibration(facts: Facts) -> Iterable[Caution]:
    beyond = [quote for quote in quotes(facts.run, facts.summary) if quote.beyond]
    if beyond:
        worst = max(beyond, key=lambda quote: quote.per_s / max(quote.known.honest_per_s, 1e-9))
        labels = list(dict.fromkeys(quote.label for quote in beyond))
        past = any(quote.per_s > quote.known.honest_per_s and not quote.known.at_least for quote in beyond)
        yield Caution(
            "suspect" if past else "note",
            f"More deliveries than the calibration covers ({listed(labels)})",
            f"{number(worst.per_s)} deliveries/s of {worst.label}; on this machine reports were accurate up to "
            f"{number(worst.known.honest_per_s)}, and the error stated below is valid up to half of that.",
            "Lower the rate or the number of clients.",
        )


def _samples(facts: Facts) -> Iterable[Caution]:
    fewest = int(facts.summary["messages"].min())
    in_a_repeat = (facts.summary["messages"] / facts.summary["repeats"]).min()
    if fewest < FEW_MESSAGES or in_a_repeat < TOO_FEW_MESSAGES:
        yield Caution(
            "suspect" if in_a_repeat < TOO_FEW_MESSAGES else "note",
            f"p99 rests on {counted(fewest, 'message')} for each pattern",
            "all clients get a message at about the same time, so with fewer than 100 messages p99 is nearly the worst "
            "of them.",
            "Measure longer or more often: --repeats, or a scenario with a longer window.",
            "samples",
        )
    if (facts.summary["repeats"] == 1).any():
        yield Caution(
            "note",
            "There is a single repeat, so the uncertainty is unknown",
            "a difference between two patterns may be chance.",
            "Use --repeats 3 or more.",
        )


def _loopback(facts: Facts) -> Iterable[Caution]:
    if not facts.cells["rtt_ms"].any():
        yield Caution(
            "note",
            "There was no network delay between server and clients",
            "on loopback the next long poll arrives at once, so long polling behaves like a stream; over a real "
            "network "
            "a message waits up to one round trip more.",
            "Measure with the round trip of your users (--rtt) before choosing between long polling and a stream.",
        )


def _platform(facts: Facts) -> Iterable[Caution]:
    columns = {
        "wire_bytes_per_delivery": "bytes on the wire",
        "kernel_per_client_bytes": "memory queued in kernel sockets",
        "cpu_ms_per_1000": "server CPU",
        "wait_p50_ms": "the delay in the load generator",
    }
    empty = [name for column, name in columns.items() if facts.cells[column].isna().all()]
    if empty and facts.run.manifest.kind != SESSION:
        yield Caution(
            "note",
            f"Not measured here: {listed(empty)}",
            f"{facts.run.manifest.machine.system or 'this platform'} does not report them (Linux does), or the run is "
            "older than they are.",
            "Run again, on Linux, if you need them.",
        )


def _summarised(facts: Facts) -> Iterable[Caution]:
    if facts.run.summarised:
        yield Caution(
            "note",
            "Only a summary of the deliveries was kept (--keep summary)",
            f"this report cannot show {CANNOT_SHOW}. Quantiles are right within three digits, counts and sums exact.",
            "Where you need one of these, measure again with --keep rows, for a shorter time.",
        )


def _session(facts: Facts) -> Iterable[Caution]:
    if facts.run.manifest.kind != SESSION:
        return
    side_by_side = len(facts.run.manifest.patterns) > 1
    clients = facts.run.cells["clients"]
    whys = {
        "the patterns shared one server and one load generator: one may have slowed another, and their costs cannot "
        "be separated": side_by_side,
        f"patterns had from {clients.min()} to {clients.max()} users, and only those with as many are compared": (
            clients.nunique() > 1
        ),
        "the server's cost was not measured, as none of its processes listened where users connected": (
            not side_by_side and facts.cells["cpu_ms_per_1000"].isna().all()
        ),
        "its length and the server's past were not planned": not side_by_side,
    }
    yield Caution(
        "note",
        "This test was driven by hand" + (", all patterns at once" if side_by_side else ""),
        "; ".join(why for why, holds in whys.items() if holds) + ".",
        "Measure patterns one at a time, in turns, with: pollbench compare",
    )


REASONS_SHOWN: Final = 3
CLOCK_SHARE: Final = 0.2
"""Of a median. An error below that changes no decision, and stands beside each figure."""

CHECKS: Final[tuple[Check, ...]] = (
    _synthetic,
    _fault,
    _incomplete,
    _clock,
    _connected,
    _push_mode,
    instrument.books,
    _accounts,
    instrument.promises,
    instrument.failed_requests,
    instrument.generator,
    instrument.load_hosts,
    instrument.starved,
    instrument.server,
    foreign.foreign,
    instrument.publisher,
    timetable,
    unknown_timetable,
    instrument.sending,
    instrument.warming,
    instrument.ports,
    _calibration,
    against_theory,
    without_theory,
    _samples,
    _loopback,
    relay_in_the_way,
    _platform,
    _summarised,
    _session,
)
