"""The points of the live charts: quantiles of each complete slice of the board, worked out once and kept."""

import gevent

from loadtests.live.counts import Live
from loadtests.live.timeline import Timeline


class ChartPoints:
    """For one scale of time; another one makes it begin anew. Users get their turn after each point."""

    def __init__(self) -> None:
        self._scale = ""
        self._of: dict[str, dict[int, tuple[object, ...]]] = {}

    def of(self, pattern: str, timeline: Timeline, scale: str, after: int, until: int) -> list[tuple[object, ...]]:
        """Return (slice, p50, p99, deliveries, empty ratio) of every slice from `after` on that lies before `until`.

        A slice in which nothing happened is a point too: nothing delivered.
        """
        if self._scale != scale:
            self._scale, self._of = scale, {}
        known = self._of.setdefault(pattern, {})
        wanted = range(max(after, min(timeline.slices)), until)
        for at in wanted:
            if at not in known:
                live = timeline.slices.get(at) or Live()
                known[at] = at, live.quantile_ms(0.50), live.quantile_ms(0.99), live.deliveries, live.empty_ratio
                gevent.sleep(0)
        return [known[at] for at in wanted]
