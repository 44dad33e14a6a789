"""PURE. Was the instrument fit to measure? Checks of the load generator, the server's machine, the schedule of requests
and the records themselves; checks.py lists them. What they find belongs to no pattern.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import pandas as pd

from loadtests.live.live_checks import BUSY_CORE, TAIL_FLOOR_MS, TAIL_SHARE
from reports.basics.records import records
from reports.basics.units import counted, examples, percent, quantity
from reports.data.situations import SITUATION
from reports.measures.measures import open_books
from reports.measures.send_delay import connecting_ms
from reports.validity.caution import Caution, Facts, Severity

FULL_CORE: Final = 0.95
LAG_INVALID_MS: Final = 20.0
"""Two whole ticks of the generator's own watch: late in a usual second by more than it can have been by chance."""
STARVED: Final = 0.1
STARVED_INVALID: Final = 0.25
"""Share of a usual second in which a process was ready to run and had no core; on idle machines it is about 0.01."""
SEND_SHARE: Final = 0.05
"""Polls sent later than this share of their interval move the latency of polling by as much."""
PORTS_SHARE: Final = 0.9
BOOKS_SHOWN: Final = 3
HOSTS_SHOWN: Final = 2


def generator(facts: Facts) -> Iterable[Caution]:
    """The processes that drive the clients: busy, late, or without samples."""
    cells = facts.cells
    unwatched = cells[cells["generator_lag_ms"].isna()]
    if len(unwatched):
        yield Caution(
            "suspect",
            f"There are no samples of the load generator in {counted(len(unwatched), 'cell')}",
            "it takes a sample once a second, and the window was shorter; nothing proves that it kept up.",
            "Measure for longer than a second: --window.",
            "generator",
        )
    stopped = cells[cells["generator_stopped_ms"] > 0]
    if len(stopped):
        yield Caution(
            "invalid",
            f"{_who(facts, stopped, 'generator_stopped_ms')} stood still for "
            f"{quantity(stopped['generator_stopped_ms'].max(), 'ms')} of a window "
            f"({facts.names(stopped)})",
            "it was stopped, or another program had its core; it read the messages late, and polls that "
            "were due went out late.",
            "Close other programs, do not suspend the machine, and measure again.",
            "generator",
        )
    busy = cells[cells["generator_cpu_peak"] > BUSY_CORE]
    if len(busy):
        yield Caution(
            "invalid" if (busy["generator_cpu_usual"] > FULL_CORE).any() else "suspect",
            f"{_who(facts, busy, 'generator_cpu_peak')} used "
            f"{percent(busy['generator_cpu_peak'].max())} of a core in its busiest second "
            f"({facts.names(busy)})",
            "messages waited in the generator, and this counts as latency of the pattern.",
            "Use more load processes (--load-processes) or fewer clients, and see whether the latency stays the same.",
            "generator",
        )
    yield from _late(facts)


def _who(facts: Facts, rows: pd.DataFrame, measure: str) -> str:
    return f"The load generator{facts.whose(rows, measure)}"


def _late(facts: Facts) -> Iterable[Caution]:
    """Latencies of which more than half may be ours. While that is small, their interval is enough."""
    found = []
    for name, words in {"p50_ms": "median", "p99_ms": "p99"}.items():
        value, floor = facts.cells[name], facts.cells[f"{name}_floor"]
        # Where neither a stamp nor a second of the loop tells what the floor is, how late it usually was has to do.
        ours_ms = (value - floor).fillna(facts.cells["generator_lag_ms"])
        late = facts.cells[ours_ms > (value * TAIL_SHARE).clip(lower=TAIL_FLOOR_MS)]
        if len(late):
            worst = ours_ms[late.index].idxmax()
            known: Severity = "suspect" if floor[late.index].isna().any() else "note"
            found.append((float(ours_ms[worst]), float(value[worst]), words, known, late))
    if not found:
        return
    ours, whole, words, known, late = max(found, key=lambda each: each[0])
    yield Caution(
        "invalid" if ours > LAG_INVALID_MS else known,
        f"{_who(facts, late, 'generator_lag_ms')} was late: up to {quantity(ours, 'ms')} of a {words} of "
        f"{quantity(whole, 'ms')} may be its own ({facts.names(late)})",
        "the clients' kernel had messages that the generator had not read yet. Intervals and rankings allow for it: no "
        "pattern is ranked before another because of it.",
        "Close other programs, use more load processes (--load-processes), or use fewer clients.",
        "generator",
    )


def load_hosts(facts: Facts) -> Iterable[Caution]:
    """Cells whose clients were driven by machines of different kinds."""
    hosts = facts.run.finished["hosts"]
    kinds = {tuple(sorted(host.partition(": ")[2] for host in each.split("; "))) for each in hosts}
    if len(kinds) > 1:
        yield Caution(
            "suspect",
            "Not all cells had the same kind of load hosts",
            f"clients were driven by {examples([*dict.fromkeys(hosts)], HOSTS_SHOWN)}; what one machine adds to a "
            "latency another may not.",
            "Measure all cells with the same hosts, or with hosts of one kind.",
            "generator",
        )


