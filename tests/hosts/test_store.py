"""Rows by a store: what was put there comes out again, once; a store that fails is named, with its own words."""

import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from loadtests.runs.hosts.pieces import piece_of
from loadtests.runs.hosts.store import Store, StoreFailed

FOLDER = "run/cell/0123456789abcdef"


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    file = tmp_path / "deliveries-sse-7@beta.rows"
    file.write_bytes(os.urandom(3_000_000))
    return file


def test_a_file_comes_out_as_it_was_put_in_and_the_folder_is_cleared(tmp_path: Path, recorded: Path) -> None:
    store, into, moved = Store(str(tmp_path / "store")), tmp_path / "raw", list[int]()
    into.mkdir()
    store.check()
    for _ in range(2):
        store.put(FOLDER, recorded, moved.append)
    store.get(FOLDER, piece_of(recorded), into, moved.append)
    assert (into / recorded.name).read_bytes() == recorded.read_bytes()
    assert sum(moved) == 3 * 3_000_000
    store.clear(FOLDER)
    assert [each for each in (tmp_path / "store").rglob("*") if each.is_file()] == []


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"!", lambda data: b"!" + data[1:]])
def test_a_file_that_is_not_what_was_put_there_is_not_taken(tmp_path: Path, recorded: Path, change) -> None:  # type: ignore[no-untyped-def]
    store, piece = Store(str(tmp_path / "store")), piece_of(recorded)
    recorded.write_bytes(change(recorded.read_bytes()))
    store.put(FOLDER, recorded, lambda _: None)
    with pytest.raises(StoreFailed, match=f"cannot give {piece.file}: "):
        store.get(FOLDER, piece, tmp_path, lambda _: None)


def test_a_store_that_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("no folder")
    with pytest.raises(StoreFailed, match=f"the store {tmp_path}/store cannot be written to: "):
        Store(str(tmp_path / "store")).check()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full, a disk that is always full")
def test_a_store_that_is_full_is_named_with_the_file_that_did_not_fit(tmp_path: Path, recorded: Path) -> None:
    (tmp_path / "store" / FOLDER).mkdir(parents=True)
    (tmp_path / "store" / FOLDER / recorded.name).symlink_to("/dev/full")
    with pytest.raises(StoreFailed, match=f"cannot take {recorded.name}: .*[Nn]o space left"):
        Store(str(tmp_path / "store")).put(FOLDER, recorded, lambda _: None)


class _Refusing(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        body = b"<Error><Code>AccessDenied</Code><Message>Not for you</Message></Error>"
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT  # noqa: N815

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def bucket() -> Iterator[str]:
    """A bucket that speaks S3 as far as it refuses everything."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"s3://bucket/prefix?endpoint_override=127.0.0.1:{server.server_address[1]}&scheme=http&region=eu-1"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_bucket_that_refuses_is_named_with_its_words(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "else")
    with pytest.raises(StoreFailed, match=r"s3://bucket/prefix.* cannot be written to: .*(ACCESS_DENIED|Access)"):
        Store(bucket).check()


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("gs://bucket/prefix", "name a folder, or s3://BUCKET/PREFIX"),
        ("s3://key:secret@bucket/prefix", "AWS_SECRET_ACCESS_KEY"),
        ("s3:///prefix", "s3://BUCKET/PREFIX"),
        ("s3://bucket/prefix?secret_key=1", "secret_key is none of endpoint_override, region, scheme"),
    ],
)
def test_a_place_that_is_none_is_refused_before_anything_runs(place: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        Store(place)
    assert "key:secret" not in str(refused.value)
