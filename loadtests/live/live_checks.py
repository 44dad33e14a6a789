"""PURE. When a figure is to be doubted: thresholds that the live screen and the report share, and the live verdict.

VALID, SUSPECT and INVALID mean here what they mean in reports/validity/caution.py. The report judges better: it knows
the measured window and the server's journal. The live verdict says the same things as soon as they can be known.
"""

from dataclasses import dataclass
from typing import Final, Literal

from loadtests.live.counts import Live

BUSY_CORE: Final = 0.8
"""A generator that uses more of a core than this has messages wait for it."""
TAIL_SHARE: Final = 0.5
"""A lag that is usual and above this share of p99 may be most of what is reported as the pattern's slow deliveries."""
TAIL_FLOOR_MS: Final = 2.0
TOO_FEW_MESSAGES: Final = 10

Verdict = Literal["VALID", "SUSPECT", "INVALID", "FAIL"]
"""Only the report has FAIL, because it compares the records with each other."""


@dataclass(frozen=True, slots=True)
class Health:
    """The load processes of a test: the busiest, the latest, and how many of how many workers are lost."""

    cpu_share: float | None = None
    lag_ms: float | None = None
    lost: int = 0
    workers: int = 0


@dataclass(frozen=True, slots=True)
class LiveVerdict:
    """reasons: why the figures cannot be trusted, worst first, each a few words; empty when there is none."""

    verdict: Verdict
    reasons: tuple[str, ...]


def judge(pattern: str, live: Live, health: Health) -> LiveVerdict:
    """Judge one pattern's figures so far."""
    invalid, suspect = tuple(_invalid(pattern, live, health)), tuple(_suspect(pattern, live, health))
    return LiveVerdict("INVALID" if invalid else "SUSPECT" if suspect else "VALID", invalid + suspect)


def _invalid(pattern: str, live: Live, health: Health) -> list[str]:
    found = []
    if live.backwards:
        found.append(
            f"{live.backwards:,} arrived before being published: server and users do not read the clocks that they name"
        )
    if health.lost:
        found.append(f"{health.lost} of {health.workers} workers lost, and with them what their users received")
    if _is_push(pattern) and live.deliveries and live.inline == live.deliveries:
        found.append("nothing was pushed: this is chunked streaming")
    return found


def _suspect(pattern: str, live: Live, health: Health) -> list[str]:
    found = []
    if live.missed:
        found.append(f"{live.missed:,} missed")
    if live.duplicated:
        found.append(f"{live.duplicated:,} arrived twice")
    if live.errors:
        found.append(f"{live.errors:,} request{'s' if live.errors > 1 else ''} failed")
    if _is_push(pattern) and 0 < live.inline < live.deliveries:
        found.append(f"{live.inline:,} of {live.deliveries:,} not pushed")
    if health.cpu_share is not None and health.cpu_share > BUSY_CORE:
        found.append(f"the generator uses {health.cpu_share:.0%} of a core")
    if health.lag_ms is not None and health.lag_ms > lag_limit_ms(live.quantile_ms(0.99)):
        found.append(f"the generator is {health.lag_ms:.1f} ms late, more than half of p99")
    if live.messages < TOO_FEW_MESSAGES:
        found.append(f"only {live.messages} messages so far" if live.messages else "nothing delivered yet")
    return found


def lag_limit_ms(p99_ms: float | None) -> float:
    return max(TAIL_FLOOR_MS, TAIL_SHARE * (p99_ms or 0.0))


def _is_push(pattern: str) -> bool:
    return pattern.endswith("_push")
