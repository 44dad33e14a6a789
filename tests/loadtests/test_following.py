"""Users follow servers that are not ours as their adapters say: whatever the envelope, every message counts once."""

import base64
import gzip
import hashlib
import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from servers.targets.tracer import mint
from servers.web.websocket_frames import FINAL, TEXT, FrameReader, frame
from tests.loadtests.foreign_server import Case, Serve, answer, chunk, met, request_of, reset

PUBLISH = '[publish]\nrequest = "POST /messages"\n'
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LINES = EVENTS.replace(b"text/event-stream", b"text/plain")
OVER = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 7\r\n\r\nexpired"


def tracer(number: int) -> str:
    return mint("0af3", number, 1_000, 2_000)


def text(number: int) -> bytes:
    return json.dumps({"text": f'<b>"hello" & {number} {tracer(number)}'}).encode()


def stream(head: bytes, *events: bytes) -> Serve:
    """Send a head and these chunks to whoever asks, and then nothing."""

    def serve(connection: socket.socket, _: int) -> None:
        request_of(connection)
        connection.sendall(head + b"".join(map(chunk, events)))
        connection.recv(1)

    return serve


def resumed(connection: socket.socket, _: int) -> None:
    """Send one event with an id of our own making, then break off; go on behind what the client says it has."""
    request = request_of(connection)
    last = re.search(rb"Last-Event-ID: x-(\d)\r", request)
    number = int(last[1]) + 1 if last else 1
    if number > 3:
        connection.recv(1)
        return
    connection.sendall(EVENTS + chunk(b"event: news\r\nid: x-%d\r\ndata: %b\r\n\r\n" % (number, text(number))))
    reset(connection)


def offsets(connection: socket.socket, _: int) -> None:
    """Tell in an event of its own where to go on, as Durable Streams do, and one message a connection."""
    request = request_of(connection)
    at = re.search(rb"offset=(\d+)", request)
    assert at is not None
    number = int(at[1]) + 1
    if number > 3:
        connection.recv(1)
        return
    control = b'event: control\ndata: {"next":"%d"}\n\n' % number
    connection.sendall(EVENTS + chunk(b"event: data\ndata: %b\n\n" % text(number)) + chunk(control))


def cursor_polls(connection: socket.socket, _: int) -> None:
    """Say in a header where to go on; an answer without news is 204, and 408 ends the connection, as nchan has it."""
    idle = 0
    while request := request_of(connection):
        since = int((re.search(rb"since=(\d*)", request) or [b"", b""])[1] or 0)
        idle += 1
        if since == 2 and idle == 3:
            connection.sendall(b"HTTP/1.1 204 No Content\r\nX-Next: 2\r\n\r\n")
        elif since == 2 and idle == 4:
            connection.sendall(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            return
        elif since < 3:
            connection.sendall(answer(b"[%b]" % text(since + 1), b"X-Next: %d" % (since + 1)))


def whole_lists(connection: socket.socket, _: int) -> None:
    """Tell everything each time, as an API without a cursor does."""
    told = 0
    while request_of(connection):
        told = min(told + 1, 3)
        connection.sendall(answer(b"[%b]" % b",".join(map(text, range(1, told + 1)))))


def sessions() -> Serve:
    """Have a session made first, by two requests; forget it after two messages, as if it had expired."""
    made: list[str] = []

    def serve(connection: socket.socket, _: int) -> None:
        while request := request_of(connection):
            if request.startswith(b"POST /sessions HTTP/1.1"):
                made.append(f"s{len(made)}")
                connection.sendall(answer(json.dumps({"session": {"id": made[-1]}}).encode(), status=b"201 Created"))
            elif request.startswith(b"PUT /sessions/"):
                connection.sendall(answer(b"ok"))
            elif f"sid={made[-1]} ".encode() in request and told(len(made)):
                connection.sendall(answer(text(told(len(made)).pop(0))))
            elif len(made) == 1:
                connection.sendall(OVER)

    waiting: dict[int, list[int]] = {1: [1, 2], 2: [3]}

    def told(number: int) -> list[int]:
        return waiting.get(number, [])

    return serve


def pinged() -> Serve:
    """Ping after the first message, and go on only when the pong has come."""
    ponged: list[bytes] = []

    def serve(connection: socket.socket, _: int) -> None:
        number = 0
        while request := request_of(connection):
            if request.startswith(b"POST /pong/7 "):
                ponged.append(request)
                connection.sendall(answer(b"ok"))
            elif number == 1 and not ponged:
                connection.sendall(answer(b"ping 7"))
            elif number < 3:
                number += 1
                connection.sendall(answer(text(number)))

    return serve


def bodies(request_has: bytes) -> Serve:
    """Answer a POST, but only where this stands in it."""

    def serve(connection: socket.socket, _: int) -> None:
        request = request_of(connection)
        length = int((re.search(rb"Content-Length: (\d+)", request) or [b"", b"0"])[1])
        while length > len(request.partition(b"\r\n\r\n")[2]):
            request += connection.recv(65_536)
        if request_has in request:
            connection.sendall(EVENTS + b"".join(chunk(b"data: %b\n\n" % text(number)) for number in (1, 2, 3)))
            connection.recv(1)

    return serve


def accept(request: bytes, *fields: bytes) -> bytes:
    key = (re.search(rb"Sec-WebSocket-Key: (\S+)", request) or [b"", b""])[1]
    proof = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    own = b"".join(field + b"\r\n" for field in fields)
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n%b\r\n" % (proof, own)
    )


