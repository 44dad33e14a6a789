"""What many clients of a process hear alike is kept once, and what differs by client is kept for each."""

import os

import pytest

from loadtests.foreign.client import ForeignClient
from loadtests.foreign.spec import ForeignTarget
from loadtests.protocols.asking import Ask
from loadtests.users.foreign import ForeignStream
from servers.targets.client import Heard
from servers.targets.reading import read_adapter

TABLES = """
url = "http://127.0.0.1:1"
publish.request = "POST /"

[chunked]
request = "GET /after/{{{{last}}}}"
first = {{ last = "0" }}
remember = {{ last = "{rule}" }}
"""
ASK = Ask(
    netloc="", path="/", random_bytes=os.urandom, cursor=0, tls=False, gzip=False, limit_bytes=100_000, hold_s=1.0,
    one_per_response=False,
)  # fmt: skip


def followed(rule: str, etag: str, monkeypatch: pytest.MonkeyPatch) -> tuple[ForeignClient, list[Heard]]:
    """A client that has heard one line, and all that it was told to remember."""
    target = ForeignTarget(adapter=read_adapter(TABLES.format(rule=rule), "here"), url="http://127.0.0.1:1", run="abcd")
    client = ForeignClient(target, "chunked", 1, target.scanner())
    told: list[Heard] = []
    remember = client.hear

    def hear(heard: Heard) -> None:
        told.append(heard)
        remember(heard)

    monkeypatch.setattr(client, "hear", hear)
    stream = ForeignStream(client)
    decoder = stream.follow(ASK)
    decoder.receive(b"HTTP/1.1 200 OK\r\nETag: %s\r\nTransfer-Encoding: chunked\r\n\r\n" % etag.encode())
    decoder.receive(b'a\r\n{"id": 6}\n\r\n')
    body = decoder.lone(b'a\r\n{"id": 7}\n\r\n')
    assert body is not None
    stream.take_lone(body)
    return client, told


def test_clients_that_hear_the_same_keep_one_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    (first, one), (second, other) = (followed("json /id", etag, monkeypatch) for etag in ("a", "b"))
    assert one[0] is other[0]
    assert first.request().startswith(b"GET /after/7 ")
    assert second.request().startswith(b"GET /after/7 ")


def test_what_a_header_said_is_each_clients_own(monkeypatch: pytest.MonkeyPatch) -> None:
    (first, _), (second, _) = (followed("header ETag", etag, monkeypatch) for etag in ("a", "b"))
    assert first.request().startswith(b"GET /after/a ")
    assert second.request().startswith(b"GET /after/b ")