def starved(facts: Facts) -> Iterable[Caution]:
    """Processes that were ready to run while another had the core."""
    for role, name in {"generator": "load generator", "server": "server", "relay": "network delay"}.items():
        share = facts.cells[f"{role}_waited_share"]
        hungry = facts.cells[share > STARVED]
        if len(hungry):
            who = _who(facts, hungry, f"{role}_waited_share") if role == "generator" else f"The {name}"
            worthless = role == "generator" and share.max() > STARVED_INVALID
            yield Caution(
                "invalid" if worthless else "suspect",
                f"{who} waited for CPU for {percent(share.max())} of a usual second ({facts.names(hungry)})",
                "other programs were running, and their time counts as latency of the pattern.",
                "Close other programs, give the machine more cores, or use fewer clients.",
                "starved",
            )


def server(facts: Facts) -> Iterable[Caution]:
    """A server or a relay that used all of its core. The pattern never causes the relay's."""
    relay = facts.cells[facts.cells["relay_cpu_peak"] > BUSY_CORE]
    if len(relay):
        yield Caution(
            "suspect",
            f"The network delay used {percent(relay['relay_cpu_peak'].max())} of a core in its busiest second "
            f"({facts.names(relay)})",
            "messages waited in the relay for longer than the round trip that was set.",
            "Use fewer clients or a lower rate with --rtt.",
            "server",
        )
    full = facts.cells[facts.cells["server_cpu_usual"] > FULL_CORE]
    if len(full):
        yield Caution(
            "suspect",
            f"The server used all of its core, {percent(full['server_cpu_usual'].max())} in a usual second "
            f"({facts.names(full)})",
            "an overloaded server falls behind more and more, so its latency depends on how long you measure.",
            "Take it as the limit of this pattern here; for its latency, lower the rate or the number of clients.",
            "server",
        )


def publisher(facts: Facts) -> Iterable[Caution]:
    """Messages that the server published late."""
    for late, severity, aside in _by_weight(facts.cells, facts.cells["lateness_p99_ms"] > _tail_ms(facts.cells)):
        yield Caution(
            severity,
            f"The publisher was late: 1 % of the messages by more than {quantity(late['lateness_p99_ms'].max(), 'ms')} "
            f"({facts.names(late)})",
            "the server published late; latency counts from the due instant, so more than "
            f"half of the p99 there is its lateness.{aside}",
            "Close other programs; if that does not help, the server is overloaded: lower the rate or the number of "
            "clients.",
            "publisher",
        )


def sending(facts: Facts) -> Iterable[Caution]:
    """Polls that went out late or not at all."""
    settings = {scenario["name"]: scenario for scenario in facts.run.manifest.scenarios}
    limit_ms = facts.cells[["scenario", "rtt_ms"]].apply(
        lambda cell: _in_time_ms(cell["rtt_ms"], settings[cell["scenario"]]), axis=1
    )
    flag = (facts.cells["send_late_p99_ms"] > limit_ms) & (facts.cells["polls_due"] > 0)
    for late, severity, aside in _by_weight(facts.cells, flag):
        yield Caution(
            severity,
            f"1 % of the polls were sent {quantity(late['send_late_p99_ms'].max(), 'ms')} late or later "
            f"({facts.names(late)})",
            f"their users still waited for the previous response, or the generator was busy.{aside}",
            "Check the server's CPU and the generator's lag; use fewer clients.",
            "sending",
        )
    unsent = facts.summary[facts.summary["polls_unsent"] > 0]
    if len(unsent):
        count, due = int(unsent["polls_unsent"].sum()), int(unsent["polls_due"].sum())
        yield Caution(
            "suspect",
            f"{counted(count, 'poll')} of {due:,} that were due were never sent ({facts.names(unsent)})",
            "a user that waits for a response, or backs off after an error, does not poll, so the server got fewer "
            "requests than the scenario says.",
            "Read the errors in the table; lower the number of clients, or lengthen the poll interval.",
            "sending",
        )


def _in_time_ms(rtt_ms: float, setting: Mapping[str, object]) -> float:
    """Return how late a poll may be sent: by a small share of the interval, once it is connected."""
    interval_ms = float(str(setting["poll_interval_s"])) * 1000
    return connecting_ms(rtt_ms, setting) + max(interval_ms * SEND_SHARE, TAIL_FLOOR_MS)


def failed_requests(facts: Facts) -> Iterable[Caution]:
    bad = facts.summary[facts.summary["errors"] > 0]
    if len(bad):
        kinds = {
            str(column).removeprefix("error_"): int(bad[column].sum())
            for column in bad
            if str(column).startswith("error_") and bad[column].sum()
        }
        yield Caution(
            "suspect",
            f"{counted(bad['errors'].sum(), 'request')} failed ({facts.names(bad)}): "
            + ", ".join(f"{kind} {count:,}" for kind, count in kinds.items()),
            "a client that is refused or cut off waits and asks again: latency, requests and bytes include that.",
            "Read cells/<name>/server.log; lower the number of clients.",
        )