def frames(connection: socket.socket) -> Iterator[bytes]:
    reader = FrameReader(masked=True, limit_bytes=65_536)
    while data := connection.recv(65_536):
        for _, payload, _ in reader.receive(data):
            yield bytes(payload)


def say(connection: socket.socket, payload: bytes) -> None:
    connection.sendall(frame(FINAL | TEXT, payload, 0))


def chat(connection: socket.socket, _: int) -> None:
    request = request_of(connection)
    assert b"Sec-WebSocket-Protocol: news.v1\r\n" in request
    assert b"GET /chat?room=0af3 HTTP/1.1" in request
    connection.sendall(accept(request, b"Sec-WebSocket-Protocol: news.v1"))
    for number in (1, 2, 3):
        say(connection, text(number))
    connection.recv(1)


def socketio(connection: socket.socket, _: int) -> None:
    """Open, be asked to connect, ping, and go on only when the pong has come."""
    connection.sendall(accept(request_of(connection)))
    heard = frames(connection)
    say(connection, b'0{"sid":"abc"}')
    assert next(heard) == b"40/abc"
    say(connection, b'40{"sid":"abc"}')
    say(connection, b'42["message","%b"]' % tracer(1).encode())
    say(connection, b"2")
    assert next(heard) == b"3"
    for number in (2, 3):
        say(connection, b'42["message",%b]' % json.dumps(text(number).decode()).encode())
    connection.recv(1)


def turned_away(connection: socket.socket, _: int) -> None:
    connection.sendall(accept(request_of(connection)))
    say(connection, b"go away")
    connection.recv(1)


def states(connection: socket.socket, _: int) -> None:
    """Tell a state, the same one more than once."""
    request_of(connection)
    connection.sendall(LINES + b"".join(chunk(text(number) + b"\n") for number in (1, 1, 3, 3)))
    connection.recv(1)


