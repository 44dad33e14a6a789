"""The roster over HTTP: who may ask, and files that come whole, once, or not at all."""

import http.client
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtests.records.rows import DELIVERY
from loadtests.runs.hosts.line import Line, WrongToken
from loadtests.runs.hosts.messages import Asking, HostRefused, Work
from loadtests.runs.hosts.office import Office
from loadtests.runs.hosts.pieces import piece_of, pieces_of
from loadtests.runs.hosts.roster import Roster
from tests.hosts.wanted import VERSIONS, Host, some_work

TOKEN = "a-token-of-tests"
ROWS = DELIVERY.pack(*range(8)) * 1000


class Begun:
    """A run that waits for the rows of one host, beta."""

    def __init__(self, folder: Path) -> None:
        self.raw = folder / "raw"
        self.raw.mkdir()
        self.unwritten: list[OSError] = []
        self.roster = Roster(VERSIONS)
        self.office = Office("127.0.0.1", 0, TOKEN, self.roster, self.unwritten.append)
        self.line = self.to_it(TOKEN)
        self.beta = Host(self.roster, "beta")
        self.line.join(self.beta.joining(), lambda _: None)
        self.work: Work = some_work()
        self.roster.begin(1, self.work, self.raw)

    def to_it(self, token: str) -> Line:
        return Line("127.0.0.1", self.office.port, token, 0.0)


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Begun]:
    run = Begun(tmp_path)
    yield run
    run.office.close()


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A file of rows, as beta has it."""
    file = tmp_path / "deliveries-sse-7@beta.rows"
    file.write_bytes(ROWS)
    return file


def test_without_the_token_nothing_is_told_but_that_it_is_there(begun: Begun) -> None:
    wrong = begun.to_it("another-token")
    with pytest.raises(WrongToken):
        wrong.join(begun.beta.joining(), lambda _: None)
    with pytest.raises(WrongToken):
        wrong.orders(Asking(name="beta", instance=begun.beta.instance))
    connection = http.client.HTTPConnection("127.0.0.1", begun.office.port, timeout=10)
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"pollbench\n"
    connection.request("GET", "/orders")
    assert connection.getresponse().status == 401
    connection.close()


def test_a_file_comes_as_it_was_sent_and_again_is_the_same_file(begun: Begun, recorded: Path) -> None:
    piece, moved = piece_of(recorded), list[int]()
    assert piece.rows == 1000
    told = begun.beta.handed_in(begun.work.attempt, piece)
    for _ in range(2):
        begun.line.send(piece, recorded, told, moved.append)
        begun.line.hand_in(told)
    assert sum(moved) == 2 * len(ROWS)
    assert pieces_of(begun.raw) == [piece]


def test_of_a_host_that_dies_in_the_middle_of_a_file_nothing_is_left(begun: Begun, recorded: Path) -> None:
    piece, told = piece_of(recorded), begun.beta.handed_in(begun.work.attempt, piece_of(recorded))
    head = (
        f"PUT /pieces/{begun.work.attempt}/beta/{piece.file} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"X-Instance: {begun.beta.instance}\r\nContent-Length: {len(ROWS)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", begun.office.port), 10) as dying:
        dying.sendall(head.encode() + ROWS[:1000])
        dying.shutdown(socket.SHUT_WR)
        assert dying.recv(1) == b"", "the other side has seen the end, and is done with it"
    assert list(begun.raw.iterdir()) == []
    with pytest.raises(HostRefused, match="send it again"):
        begun.line.hand_in(told)
    begun.line.send(piece, recorded, told, lambda _: None)
    begun.line.hand_in(told)
    assert pieces_of(begun.raw) == [piece]


def test_a_file_that_was_changed_on_its_way_is_not_taken_for_it(begun: Begun, recorded: Path) -> None:
    piece = piece_of(recorded)
    told = begun.beta.handed_in(begun.work.attempt, piece)
    recorded.write_bytes(ROWS[:-1] + b"!")
    begun.line.send(piece, recorded, told, lambda _: None)
    with pytest.raises(HostRefused, match="has not come as it was sent"):
        begun.line.hand_in(told)
    assert begun.roster.of_crew()[0].pieces is None


@pytest.mark.parametrize(
    "name", ["deliveries-sse-7@alpha.rows", "deliveries-sse-7.rows", "../cell.json", "a/b@beta.rows"]
)
def test_a_host_writes_no_file_but_its_own(begun: Begun, recorded: Path, name: str) -> None:
    piece = piece_of(recorded)
    told = begun.beta.handed_in(begun.work.attempt, piece)
    other = type(piece)(file=name, size_bytes=piece.size_bytes, rows=0, sha256=piece.sha256)
    with pytest.raises((HostRefused, http.client.HTTPException, OSError)):
        begun.line.send(other, recorded, told, lambda _: None)
    assert list(begun.raw.iterdir()) == []
    assert not (begun.raw.parent / "cell.json").exists()


def test_a_disk_of_the_run_that_is_full_is_told_to_the_run(begun: Begun, recorded: Path) -> None:
    piece = piece_of(recorded)
    begun.raw.rmdir()
    begun.raw.write_bytes(b"no folder, so nothing can be written into it")
    with pytest.raises((HostRefused, OSError)):
        begun.line.send(piece, recorded, begun.beta.handed_in(begun.work.attempt, piece), lambda _: None)
    assert isinstance(begun.unwritten[0], NotADirectoryError)


@pytest.mark.parametrize(
    "body", [b"", b"no JSON", b'{"name": "beta"}', b'{"name": "../x", "instance": ""}', b"[" * 9999]
)
def test_what_is_not_understood_is_refused_in_a_line(begun: Begun, body: bytes) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", begun.office.port, timeout=10)
    for path in ("/join", "/orders", "/handed-in", "/leave", "/elsewhere"):
        connection.request("POST", path, body, {"Authorization": f"Bearer {TOKEN}"})
        answer = connection.getresponse()
        assert (answer.status, answer.read().count(b"\n")) in {(400, 0), (409, 0)}
        connection.close()
