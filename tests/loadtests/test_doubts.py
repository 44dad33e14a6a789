"""The live verdict: each thing that speaks against figures is named, and the worst decides."""

import numpy as np
import pytest

from loadtests.live.counts import Live, buckets_of
from loadtests.live.live_checks import BUSY_CORE, TAIL_FLOOR_MS, Health, Verdict, judge


def live(p99_ms: float = 1.0, **fields: int) -> Live:
    (bucket,) = buckets_of(np.array([round(p99_ms * 1e6)])).tolist()
    return Live(**{"deliveries": 100, "first_id": 1, "last_id": 100} | fields, histogram={bucket: 100})


FINE = Health(cpu_share=0.1, lag_ms=0.5, workers=2)
CASES: list[tuple[str, Live, Health, Verdict, str]] = [
    ("sse", live(), FINE, "VALID", ""),
    ("sse", live(), Health(), "VALID", ""),
    ("sse", live(missed=1_200), FINE, "SUSPECT", "1,200 missed"),
    ("sse", live(duplicated=2), FINE, "SUSPECT", "2 arrived twice"),
    ("sse", live(errors=1), FINE, "SUSPECT", "1 request failed"),
    ("sse", live(errors=3), FINE, "SUSPECT", "3 requests failed"),
    ("sse", live(), Health(cpu_share=BUSY_CORE + 0.01), "SUSPECT", "the generator uses 81% of a core"),
    ("sse", live(), Health(cpu_share=BUSY_CORE), "VALID", ""),
    ("sse", live(), Health(lag_ms=TAIL_FLOOR_MS + 0.1), "SUSPECT", "the generator is 2.1 ms late"),
    ("short_polling", live(p99_ms=500), Health(lag_ms=TAIL_FLOOR_MS + 0.1), "VALID", ""),
    ("sse", live(last_id=9), FINE, "SUSPECT", "only 9 messages so far"),
    ("sse", Live(), FINE, "SUSPECT", "nothing delivered yet"),
    ("sse", live(backwards=1), FINE, "INVALID", "1 arrived before being published"),
    ("sse", live(), Health(lost=1, workers=2), "INVALID", "1 of 2 workers lost"),
    ("http2_push", live(inline=100), FINE, "INVALID", "nothing was pushed"),
    ("http2_push", live(inline=40), FINE, "SUSPECT", "40 of 100 not pushed"),
    ("http2_push", live(), FINE, "VALID", ""),
    ("sse", live(inline=100), FINE, "VALID", ""),
]


@pytest.mark.parametrize(("pattern", "figures", "health", "verdict", "reason"), CASES)
def test_a_flaw_is_named_and_decides(
    pattern: str, figures: Live, health: Health, verdict: Verdict, reason: str
) -> None:
    judgement = judge(pattern, figures, health)
    assert judgement.verdict == verdict
    assert reason in "; ".join(judgement.reasons)
    assert bool(judgement.reasons) == (verdict != "VALID")


def test_the_worst_reason_comes_first() -> None:
    judgement = judge("sse", live(missed=1), Health(lost=1, workers=2))
    assert judgement.verdict == "INVALID"
    assert [reason.split()[1] for reason in judgement.reasons] == ["of", "missed"]
