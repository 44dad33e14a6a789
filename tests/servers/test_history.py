"""The history against the plainest model there is: a list that forgets nothing."""

from hypothesis import given
from hypothesis import strategies as st

from servers.history import History


@given(published=st.integers(0, 60), limit=st.integers(1, 40), last_id=st.integers(0, 80))
def test_a_replay_is_what_comes_after_and_says_what_is_missing(published: int, limit: int, last_id: int) -> None:
    history = History(limit)
    bodies = [b"%d" % number for number in range(1, published + 1)]
    assert [history.append(body) for body in bodies] == list(range(1, published + 1))

    kept = bodies[-limit:]
    first_id = published - len(kept) + 1
    replay = history.after(last_id)
    assert (history.first_id, history.newest_id) == (first_id, published)
    assert (replay.first_id, replay.last_id) == (first_id, published)
    if last_id > published:
        assert (replay.cursor, list(replay.bodies)) == ("ahead", kept)
    elif 0 < last_id < first_id - 1:
        assert (replay.cursor, list(replay.bodies)) == ("gone", kept)
    else:
        assert (replay.cursor, list(replay.bodies)) == ("", [body for body in kept if int(body) > last_id])


@given(st.lists(st.integers(0, 5), max_size=30), st.integers(5, 40))
def test_a_reader_that_follows_its_cursor_sees_every_message_once(batches: list[int], limit: int) -> None:
    history, seen, last_id = History(limit), [], 0
    for batch in batches:
        for _ in range(batch):
            history.append(b"%d" % (history.newest_id + 1))
        replay = history.after(last_id)
        seen += [int(body) for body in replay.bodies]
        last_id = replay.last_id
        assert replay.cursor == ""
    assert seen == list(range(1, sum(batches) + 1))
