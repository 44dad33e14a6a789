"""The feed: ids without gaps, stamps that do not lie, and no wake-up that is lost."""

from hypothesis import given
from hypothesis import strategies as st

from servers.feed.feed import Feed
from servers.feed.history import History
from servers.feed.message import Message, decode, decode_stamp
from servers.timing.clock import now_ns


def new_feed(history: int = 1000) -> tuple[Feed, list[Message]]:
    journal: list[Message] = []
    return Feed(History(history, 10**6), journal.append), journal


class Reader:
    """A client as the contract describes it: subscribe, replay, then replay again whenever woken."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.seen: list[int] = []
        self.last_id = 0
        feed.subscribe(self.read)
        self.read()

    def read(self) -> None:
        replay = self.feed.after(self.last_id)
        self.seen += [decode_stamp(body).id for body in replay.bodies]
        self.last_id = replay.last_id


@given(st.lists(st.sampled_from(["publish", "burst", "join", "leave"]), max_size=60))
def test_whoever_is_there_sees_every_message_once_and_in_order(steps: list[str]) -> None:
    feed, journal = new_feed()
    readers: list[Reader] = []
    left: list[tuple[Reader, int]] = []
    for step in steps:
        if step == "publish":
            feed.publish("x")
        elif step == "burst":
            feed.publish_all("x", [5, 5, 5])
        elif step == "join":
            readers.append(Reader(feed))
        elif readers:
            reader = readers.pop()
            feed.unsubscribe(reader.read)
            left.append((reader, feed.newest_id))
    assert [message.id for message in journal] == list(range(1, feed.newest_id + 1))
    assert all(reader.seen == list(range(1, feed.newest_id + 1)) for reader in readers)
    assert all(reader.seen == list(range(1, newest_id + 1)) for reader, newest_id in left)
    assert feed.subscribers == len(readers)


def test_a_message_nobody_scheduled_is_due_the_moment_it_is_published() -> None:
    feed, _ = new_feed()
    before_ns = now_ns()
    message = feed.publish("x")
    assert before_ns <= message.due_ns == message.published_ns <= now_ns()


def test_a_scheduled_message_keeps_the_instant_it_was_due_however_late_it_is() -> None:
    feed, journal = new_feed()
    feed.publish_all("x", [1, 2])
    assert [message.due_ns for message in journal] == [1, 2]
    assert all(message.published_ns > message.due_ns for message in journal)


def test_what_is_replayed_is_what_was_journalled() -> None:
    feed, journal = new_feed()
    feed.publish("a")
    feed.publish_all("b", [1, 2])
    assert [decode(body) for body in feed.after(0).bodies] == journal


def test_a_burst_wakes_everyone_once() -> None:
    feed, _ = new_feed()
    wakes: list[int] = []
    feed.subscribe(lambda: wakes.append(feed.newest_id))
    feed.publish_all("x", [1] * 20)
    assert wakes == [20]


def test_one_subscriber_may_leave_while_another_is_being_woken() -> None:
    feed, _ = new_feed()
    woken: list[str] = []

    def second() -> None:
        woken.append("second")

    def first() -> None:
        woken.append("first")
        feed.unsubscribe(second)
        feed.unsubscribe(second)

    feed.subscribe(first)
    feed.subscribe(second)
    feed.publish("x")
    feed.publish("y")
    assert woken == ["first", "second", "first"]


def test_clients_are_counted_by_how_they_wait() -> None:
    feed, _ = new_feed()
    feed.subscribe(lambda: None, clients=lambda: 3, held=True)
    feed.subscribe(lambda: None, clients=lambda: 4)
    feed.subscribe(lambda: None)
    assert (feed.held, feed.streams, feed.subscribers) == (3, 5, 8)


def test_closing_wakes_everyone_to_find_the_feed_closed() -> None:
    feed, _ = new_feed()
    found: list[bool] = []
    feed.subscribe(lambda: found.append(feed.closed))
    feed.close()
    assert found == [True]
