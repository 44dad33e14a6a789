"""PURE. A small event simulation of each kind of pattern, from first principles: polls at fixed phases, holds, fan-out.

It knows nothing of the closed forms in oracles.py, so each can check the other. It feeds synthetic.py.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

HEADS_BYTES: Final = (120, 260)
"""Of a request and of a response."""


@dataclass(frozen=True, kw_only=True)
class World:
    """What the simulated network and machine are like. `lose_every` n: each user misses every n-th message.

    wait_ns: what lies in a client's kernel before it is read, on average.
    """

    one_way_ns: int = 150_000
    turnaround_ns: int = 100_000
    write_ns: int = 20_000
    lateness_ns: int = 80_000
    wait_ns: int = 30_000
    lose_every: int = 0
    seed: int = 1


@dataclass(frozen=True, kw_only=True)
class Situation:
    """One cell: `due` and `published` are ascending ns, one a message; users join at `joined` and stop at `end_ns`."""

    world: World
    due: np.ndarray
    published: np.ndarray
    joined: np.ndarray
    end_ns: int
    interval_ns: int
    hold_ns: int
    body_bytes: int
    random: np.random.Generator

    @property
    def users(self) -> np.ndarray:
        return np.arange(len(self.joined), dtype=np.int32)


@dataclass(frozen=True)
class Outcome:
    """requests, deliveries: the columns of arrival.py."""

    requests: pd.DataFrame
    deliveries: pd.DataFrame


def stream(at: Situation, framing_bytes: int = 7, mode: str = "inline") -> Outcome:
    """Each message is written to one user after the other, in an order that stays."""
    messages, clients = len(at.due), len(at.joined)
    rank = at.random.permutation(clients)
    written = at.published[:, None] + (rank + 1) * at.world.write_ns
    wait = at.random.exponential(at.world.wait_ns, (messages, clients)).astype(np.int64)
    received = written + at.world.one_way_ns + wait
    received = np.maximum.accumulate(received, axis=0).ravel()
    user, index = np.tile(at.users, messages), np.repeat(np.arange(messages), clients)
    deliveries = _deliveries(at, user, index, received, framing_bytes, mode)
    brought = np.bincount(deliveries["user"], minlength=clients)
    ended = np.full(clients, at.end_ns)
    requests = _requests(at, at.users, at.joined, ended, brought, np.ones(clients, bool), framing_bytes)
    return Outcome(requests, deliveries)


def short_polling(at: Situation) -> Outcome:
    """Each user asks at its own phase, once an interval, and takes what was published before the server looked."""
    delay_ns, interval_ns = at.world.one_way_ns, at.interval_ns
    first = at.joined + at.random.integers(0, interval_ns, len(at.joined))
    polls = np.maximum((at.end_ns - first - 2 * delay_ns) // interval_ns + 1, 0)
    wait = at.published[:, None] - delay_ns - first
    poll = np.maximum(-(-wait // interval_ns), 0)
    received = (first + poll * interval_ns + 2 * delay_ns).ravel()
    user, index = np.tile(at.users, len(at.due)), np.repeat(np.arange(len(at.due)), len(at.joined))
    deliveries = _deliveries(at, user, index, received, 0, "inline")
    offset = np.concatenate([[0], np.cumsum(polls)[:-1]])
    answered = (poll < polls).ravel()
    brought = np.bincount((offset + poll).ravel()[answered], minlength=polls.sum())
    user = np.repeat(at.users, polls)
    started = first[user] + (np.arange(polls.sum()) - offset[user]) * interval_ns
    requests = _requests(at, user, started, started + 2 * delay_ns, brought, np.zeros(len(user), bool), 0)
    return Outcome(requests, deliveries)


def long_polling(at: Situation) -> Outcome:
    """Each user asks, is held until something is published or the timeout, takes all there is, and asks again."""
    world = at.world
    horizon = np.append(at.published, np.iinfo(np.int64).max // 2)
    rank = at.random.permutation(len(at.joined))
    user, ask, cursor = at.users, at.joined + world.one_way_ns, np.zeros(len(at.joined), np.int64)
    asked: list[tuple[np.ndarray, ...]] = []
    got: list[tuple[np.ndarray, ...]] = []
    while len(user):
        answer = np.maximum(ask, np.minimum(horizon[cursor], ask + at.hold_ns))
        seen = np.searchsorted(at.published, answer, side="right")
        ended = answer + world.one_way_ns + (rank[user] + 1) * world.write_ns
        cut = ended >= at.end_ns
        brought = np.where(cut, 0, seen - cursor)
        asked.append((user, ask - world.one_way_ns, np.minimum(ended, at.end_ns), brought, cut))
        nth = np.arange(brought.sum()) - np.repeat(np.cumsum(brought) - brought, brought)
        got.append((np.repeat(user, brought), np.repeat(cursor, brought) + nth, np.repeat(ended, brought)))
        user, cursor = user[~cut], seen[~cut]
        ask = ended[~cut] + world.turnaround_ns + world.one_way_ns
    who, started, ended, brought, cut = map(np.concatenate, zip(*asked, strict=True))
    requests = _requests(at, who, started, ended, brought, cut, 0)
    requests["hold_ns"] = np.maximum(requests["ended_ns"] - requests["started_ns"] - 2 * world.one_way_ns, 0)
    user, index, received = map(np.concatenate, zip(*got, strict=True))
    return Outcome(requests, _deliveries(at, user, index, received, 0, "inline"))


def _deliveries(
    at: Situation, user: np.ndarray, index: np.ndarray, received: np.ndarray, framing_bytes: int, mode: str
) -> pd.DataFrame:
    """Rows for message number `index`, from 0, reaching `user` at `received`, unless the load had ended by then."""
    kept = received < at.end_ns
    if at.world.lose_every:
        kept &= (index + user) % at.world.lose_every != 0
    user, index, received = user[kept], index[kept], received[kept]
    wait = at.random.exponential(at.world.wait_ns, len(received)).astype(np.int64)
    columns = {
        "user": user,
        "id": index + 1,
        "due_ns": at.due[index],
        "published_ns": at.published[index],
        "received_ns": received,
        "bytes": np.int32(at.body_bytes + framing_bytes),
        "arrived_ns": np.maximum(at.published[index], received - wait),
    }
    return pd.DataFrame(columns).assign(mode=pd.Series(mode, range(len(user)), pd.CategoricalDtype([mode])))


def _requests(
    at: Situation,
    user: np.ndarray,
    started: np.ndarray,
    ended: np.ndarray,
    messages: np.ndarray,
    cut: np.ndarray,
    framing_bytes: int,
) -> pd.DataFrame:
    bytes_out, head_bytes = HEADS_BYTES
    error = pd.Series(cut).map({False: "", True: "cut"}).astype(pd.CategoricalDtype(["", "cut"]))
    return pd.DataFrame(
        {
            "user": user,
            "connection": 1,
            "due_ns": started,
            "started_ns": started,
            "first_byte_ns": ended,
            "ended_ns": ended,
            "status": np.where(cut & (messages == 0), 0, 200),
            "error": error,
            "messages": messages,
            "empty": ((messages == 0) & ~cut).astype(int),
            "bytes_out": bytes_out,
            "bytes_in": head_bytes + messages * (at.body_bytes + framing_bytes),
            "hold_ns": 0,
        }
    )
