"""PURE. A small event simulation of each kind of pattern, from first principles: polls in phase, holds, fan-out.

It knows nothing of the closed forms in oracles/, so each can check the other. It feeds synthetic.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

import numpy as np
import pandas as pd

from loadtests.scenario.poll_timing import Pace

HEADS_BYTES: Final = (120, 260)
"""Of a request and of a response."""


@dataclass(frozen=True, kw_only=True)
class World:
    """What the simulated network and machine are like.

    What may be wrong in it: `lose_every` n: each user misses every n-th message. `no_cursor`: a long poll brings only
    what comes while it is held. `padding_bytes`: more than its format has, around each message.

    wait_ns: what lies in a client's kernel before it is read, on average.
    """

    one_way_ns: int = 150_000
    turnaround_ns: int = 100_000
    write_ns: int = 20_000
    lateness_ns: int = 80_000
    wait_ns: int = 30_000
    lose_every: int = 0
    no_cursor: bool = False
    padding_bytes: int = 0
    seed: int = 1


@dataclass(frozen=True, kw_only=True)
class Situation:
    """One cell: `due` and `published` are ascending ns, one a message; users join at `joined` and stop at `end_ns`.

    told: when those who wait are told of each message. limit: most messages of a long poll's answer.
    """

    world: World
    due: np.ndarray
    published: np.ndarray
    told: np.ndarray
    joined: np.ndarray
    end_ns: int
    interval_ns: int
    pace: Pace
    hold_ns: int
    heartbeat_ns: int
    limit: int
    body_bytes: np.ndarray
    random: np.random.Generator
    tls: bool = False

    @property
    def users(self) -> np.ndarray:
        return np.arange(len(self.joined), dtype=np.int32)


@dataclass(frozen=True)
class Outcome:
    """requests, deliveries: the columns of arrival.py."""

    requests: pd.DataFrame
    deliveries: pd.DataFrame


Frames = Callable[[int, int], int]
"""Bytes of a message with what its pattern puts around it, given its number and the length of its body."""


def stream(at: Situation, frames: Frames, *, chunked: bool = False, mode: str = "inline") -> Outcome:
    """Each message is written to one user after the other, in an order that stays. chunked: all of a wake-up in one."""
    messages, clients = len(at.due), len(at.joined)
    own = np.array([frames(n + 1, int(body)) for n, body in enumerate(at.body_bytes)], np.int64)
    own += at.world.padding_bytes
    wake, first = np.unique(at.told, return_index=True)[1], np.searchsorted(at.told, at.told)
    if chunked:
        lengths = np.add.reduceat(own, wake) if messages else own
        own[wake] += [len(f"{length:x}\r\n\r\n") for length in lengths]
    rank = at.random.permutation(clients)
    together = np.bincount(first, minlength=messages)[first]
    written = at.told[:, None] + (rank + 1) * at.world.write_ns * together[:, None]
    noise = at.random.exponential(at.world.wait_ns, (messages, clients)).astype(np.int64)[first]
    received = written + at.world.one_way_ns + noise
    received = np.maximum.accumulate(received, axis=0).ravel()
    user, index = np.tile(at.users, messages), np.repeat(np.arange(messages), clients)
    deliveries = _deliveries(at, user, index, received, own, mode)
    brought = np.bincount(deliveries["user"], minlength=clients)
    size = np.bincount(deliveries["user"], weights=deliveries["bytes"], minlength=clients).astype(np.int64)
    ended = np.full(clients, at.end_ns)
    requests = _requests(at.users, at.joined, ended, brought, size, np.ones(clients, bool))
    return Outcome(requests.assign(first_byte_ns=at.joined + 2 * at.world.one_way_ns), deliveries)


def short_polling(at: Situation) -> Outcome:
    """Each user asks at its own phase and pace, and takes what was published before the server looked."""
    delay_ns = at.world.one_way_ns
    polls = [_polls(at, int(joined)) for joined in at.joined]
    seen = [np.searchsorted(at.published, started + delay_ns, side="right") for started in polls]
    brought = np.concatenate([np.diff(each, prepend=0) for each in seen])
    user, started = np.repeat(at.users, [len(each) for each in polls]), np.concatenate(polls)
    ended = started + 2 * delay_ns
    # What a user gets is every message in order, as often as its polls bring some.
    index = np.concatenate([np.arange(each[-1]) if len(each) else np.arange(0) for each in seen])
    who, received = np.repeat(user, brought), np.repeat(ended, brought)
    deliveries = _deliveries(at, who, index, received, at.body_bytes + len(",") + at.world.padding_bytes, "inline")
    requests = _requests(user, started, ended, brought, _answers(at, index, brought), np.zeros(len(user), bool))
    return Outcome(requests, deliveries)


def _polls(at: Situation, joined_ns: int) -> np.ndarray:
    """Return when a user polls, from joining until what it would still be answered in time."""
    random, interval_ns = Random(int(at.random.integers(2**62))), at.interval_ns
    last_ns = at.end_ns - 2 * at.world.one_way_ns
    first_ns = joined_ns + round(at.pace.first(random) * interval_ns)
    if at.pace.kind in {"rate", "pause"}:
        step_ns = interval_ns + (2 * at.world.one_way_ns if at.pace.after_answer else 0)
        return np.arange(first_ns, last_ns, step_ns)
    polls = [first_ns]
    while polls[-1] < last_ns:
        polls.append(polls[-1] + round(at.pace.gap(random) * interval_ns))
    return np.array(polls[:-1], np.int64)


def long_polling(at: Situation) -> Outcome:
    """Each user asks, is held until something is published or the timeout, takes what there is, and asks again."""
    world = at.world
    horizon = np.append(at.told, np.iinfo(np.int64).max // 2)
    rank = at.random.permutation(len(at.joined))
    user, ask, cursor = at.users, at.joined + world.one_way_ns, np.zeros(len(at.joined), np.int64)
    asked: list[tuple[np.ndarray, ...]] = []
    got: list[tuple[np.ndarray, ...]] = []
    while len(user):
        if world.no_cursor:
            cursor = np.searchsorted(at.told, ask, side="right")
        answer = np.maximum(ask, np.minimum(horizon[cursor], ask + at.hold_ns))
        seen = np.minimum(np.searchsorted(at.told, answer, side="right"), cursor + at.limit)
        ended = answer + world.one_way_ns + (rank[user] + 1) * world.write_ns
        cut = ended >= at.end_ns
        brought = np.where(cut, 0, seen - cursor)
        asked.append((user, ask - world.one_way_ns, np.minimum(ended, at.end_ns), brought, cut))
        nth = np.arange(brought.sum()) - np.repeat(np.cumsum(brought) - brought, brought)
        got.append((np.repeat(user, brought), np.repeat(cursor, brought) + nth, np.repeat(ended, brought)))
        user, cursor = user[~cut], seen[~cut]
        ask = ended[~cut] + world.turnaround_ns + world.one_way_ns
    who, started, ended, brought, cut = map(np.concatenate, zip(*asked, strict=True))
    user, index, received = map(np.concatenate, zip(*got, strict=True))
    requests = _requests(who, started, ended, brought, _answers(at, index, brought), cut)
    requests["hold_ns"] = np.maximum(requests["ended_ns"] - requests["started_ns"] - 2 * world.one_way_ns, 0)
    own = at.body_bytes + len(",") + world.padding_bytes
    return Outcome(requests, _deliveries(at, user, index, received, own, "inline"))


def _answers(at: Situation, index: np.ndarray, brought: np.ndarray) -> np.ndarray:
    """Return the length of the body of each answer. index: of the messages they bring, one answer after the other."""
    upto = np.concatenate([[0], np.cumsum(at.body_bytes[index] + len(",") + at.world.padding_bytes)])
    ends = np.cumsum(brought)
    around = [len('{"messages":[],"count":,"polled_at":"2026-11-24T08:00:00.000000Z"}') + len(str(n)) for n in brought]
    lengths: np.ndarray = upto[ends] - upto[ends - brought] - (brought > 0) + around
    return lengths


def _deliveries(
    at: Situation, user: np.ndarray, index: np.ndarray, received: np.ndarray, framed: np.ndarray, mode: str
) -> pd.DataFrame:
    """Rows for message number `index`, from 0, reaching `user` at `received`, unless the load had ended by then.

    framed: bytes of each message with its own framing.
    """
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
        "bytes": framed[index].astype(np.int32),
        "arrived_ns": np.maximum(at.published[index], received - wait),
    }
    return pd.DataFrame(columns).assign(mode=pd.Series(mode, range(len(user)), pd.CategoricalDtype([mode])))


def _requests(
    user: np.ndarray,
    started: np.ndarray,
    ended: np.ndarray,
    messages: np.ndarray,
    body_bytes: np.ndarray,
    cut: np.ndarray,
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
            "bytes_in": np.where(cut & (messages == 0), 0, head_bytes + body_bytes),
            "hold_ns": 0,
        }
    )
