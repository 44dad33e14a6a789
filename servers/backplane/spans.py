"""PURE. Which ids are missing, named: spans of ids from first to last, of which the newest are kept."""

from collections import deque
from typing import Final

KEPT: Final = 1000
"""Spans; what was missed between two of them is one outage."""


class Spans:
    """count: how many ids in all, also of spans that are no longer kept."""

    def __init__(self) -> None:
        self._spans: deque[tuple[int, int]] = deque(maxlen=KEPT)
        self.count = 0

    def add(self, first: int, last: int) -> None:
        """Add the ids from first to last, if there are any. They come after all others."""
        if first > last:
            return
        self.count += last - first + 1
        if self._spans and self._spans[-1][1] == first - 1:
            first = self._spans.pop()[0]
        self._spans.append((first, last))

    @property
    def named(self) -> list[tuple[int, int]]:
        return list(self._spans)