def packed(connection: socket.socket, _: int) -> None:
    request = request_of(connection)
    assert b"Accept-Encoding: gzip\r\n" in request
    body = gzip.compress(b"".join(b"data: %b\n\n" % text(number) for number in (1, 2, 3)))
    connection.sendall(EVENTS.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n") + chunk(body))
    connection.recv(1)


def hidden(*numbers: int) -> bytes:
    """Return what etcd sends: values in base64."""
    values = (base64.b64encode(text(number)).rstrip(b"=").decode() for number in numbers)
    return json.dumps({"events": [{"kv": {"value": value}} for value in values]}).encode()


def sse(more: str = "", request: str = "GET /events") -> str:
    return f"{PUBLISH}[sse]\nrequest = '{request}'\n{more}"


FORMS: dict[str, Case] = {
    "events, CRLF": Case(
        "sse",
        stream(EVENTS, b": hello\r\n\r\n", *(b"data: %b\r\n\r\n" % text(each) for each in (1, 2, 3))),
        adapter=sse(),
    ),
    "events, resumed by their id": Case(
        "sse",
        resumed,
        adapter=sse(
            'headers = { Last-Event-ID = "{{last}}" }\n'
            r"remember = { last = 'regex (?m)^id: ?([^\r\n]+)[\r\n]' }"
        ),
    ),
    "events, resumed by an offset in one of them": Case(
        "sse",
        offsets,
        adapter=sse('first = { at = "0" }\nremember = { at = "json /next" }', "GET /e?offset={{at|url}}"),
    ),
    "events in gzip": Case("sse", packed, adapter=sse("gzip = true")),
    "events, asked for by POST": Case(
        "sse",
        bodies(b'\r\n\r\n{"channel": "0af3-'),
        adapter=sse(request='POST /events {"channel": "{{run}}-{{client}}"}'),
    ),
    "events in base64": Case(
        "sse",
        stream(EVENTS, b"data: %b\n\n" % hidden(1), b"data: %b\n\n" % hidden(2, 3)),
        adapter=sse('find = \'regex "value": "([^"]*)"\'\nbase64 = true'),
    ),
    "lines": Case(
        "chunked",
        stream(LINES, b"\n", text(1) + b"\r\n" + text(2)[:20], text(2)[20:] + b"\n", text(3) + b"\n"),
        adapter=f'{PUBLISH}[chunked]\nrequest = "/feed"',
    ),
    "chunks without a line end": Case(
        "chunked",
        stream(LINES, b"hello ", text(1), text(2)[:-20], text(2)[-20:] + text(3)),
        adapter=f'{PUBLISH}[chunked]\nrequest = "/feed"',
    ),
    "polls, by a header": Case(
        "long_polling",
        cursor_polls,
        adapter=f'{PUBLISH}[long_polling]\nrequest = "/p?since={{{{n}}}}"\n'
        'first = { n = "0" }\nremember = { n = "header X-Next" }',
    ),
    "polls of whole lists": Case("short_polling", whole_lists, adapter=f'{PUBLISH}[short_polling]\nrequest = "/all"'),
    "polls of a session that expires": Case(
        "long_polling",
        sessions(),
        adapter=f"""{PUBLISH}[long_polling]
request = "/poll?sid={{{{sid|url}}}}"
connect = [{{ request = "POST /sessions", expect = "201", remember = {{ sid = "json /session/id" }} }},
           {{ request = "PUT /sessions/{{{{sid}}}} join", expect = "regex ok" }}]""",
    ),
    "polls that are pinged": Case(
        "long_polling",
        pinged(),
        adapter=f"""{PUBLISH}[long_polling]
request = "/poll"
reply = [{{ when = 'regex ^ping (.*)', send = "POST /pong/{{{{found}}}} pong" }}]""",
    ),
    "a WebSocket with a subprotocol": Case(
        "websocket",
        chat,
        adapter=f'{PUBLISH}[websocket]\nwebsocket = "/chat?room={{{{run}}}}"\nsubprotocol = "news.v1"',
    ),
    "a WebSocket with a handshake and pings of its own": Case(
        "websocket",
        socketio,
        adapter=f"""{PUBLISH}[websocket]
websocket = "/socket.io/"
connect = [{{ expect = "regex ^0", remember = {{ sid = 'regex "sid":"([^"]+)"' }} }},
           {{ send = "40/{{{{sid}}}}", expect = "regex ^40" }}]
reply = [{{ when = "regex ^2$", send = "3" }}]""",
    ),
}
TROUBLED = {
    "a step that is refused": Case(
        "sse",
        stream(OVER),
        requests=2,
        adapter=sse('connect = [{ request = "POST /login", remember = { sid = "json /sid" } }]'),
    ),
    "a step that tells nothing": Case(
        "sse",
        stream(answer(b"{}")),
        requests=2,
        adapter=sse('connect = [{ request = "/login", remember = { sid = "json /sid" } }]', "GET /e?sid={{sid}}"),
    ),
    "a frame that was not expected": Case(
        "websocket",
        turned_away,
        requests=2,
        adapter=f'{PUBLISH}[websocket]\nwebsocket = "/"\nconnect = [{{ expect = "regex ^0" }}]',
    ),
}


@pytest.fixture(scope="module")
def all_users() -> Iterator[dict[str, Any]]:
    with met({**FORMS, **TROUBLED}, poll_interval_s=0.05, poll_start="spread") as found:
        yield found


@pytest.mark.parametrize("name", FORMS)
def test_every_message_arrives_once_whatever_is_around_it(name: str, all_users: dict[str, Any]) -> None:
    became = all_users[name]
    assert not became["died"]
    assert became["delivered"] == [1, 2, 3]


def test_an_expired_session_is_made_anew_and_the_poll_that_met_it_is_recorded(all_users: dict[str, Any]) -> None:
    requests = all_users["polls of a session that expires"]["requests"]
    assert [(each["status"], each["error"]) for each in requests if each["error"] == "status"] == [(400, "status")]


def test_answers_that_say_there_is_nothing_new_are_no_errors(all_users: dict[str, Any]) -> None:
    requests = all_users["polls, by a header"]["requests"]
    assert [(each["status"], each["error"]) for each in requests if each["status"] and not each["messages"]] == [
        (204, ""),
        (408, ""),
    ]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a step that is refused", "connect: POST: the server answered 400 (no telling headers), b'expired'"),
        ("a step that tells nothing", "no response has set sid yet"),
        ("a frame that was not expected", "connect: 'regex ^0' is not in what came: b'go away'"),
    ],
)
def test_what_goes_wrong_before_a_subscription_stands_is_said(name: str, says: str, all_users: dict[str, Any]) -> None:
    became = all_users[name]
    assert not became["died"]
    assert {each["error"] for each in became["requests"]} - {"cut"} == {"protocol"}
    assert says in all_users["stderr"]


def test_a_state_that_is_told_again_is_no_second_delivery() -> None:
    adapter = f'{PUBLISH}[chunked]\nrequest = "/feed"\nlatest = true'
    with met({"states": Case("chunked", states, adapter=adapter)}) as found:
        assert found["states"]["delivered"] == [1, 3]
