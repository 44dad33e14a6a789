"""PURE. Did users ask when their schedule said so? How late requests were sent, and which were never sent at all.

A user who has to wait for an answer asks late, and one who stays away after an error does not ask. A tool that counts
from the instant of sending sees neither. Only what was due in the window counts.
"""

from collections.abc import Mapping

import numpy as np

from loadtests.scenario.settings import RELAY
from loadtests.scenario.timetable import polls_due
from reports.data.columns import Table
from reports.measures.losses import places
from servers.timing import NS_PER_MS


def send_pace(requests: Table, from_ns: int, until_ns: int, interval_ns: int) -> dict[str, float]:
    """Return how late one cell's requests were sent, and how many of those due at fixed instants were not.

    send_late_p99_ms, send_late_max_ms: NaN where no request was due in the window, as with streams that stay open.
    polls_due, polls_unsent: 0 for a pattern whose users ask when they like, and not every `interval_ns`.
    """
    due_ns = requests["due_ns"].to_numpy()
    inside = (due_ns >= from_ns) & (due_ns < until_ns)
    late_ms = (requests["started_ns"].to_numpy() - due_ns)[inside] / NS_PER_MS
    due, unsent = _unsent(requests["user"].to_numpy(), due_ns, from_ns, until_ns, interval_ns)
    return {
        "send_late_p99_ms": float(np.quantile(late_ms, 0.99, method="inverted_cdf")) if len(late_ms) else np.nan,
        "send_late_max_ms": float(late_ms.max()) if len(late_ms) else np.nan,
        "polls_due": due,
        "polls_unsent": unsent,
    }


def connecting_ms(rtt_ms: float, setting: Mapping[str, object]) -> float:
    """Return by how much connecting delays a request on a new connection, where each has one; 0 where connections stay.

    A relay accepts at once, and makes the first bytes wait instead: those of the handshake under TLS, else the request.
    """
    if not setting.get("no_keep_alive"):
        return 0.0
    return rtt_ms * (2 if setting.get("tls") else int(setting.get("network", RELAY) != RELAY))


def _unsent(user: np.ndarray, due_ns: np.ndarray, from_ns: int, until_ns: int, interval_ns: int) -> tuple[int, int]:
    """Count instants of the users' schedules in the window, and those without a request.

    That there is a schedule is seen, not told: every request was due a whole number of intervals after its user's
    first. Users who ask as they please do not hit nanoseconds by chance.
    """
    users = np.unique(user)
    who = places(users, user)
    first_ns = np.full(len(users), np.iinfo(np.int64).max)
    np.minimum.at(first_ns, who, due_ns)
    since_ns = due_ns - first_ns[who]
    if interval_ns <= 0 or not since_ns.any() or (since_ns % interval_ns).any():
        return 0, 0
    due = polls_due(first_ns, from_ns, until_ns, interval_ns)
    sent = int(np.count_nonzero((due_ns >= from_ns) & (due_ns < until_ns)))
    return due, due - sent
