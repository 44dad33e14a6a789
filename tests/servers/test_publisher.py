"""The publisher follows its schedule, catches up when late, and can be sent on another one."""

import asyncio
from collections.abc import Callable, Iterable
from itertools import islice

import pytest
import uvloop

from servers.feed.content import filler
from servers.feed.feed import Feed
from servers.feed.history import History
from servers.feed.message import Message, decode_stamp
from servers.feed.publisher import BATCH, Publisher
from servers.feed.schedule import Burst, Manual, Schedule, Steady
from servers.settings.options import HISTORY_BYTES_MIN
from servers.timing.clock import now_ns
from servers.timing.precise_timer import Alarm
from tests.http1 import run, until
from tests.server_process import HANG_S

LOOPS = pytest.mark.parametrize("loop_factory", [uvloop.new_event_loop, asyncio.new_event_loop])


def published_by(schedule: Schedule, start_ns: int, enough: Callable[[list[Message]], bool]) -> list[Message]:
    """Publish until the journal is long enough; return it."""

    async def check() -> list[Message]:
        journal: list[Message] = []
        publisher = Publisher(Feed(History(100, 10**6), journal.append), schedule, 10, start_ns, failed=raise_it)
        publisher.start()
        await asyncio.wait_for(until(lambda: enough(journal)), HANG_S)
        publisher.stop()
        return journal

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(check())


def raise_it(wrong: BaseException) -> None:
    raise wrong


def test_messages_are_due_when_the_schedule_says_and_never_early() -> None:
    start_ns, schedule = now_ns() + 20_000_000, Steady(200)
    journal = published_by(schedule, start_ns, lambda journal: len(journal) >= 20)
    assert [m.due_ns - start_ns for m in journal] == list(islice(schedule.offsets_ns(), len(journal)))
    assert all(m.published_ns >= m.due_ns for m in journal)


def test_a_late_start_catches_up_with_every_message_and_says_how_late_it_was() -> None:
    start_ns = now_ns() - 3_000_000_000
    journal = published_by(Steady(200), start_ns, lambda journal: len(journal) >= 600)
    assert [m.id for m in journal[:600]] == list(range(1, 601))
    assert journal[0].published_ns - journal[0].due_ns > 2_900_000_000


def test_a_burst_larger_than_a_batch_lets_readers_in_between() -> None:
    async def check() -> None:
        wakes: list[int] = []
        feed = Feed(History(10_000, 10**6))
        feed.subscribe(lambda: wakes.append(feed.newest_id))
        publisher = Publisher(feed, Burst(3 * BATCH, 3600), 0, now_ns() - 3600 * 10**9, failed=raise_it)
        publisher.start()
        await until(lambda: len(wakes) >= 3)
        publisher.stop()
        assert wakes == [BATCH, 2 * BATCH, 3 * BATCH]

    run(check())


def test_a_burst_of_large_messages_reaches_who_reads_though_the_history_has_room_for_few() -> None:
    async def check() -> None:
        feed, seen = Feed(History(10_000, HISTORY_BYTES_MIN)), [0]
        feed.subscribe(lambda: seen.extend(decode_stamp(body).id for body in feed.after(seen[-1]).bodies))
        publisher = Publisher(feed, Burst(20, 3600), 400_000, now_ns() - 3600 * 10**9, failed=raise_it)
        publisher.start()
        await until(lambda: feed.newest_id == 20)
        publisher.stop()
        assert seen == list(range(21))

    run(check())


def test_an_outlet_that_keeps_it_waiting_gets_every_message_all_the_same() -> None:
    """A feed that several processes share takes its time; what falls due meanwhile comes in the next batch."""

    class Slow:
        def __init__(self) -> None:
            self.batches: list[list[int]] = []
            self.turn = asyncio.Event()

        async def publish_all(self, content: str, due_ns: Iterable[int]) -> None:
            self.batches.append(list(due_ns))
            await self.turn.wait()

    async def check() -> None:
        outlet, start_ns = Slow(), now_ns()
        publisher = Publisher(outlet, Steady(1000), 5, start_ns, failed=raise_it)
        publisher.start()
        await asyncio.sleep(0.05)
        assert len(outlet.batches) == 1
        outlet.turn.set()
        await until(lambda: sum(map(len, outlet.batches)) >= 50)
        publisher.stop()
        dues_ns = [due_ns - start_ns for batch in outlet.batches for due_ns in batch]
        assert dues_ns == list(islice(Steady(1000).offsets_ns(), len(dues_ns)))
        assert len(outlet.batches[1]) > 1

    run(check())


def test_another_schedule_takes_over_at_once_and_ids_go_on() -> None:
    async def check() -> None:
        journal: list[Message] = []
        publisher = Publisher(Feed(History(10, 10**6), journal.append), Steady(500), 5, now_ns(), failed=raise_it)
        publisher.start()
        await until(lambda: len(journal) >= 5)
        publisher.restart(Manual(), 7, now_ns())
        silent_after = len(journal)
        await asyncio.sleep(0.05)
        assert len(journal) == silent_after
        publisher.restart(Steady(500), 7, now_ns())
        await until(lambda: len(journal) >= silent_after + 3)
        publisher.stop()
        assert [m.id for m in journal] == list(range(1, len(journal) + 1))
        assert {len(m.content) for m in journal[:silent_after]} == {5}
        assert {len(m.content) for m in journal[silent_after:]} == {7}

    run(check())


def test_a_journal_that_cannot_be_written_is_reported() -> None:
    def full(_: Message) -> None:
        raise OSError(28, "No space left on device")

    async def check() -> None:
        failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        publisher = Publisher(Feed(History(10, 10**6), full), Steady(1000), 5, now_ns(), failed=failed.set_result)
        publisher.start()
        assert "No space" in str(await failed)

    run(check())


@LOOPS
def test_an_alarm_rings_after_its_instant_and_can_be_set_again(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def check() -> None:
        alarm = Alarm()
        for wait_ns in (-1, 0, 100_000, 5_000_000, 300_000):
            due_ns = now_ns() + wait_ns
            await asyncio.wait_for(alarm.until(due_ns), HANG_S)
            assert now_ns() >= due_ns
        sleeper = asyncio.ensure_future(alarm.until(now_ns() + 10**12))
        await asyncio.sleep(0.01)
        sleeper.cancel()
        await asyncio.gather(sleeper, return_exceptions=True)
        await asyncio.wait_for(alarm.until(now_ns() + 1_000_000), HANG_S)
        alarm.close()
        alarm.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(check())


@pytest.mark.parametrize("length", [0, 1, 200, 65_536, 65_537, 1_000_000])
def test_the_content_has_the_length_that_was_asked_for(length: int) -> None:
    assert len(filler(length)) == length
    assert filler(length).isascii()


def test_messages_that_are_due_together_come_each_in_a_turn_of_its_own_where_that_is_asked_for() -> None:
    async def check() -> None:
        wakes: list[int] = []
        feed = Feed(History(10_000, 10**6))
        feed.subscribe(lambda: wakes.append(feed.newest_id))
        late_ns = now_ns() - 3600 * 10**9
        publisher = Publisher(feed, Burst(5, 3600), 0, late_ns, failed=raise_it, together=1)
        publisher.start()
        await until(lambda: len(wakes) >= 5)
        publisher.stop()
        assert wakes == [1, 2, 3, 4, 5]

    run(check())
