"""Windows, limits and endings of the HTTP/2 server, for a client that plays by the rules but at their edges."""

import struct
from collections.abc import Iterator

import pytest

from tests.http2.raw_peer import DATA, GOAWAY, HEADERS, PUSH, SETTINGS, RawPeer, frame, get, settings, window
from tests.server_process import ServerProcess, serving

ENABLE_PUSH, STREAMS, WINDOW_SIZE = 2, 3, 4
PATTERNS = ("http2_push", "short_polling", "long_polling")


@pytest.fixture(scope="module")
def plain() -> Iterator[ServerProcess]:
    with serving(*PATTERNS) as process:
        yield process


def connected(server: ServerProcess, *first: tuple[int, int]) -> RawPeer:
    assert server.http2_port is not None
    return RawPeer(server.http2_port, *first)


def sent(peer: RawPeer, least: int) -> int:
    """Return how much content of stream 1 comes: at least so much, and whatever follows without being asked for."""
    peer.until(lambda: peer.of(HEADERS, 1) and len(peer.content(1)) >= least)
    peer.fence()
    return len(peer.content(1))


def held(server: ServerProcess, count: int) -> None:
    while server.stats()["held"] != count:
        pass


def test_content_leaves_as_the_window_of_its_stream_opens(plain: ServerProcess) -> None:
    with connected(plain, (WINDOW_SIZE, 1), (ENABLE_PUSH, 0)) as peer:
        peer.send(get(1))
        assert sent(peer, 1) == 1
        peer.send(window(1, 1), window(1, 1), window(1, 1))
        assert sent(peer, 4) == 4


def test_settings_open_and_shut_the_windows_of_open_streams_even_below_zero(plain: ServerProcess) -> None:
    with connected(plain, (WINDOW_SIZE, 0), (ENABLE_PUSH, 0)) as peer:
        peer.send(get(1))
        assert sent(peer, 0) == 0
        peer.send(settings((WINDOW_SIZE, 3)))
        assert sent(peer, 3) == 3
        peer.send(settings((WINDOW_SIZE, 1)), window(1, 2))  # -2 at first, 0 then
        assert sent(peer, 3) == 3
        peer.send(window(1, 1))
        assert sent(peer, 4) == 4
        peer.send(settings((WINDOW_SIZE, 65_535)))
        peer.until(lambda: peer.ended(1))
        assert peer.ended(1)


def test_the_last_of_two_values_in_one_frame_counts(plain: ServerProcess) -> None:
    with connected(plain, (WINDOW_SIZE, 100), (WINDOW_SIZE, 1), (ENABLE_PUSH, 0)) as peer:
        peer.send(get(1))
        assert sent(peer, 1) == 1


def test_no_frame_is_longer_than_was_allowed(plain: ServerProcess) -> None:
    newest = plain.post("x" * 50_000)
    with connected(plain, (ENABLE_PUSH, 0)) as peer:
        peer.send(get(1, f"/api/poll?last_id={newest - 1}")).until(lambda: peer.ended(1))
        assert max(len(one.payload) for one in peer.of(DATA, 1)) == 16_384
        assert len(peer.content(1)) > 50_000


def test_pushes_keep_to_the_limit_of_open_streams_and_come_whole_when_windows_open(plain: ServerProcess) -> None:
    newest = plain.post("first")
    with connected(plain, (WINDOW_SIZE, 0), (STREAMS, 2)) as peer:
        peer.send(get(1, f"/api/updates?last_id={newest - 1}"))
        peer.until(lambda: peer.of(PUSH))
        for number in range(5):
            plain.post(f"m{number}")
        peer.fence()
        assert 1 <= len(peer.of(PUSH)) <= 2
        peer.send(settings((WINDOW_SIZE, 65_535)), window(0, 1_000_000))

        def messages() -> int:
            pushed = sum(one.kind == DATA and one.ends_stream and one.stream % 2 == 0 for one in peer.frames)
            return pushed + peer.content(1).count(b'"id":')

        peer.until(lambda: messages() == 6)
        assert messages() == 6


def test_nothing_is_promised_once_pushes_are_turned_off_and_the_message_comes_all_the_same(
    plain: ServerProcess,
) -> None:
    newest = plain.post("x")
    with connected(plain) as peer:
        peer.send(get(1, f"/api/updates?last_id={newest}")).until(lambda: peer.of(HEADERS, 1))
        peer.send(settings((ENABLE_PUSH, 0))).until(lambda: sum(one.flags & 1 for one in peer.of(SETTINGS)) == 2)
        promised = len(peer.of(PUSH))
        plain.post("after")
        peer.until(lambda: b'"after"' in peer.content(1) or peer.ended(1))
        assert len(peer.of(PUSH)) == promised


def test_a_limit_of_no_streams_forbids_pushes_and_nothing_else(plain: ServerProcess) -> None:
    newest = plain.post("y")
    with connected(plain, (STREAMS, 0)) as peer:
        peer.send(get(1, f"/api/updates?last_id={newest}")).until(lambda: peer.of(HEADERS, 1))
        plain.post("no push")
        peer.fence()
        assert (peer.of(PUSH), len(peer.of(HEADERS, 1))) == ([], 1)


def test_a_client_that_says_goaway_still_gets_its_answer(plain: ServerProcess) -> None:
    newest = plain.post("z")
    with connected(plain) as peer:
        peer.send(get(1, f"/api/longpoll?last_id={newest}&timeout=60"))
        held(plain, 1)
        peer.send(frame(GOAWAY, 0, 0, struct.pack(">LL", 0, 0)))
        plain.post("late")
        peer.until(lambda: peer.ended(1))
        assert b'"late"' in peer.content(1)


def test_sigterm_ends_what_is_open_behind_a_goaway_that_names_it() -> None:
    with serving(*PATTERNS) as server, connected(server) as peer:
        peer.send(get(1, "/api/longpoll?last_id=0&timeout=60"))
        held(server, 1)
        server.tell_to_stop()
        peer.until(lambda: False)
        last, code = struct.unpack(">LL", peer.of(GOAWAY)[-1].payload[:8])
        assert (last, code, peer.ended(1)) == (1, 0, True)