def ports(facts: Facts) -> Iterable[Caution]:
    """Connections that were opened one after another until the ports ran short. More at once is refused beforehand."""
    limit, cells = facts.run.manifest.machine.ports, facts.run.cells
    own = facts.cells[facts.cells["cell"].isin(cells.loc[cells["hosts"] == "", "cell"])]
    many = own[own["connections"] > PORTS_SHARE * limit] if limit else own[:0]
    if len(many):
        yield Caution(
            "note",
            f"{counted(many['connections'].max(), 'connection')} were opened in a cell, this system has {limit:,} "
            f"ports for one server ({facts.names(many)})",
            "a closed connection keeps its port for a minute, so new ones may have been refused on the clients' side.",
            "Keep connections alive, or measure for a shorter time.",
            "limits",
        )


def warming(facts: Facts) -> Iterable[Caution]:
    """Windows whose beginning differs from the rest. One cell may do so by chance (2 % do), most repeats do not."""
    unsettled = facts.cells["warmup_share"] > 0
    for often in (True, False):
        chosen = _repeats_with(facts.cells, unsettled, mostly=often)
        if len(chosen):
            yield _warming(facts, chosen, "suspect" if often else "note")


def _warming(facts: Facts, cells: pd.DataFrame, severity: Severity) -> Caution:
    share = float(cells["warmup_share"].max())
    how = "never settled" if share == 1 else f"took {percent(share)} of the window to settle"
    return Caution(
        severity,
        f"{counted(len(cells), 'cell')} of {len(facts.cells)} {how} ({facts.names(cells)})",
        "the first deliveries took longer or shorter than the later ones; none was removed, so both are in the "
        "quantiles.",
        "See the chart over time. Raise --warmup, or, where latency grows to the end, lower the load.",
        "warmup",
    )


def _by_weight(cells: pd.DataFrame, flag: "pd.Series[bool]") -> Iterable[tuple[pd.DataFrame, Severity, str]]:
    """Part the cells with a flag by what it does to the figures: where less than half of the repeats of a situation
    have it, the median that is reported is another's, and its interval holds them all.
    """
    weighs = flag.groupby([cells[key] for key in SITUATION], observed=True).transform("mean") >= 0.5
    few = " So it was in less than half of the repeats: the median over them stands, and its interval holds these too."
    if (flag & weighs).any():
        yield cells[flag & weighs], "suspect", ""
    if (flag & ~weighs).any():
        yield cells[flag & ~weighs], "note", few


def _repeats_with(cells: pd.DataFrame, flag: "pd.Series[bool]", *, mostly: bool) -> pd.DataFrame:
    """Cells with the flag, from situations where two repeats or more, and more than half of them, have it; or not."""
    grouped = flag.groupby([cells[key] for key in SITUATION], observed=True)
    often = (grouped.transform("sum") >= 2) & (grouped.transform("mean") > 0.5)
    return cells[flag & (often if mostly else ~often)]


def books(facts: Facts) -> Iterable[Caution]:
    """Records that contradict each other. A run whose deliveries cannot be counted is useless."""
    wrong = facts.cells[facts.cells["discrepancies"] > 0]
    if len(wrong):
        lines = [
            f"{cell['cell']}: {line}"
            for cell in records(facts.run.finished)
            if cell["cell"] in set(wrong["cell"])
            for line in open_books(facts.run, cell)
        ]
        yield Caution(
            "fail",
            f"The message counts of {counted(len(wrong), 'cell')} are inconsistent",
            f"{examples(lines, BOOKS_SHOWN)}.",
            "A file was changed, or a process lost records. If you changed none, report it as a bug in pollbench.",
            "books",
        )


def promises(facts: Facts) -> Iterable[Caution]:
    """Clients that lost or repeated messages in a reconnect. Other losses and repeats have their own cautions."""
    broken = facts.summary[facts.summary["resumed_users"] < facts.summary["reconnected_users"]]
    if len(broken):
        lost = int((broken["reconnected_users"] - broken["resumed_users"]).sum())
        yield Caution(
            "suspect",
            f"{counted(lost, 'client')} of {int(broken['reconnected_users'].sum()):,} did not resume where they were "
            f"after a reconnect ({facts.names(broken)})",
            "the next message was not the one after their last: some were skipped, or sent again.",
            "Check how the server honours the cursor (last_id, Last-Event-ID).",
            "promises",
        )


def _tail_ms(cells: pd.DataFrame) -> "pd.Series[float]":
    return (cells["p99_ms"] * TAIL_SHARE).clip(lower=TAIL_FLOOR_MS)
