"""Who is cut when too much waits for clients that do not read, and when the next may be answered."""

import asyncio
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from servers.web.unread import Unread

LIMIT = 100


@dataclass(eq=False)
class Answer:
    wire: bytes


@dataclass(eq=False)
class Connection:
    cuts: list[str] = field(default_factory=list)

    def cut(self) -> None:
        self.cuts.append("cut")


def test_who_has_waited_longest_is_cut_but_nobody_for_the_sake_of_little() -> None:
    unread = Unread(LIMIT)
    little, longest, second, last = (Connection() for _ in range(4))
    for connection, size in ((little, 5), (longest, 20), (second, 40), (last, 50)):
        unread.behind(connection, size)
    assert [bool(each.cuts) for each in (little, longest, second, last)] == [False, True, False, False]
    assert unread.state() == {"clients": 3, "bytes": 95, "closed": 1}


def test_what_many_are_sent_alike_is_counted_once_and_costs_each_of_them_a_share() -> None:
    unread, answer = Unread(LIMIT), Answer(b"x" * 80)
    crowd, alone = [Connection() for _ in range(10)], Connection()
    for each in crowd:
        unread.behind(each, len(answer.wire), answer)
    assert unread.state() == {"clients": 10, "bytes": 80, "closed": 0}
    unread.behind(alone, 21)
    assert [each.cuts for each in (*crowd, alone)] == [*[[]] * 10, ["cut"]]
    for each in crowd:
        unread.caught_up(each)
    assert unread.state() == {"clients": 0, "bytes": 0, "closed": 1}


def test_without_a_limit_nobody_is_cut() -> None:
    unread, connection = Unread(0), Connection()
    unread.behind(connection, 10**12)
    assert (connection.cuts, unread.state()["bytes"]) == ([], 10**12)


def test_the_next_is_answered_when_those_that_were_cut_have_gone() -> None:
    async def check() -> None:
        unread, gone, other = Unread(LIMIT), Connection(), Connection()
        await unread.room()
        unread.behind(gone, 60)
        unread.behind(other, 50)
        waiting = asyncio.create_task(unread.room())
        await asyncio.sleep(0)
        assert not waiting.done()
        unread.caught_up(gone)
        await waiting

    asyncio.run(check())


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.one_of(st.none(), st.integers(0, LIMIT)), st.sampled_from([None, 0, 1])),
        max_size=40,
    )
)
def test_never_more_than_the_limit_and_each_byte_once(steps: list[tuple[int, int | None, int | None]]) -> None:
    """A step is a client, the bytes it is behind with (None: it has caught up), and which shared answer they are of."""
    unread, answers = Unread(LIMIT), [Answer(b"x" * 30), Answer(b"x" * 70)]
    connections = [Connection() for _ in range(6)]
    held: dict[Connection, tuple[object, int]] = {}
    for number, size, shared in steps:
        one = connections[number]
        if one in unread.leaving or size is None:
            unread.caught_up(one)
            held.pop(one, None)
        elif one not in held:
            answer = None if shared is None else answers[shared]
            size = size if answer is None else len(answer.wire)
            held[one] = (answer or one, size)
            unread.behind(one, size, answer)
        held = {each: kept for each, kept in held.items() if each not in unread.leaving}
        distinct = {id(kept): size for kept, size in held.values()}
        assert unread.state()["bytes"] == sum(distinct.values()) <= LIMIT
        assert unread.state()["clients"] == len(held)
        assert unread.leaving <= {each for each in connections if each.cuts}
