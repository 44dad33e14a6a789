"""The history against the plainest model there is: a list that forgets nothing."""

from hypothesis import given
from hypothesis import strategies as st

from servers.feed.history import History


@given(published=st.integers(0, 60), limit=st.integers(1, 40), last_id=st.integers(0, 80))
def test_a_replay_is_what_comes_after_and_says_what_is_missing(published: int, limit: int, last_id: int) -> None:
    history = History(limit, 10**6)
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


@given(
    sizes=st.lists(st.integers(1, 30), max_size=60),
    limit=st.integers(1, 40),
    limit_bytes=st.integers(1, 300),
    last_id=st.integers(0, 80),
)
def test_what_has_too_many_bytes_is_forgotten_and_told_as_what_is_too_many(
    sizes: list[int], limit: int, limit_bytes: int, last_id: int
) -> None:
    """The same as a history of as many messages as there is room for, the newest among them in any case."""
    history = History(limit, limit_bytes)
    for size in sizes:
        history.append(b"x" * size)
    room = max((n for n in range(limit + 1) if sum(sizes[-n:] if n else []) <= limit_bytes), default=0)
    model = History(max(1, room), 10**6)
    for size in sizes:
        model.append(b"x" * size)
    assert history.after(last_id) == model.after(last_id)
    assert (history.first_id, history.newest_id) == (model.first_id, model.newest_id)


@given(st.lists(st.integers(0, 5), max_size=30), st.integers(5, 40))
def test_a_reader_that_follows_its_cursor_sees_every_message_once(batches: list[int], limit: int) -> None:
    history, seen, last_id = History(limit, 10**6), [], 0
    for batch in batches:
        for _ in range(batch):
            history.append(b"%d" % (history.newest_id + 1))
        replay = history.after(last_id)
        seen += [int(body) for body in replay.bodies]
        last_id = replay.last_id
        assert replay.cursor == ""
    assert seen == list(range(1, sum(batches) + 1))


@given(
    steps=st.lists(st.sampled_from(["come", "come", "miss"]), max_size=60),
    begins_at=st.integers(0, 20),
    limit=st.integers(1, 40),
    last_id=st.integers(1, 90),
)
def test_what_never_came_is_told_with_the_next_message_and_nothing_that_came_is_held_back(
    steps: list[str], begins_at: int, limit: int, last_id: int
) -> None:
    """A history filled from elsewhere, against a dictionary of what came."""
    history, came = History(limit, 10**6), dict[int, bytes]()
    history.skip(begins_at)
    for exists, step in enumerate(steps, begins_at + 1):
        if step == "come":
            came[exists] = b"%d" % exists
            assert history.append(came[exists]) == exists
        else:
            history.skip(exists)
    known_id, newest_id = begins_at + len(steps), max(came, default=history.newest_id)
    window = {number: body for number, body in came.items() if number > newest_id - limit}
    assert (history.known_id, history.newest_id) == (known_id, newest_id)

    replay = history.after(last_id)
    wanted = list(range(last_id + 1, newest_id + 1))
    if last_id > known_id:
        assert (replay.cursor, list(replay.bodies)) == ("ahead", list(window.values()))
    else:
        assert list(replay.bodies) == [window[number] for number in wanted if number in window]
        told = replay.cursor == "gone"
        assert told == (bool(replay.bodies) and any(number not in window for number in wanted))
        assert replay.last_id == (newest_id if replay.bodies else last_id)
    assert set(range(replay.first_id, newest_id + 1)) <= window.keys()
    assert replay.first_id - 1 not in window


@given(st.lists(st.integers(-3, 5), max_size=30), st.integers(150, 200))
def test_a_reader_of_a_history_with_holes_sees_what_came_once_and_is_told_of_every_hole(
    batches: list[int], limit: int
) -> None:
    history, told, holes, last_id = History(limit, 10**6), 0, 0, 1
    came, seen = [history.append(b"1")], [1]
    for batch in batches:
        if batch < 0:
            history.skip(history.known_id - batch)
            continue
        holes += bool(batch) and history.known_id != came[-1]
        came += [history.append(b"%d" % (history.known_id + 1)) for _ in range(batch)]
        replay = history.after(last_id)
        seen += [int(body) for body in replay.bodies]
        told += replay.cursor == "gone"
        last_id = replay.last_id
    assert seen == came
    assert told == holes
