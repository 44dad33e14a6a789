"""A faulty feed does to each message what its fate says, and writes down that it did. Readers are in memory."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from servers.faults.feed import FaultyFeed, ForgetfulFeed
from servers.feed.feed import Feed
from servers.feed.history import History
from servers.feed.message import Message, decode_stamp
from servers.settings.fault_specs import Fate
from servers.timing.clock import now_ns
from tests.http1 import run, until

FATES = st.sampled_from([Fate(), Fate(copies=0), Fate(copies=2), Fate(overtaken=True)])


class Faulty:
    """A feed to publish to, the faulty one before it, and what both wrote down. Anything but OSError fails the test."""

    def __init__(self, fates: list[Fate], kind: type[FaultyFeed] = FaultyFeed) -> None:
        self.published: list[Message] = []
        self.lines: list[bytes] = []
        self.failures: list[BaseException] = []
        self.source = Feed(History(1000, 10**6), self.published.append)
        self.feed = kind(self.source, iter(fates), History(1000, 10**6), self.lines.append, self.failures.append)

    def journal(self) -> list[tuple[int, ...]]:
        return [tuple(map(int, line.split(b","))) for line in self.lines]


class Stream:
    """A reader whose cursor the server keeps, as for streams and pushes."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.seen: list[int] = []
        self.last_id = 0
        feed.subscribe(self.read)

    def read(self) -> None:
        replay = self.feed.after(self.last_id)
        assert replay.bodies or self.feed.closed, "woken for nothing"
        assert replay.cursor == ""
        self.seen += [decode_stamp(body).id for body in replay.bodies]
        self.last_id = replay.last_id


class Poll(Stream):
    """A reader that keeps its own cursor: the newest id it was given."""

    def read(self) -> None:
        super().read()
        self.last_id = max(self.seen, default=0)


def sent(fates: list[Fate]) -> list[int]:
    """Say again in other words what is sent: each message behind the next that is neither dropped nor overtaken."""
    order: list[int] = []
    waiting: list[int] = []
    for message_id, fate in enumerate(fates, 1):
        if fate.overtaken:
            waiting.append(message_id)
        elif fate.copies:
            order += [message_id] * fate.copies + waiting
            waiting = []
    return order


@given(st.lists(FATES, max_size=40), st.lists(st.integers(1, 5), min_size=40))
def test_every_reader_gets_what_the_fates_say(fates: list[Fate], bursts: list[int]) -> None:
    async def check() -> None:
        faulty = Faulty(fates)
        readers = [Stream(faulty.feed), Poll(faulty.feed)]
        left = len(fates)
        for burst in bursts:
            faulty.source.publish_all("x", [1] * min(burst, left))
            left -= min(burst, left)
        assert [reader.seen for reader in readers] == [sent(fates)] * 2
        late = Poll(faulty.feed)
        if faulty.feed.newest_id:
            late.read()
        assert late.seen == sent(fates)
        assert [message.id for message in faulty.published] == list(range(1, len(fates) + 1))
        journalled = {message_id: (copies, bool(late)) for message_id, copies, late, _, _ in faulty.journal()}
        assert journalled == {n: fates[n - 1][:2] for n in journalled}
        assert set(sent(fates)) <= set(journalled)
        assert all(waiting == 2 for *_, waiting in faulty.journal())

    run(check())


def test_a_delayed_message_is_sent_when_its_time_has_come_and_none_overtakes_another() -> None:
    delays_ms = [30, 1, 1, 60, 5]

    async def check() -> None:
        faulty = Faulty([Fate(delay_ns=ms * 1_000_000) for ms in delays_ms])
        reader = Stream(faulty.feed)
        for _ in delays_ms:
            faulty.source.publish("x")
        assert reader.seen == []
        await until(lambda: len(reader.seen) == len(delays_ms))
        assert reader.seen == [1, 2, 3, 4, 5]
        released_ns = {row[0]: row[3] for row in faulty.journal()}
        for message, delay_ms in zip(faulty.published, delays_ms, strict=True):
            assert released_ns[message.id] >= message.published_ns + delay_ms * 1_000_000
        assert list(released_ns.values()) == sorted(released_ns.values())
        faulty.source.publish_all("x", [])
        assert faulty.failures == []

    run(check())


def test_messages_that_are_still_late_when_the_server_stops_are_not_sent() -> None:
    async def check() -> None:
        faulty = Faulty([Fate(delay_ns=10**12)])
        reader = Stream(faulty.feed)
        faulty.source.publish("x")
        await asyncio.sleep(0)
        faulty.source.close()
        await asyncio.sleep(0)
        assert faulty.feed.closed
        assert (reader.seen, faulty.failures) == ([], [])

    run(check())


def test_a_journal_that_cannot_be_written_is_not_kept_quiet_about() -> None:
    async def check() -> None:
        def full(_line: bytes) -> None:
            raise OSError(28, "No space left on device")

        failures: list[BaseException] = []
        source = Feed(History(1000, 10**6))
        FaultyFeed(source, iter([Fate(delay_ns=2_000_000)]), History(1000, 10**6), full, failures.append)
        source.publish("x")
        await until(lambda: bool(failures))
        assert str(failures[0]) == "[Errno 28] No space left on device"

    run(check())


def test_what_nobody_waited_for_is_gone_where_nothing_is_kept() -> None:
    faulty = Faulty([Fate()] * 3, ForgetfulFeed)
    faulty.source.publish("nobody is there")
    reader = Stream(faulty.feed)
    assert faulty.feed.after(0).bodies == faulty.feed.after(99).bodies == ()
    reader.last_id = faulty.feed.newest_id
    faulty.source.publish("somebody waits")
    faulty.feed.unsubscribe(reader.read)
    faulty.source.publish("nobody is there again")
    assert reader.seen == [2]
    assert [row[4] for row in faulty.journal()] == [0, 1, 0]


def test_what_is_posted_to_a_faulty_server_is_published_as_everything_is() -> None:
    faulty = Faulty([Fate(copies=2)])
    reader = Stream(faulty.feed)
    before_ns = now_ns()
    assert faulty.feed.publish("posted").published_ns >= before_ns
    assert reader.seen == [1, 1]
