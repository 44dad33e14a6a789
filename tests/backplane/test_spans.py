"""Missing ids by their spans, against a set of them."""

from hypothesis import given
from hypothesis import strategies as st

from servers.backplane.spans import KEPT, Spans


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=40))
def test_spans_name_every_id_that_was_added_and_no_other_and_never_touch(steps: list[tuple[int, int]]) -> None:
    spans, wanted, at = Spans(), set[int](), 0
    for there, missing in steps:
        at += there
        spans.add(at + 1, at + missing)
        wanted |= set(range(at + 1, at + missing + 1))
        at += missing
    assert {number for first, last in spans.named for number in range(first, last + 1)} == wanted
    assert spans.count == len(wanted)
    assert all(sooner[1] + 1 < later[0] for sooner, later in zip(spans.named, spans.named[1:], strict=False))


def test_few_are_kept_however_many_outages_there_are_and_all_are_counted() -> None:
    spans = Spans()
    for number in range(3 * KEPT):
        spans.add(2 * number, 2 * number)
    assert (spans.count, len(spans.named), spans.named[-1]) == (3 * KEPT, KEPT, (6 * KEPT - 2, 6 * KEPT - 2))
