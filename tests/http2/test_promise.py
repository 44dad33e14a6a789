"""A push composed by hand is, byte for byte, what h2 would have written, and leaves h2 as h2 would have left itself."""

from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, PushedStreamReceived
from h2.settings import SettingCodes, Settings
from hpack import NeverIndexedHeaderTuple
from hypothesis import given
from hypothesis import strategies as st

from servers.http2.h2_server import ServerH2
from servers.http2.limits import DEFAULT_LIMITS
from servers.http2.promise import Promiser, PushedResponse

REQUEST = ((b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"127.0.0.1:8081"))
PLAIN = ((b":status", b"200"), (b"content-type", b"text/plain"))
JSON = ((b":status", b"200"), (b"content-type", b"application/json"), (b"x-more", b"yes"))

responses = st.builds(
    PushedResponse,
    st.binary(max_size=300).map(lambda tail: b"/p" + tail.hex().encode()),
    st.sampled_from([PLAIN, JSON]),
    st.binary(max_size=400),
)


def server(settings: dict[SettingCodes, int] | None = None) -> tuple[ServerH2, H2Connection]:
    """Return a server's h2 with one open request, and the client's."""
    client = H2Connection(H2Configuration(client_side=True))
    client.local_settings = Settings(client=True, initial_values=settings)
    client.initiate_connection()
    client.increment_flow_control_window(2**30)
    h2 = ServerH2(DEFAULT_LIMITS)
    h2.start(DEFAULT_LIMITS)
    client.send_headers(1, [*REQUEST, (b":path", b"/")], end_stream=True)
    h2.receive_data(client.data_to_send())
    h2.send_headers(1, [(b":status", b"200"), (b"date", b"today")])
    client.receive_data(h2.data_to_send())
    return h2, client


def as_h2_does(h2: ServerH2, response: PushedResponse) -> bytes:
    promised_id = h2.get_next_available_stream_id()
    h2.push_stream(1, promised_id, [*REQUEST, NeverIndexedHeaderTuple(b":path", response.path)])
    length = NeverIndexedHeaderTuple(b"content-length", b"%d" % len(response.body))
    h2.send_headers(promised_id, [*response.fields, length])
    h2.send_data(promised_id, response.body, end_stream=True)
    return h2.data_to_send()


def state(h2: ServerH2) -> tuple[Any, ...]:
    table = h2.encoder.header_table
    return (
        h2.highest_outbound_stream_id,
        h2.outbound_flow_control_window,
        list(table.dynamic_entries),
        h2.open_outbound_streams,
        sorted(h2.streams),
    )


@given(st.lists(st.one_of(responses, st.just("other response"), st.integers(0, 5000)), max_size=12))
def test_both_write_the_same_bytes_in_any_sequence(steps: list[PushedResponse | str | int]) -> None:
    """Between pushes other responses change the HPACK table, and the client its size."""
    ours, theirs = server()[0], server()[0]
    promiser = Promiser(ours)
    for number, step in enumerate(steps):
        if isinstance(step, PushedResponse):
            composed = promiser.compose(1, REQUEST, step)
            assert composed == as_h2_does(theirs, step)
        elif isinstance(step, int):
            for h2 in (ours, theirs):
                h2.encoder.header_table_size = step
        else:
            for h2 in (ours, theirs):
                h2.encoder.encode([(b"x-other", b"%d" % number)])
        assert state(ours) == state(theirs)


@given(st.lists(responses, min_size=1, max_size=8))
def test_a_client_on_h2_reads_what_was_composed(pushes: list[PushedResponse]) -> None:
    h2, client = server()
    promiser = Promiser(h2)
    wire = [promiser.compose(1, REQUEST, push) or b"" for push in pushes]
    events = client.receive_data(b"".join(wire))
    promised = [dict(event.headers or [])[b":path"] for event in events if isinstance(event, PushedStreamReceived)]
    bodies = [event.data for event in events if isinstance(event, DataReceived)]
    assert promised == [push.path for push in pushes]
    assert bodies == [push.body for push in pushes]


@pytest.mark.parametrize(
    ("settings", "window_bytes"),
    [({SettingCodes.INITIAL_WINDOW_SIZE: 9}, None), ({}, 9)],
)
def test_what_does_not_fit_is_not_composed_and_nothing_has_changed(
    settings: dict[SettingCodes, int], window_bytes: int | None
) -> None:
    h2, _ = server(settings)
    if window_bytes is not None:
        h2.outbound_flow_control_window = window_bytes
    before = state(h2)
    assert Promiser(h2).compose(1, REQUEST, PushedResponse(b"/a", PLAIN, b"0123456789")) is None
    assert state(h2) == before
    assert Promiser(h2).compose(1, REQUEST, PushedResponse(b"/a", PLAIN, b"012345678")) is not None


def test_a_client_may_say_anything_about_a_stream_that_was_pushed_whole() -> None:
    h2, client = server()
    composed = Promiser(h2).compose(1, REQUEST, PushedResponse(b"/a", PLAIN, b"body"))
    assert composed is not None
    client.receive_data(composed[:40])
    client.increment_flow_control_window(10, 2)
    client.reset_stream(2, 8)
    client.prioritize(1)
    events = h2.receive_data(client.data_to_send())
    assert [type(event).__name__ for event in events] == ["SettingsAcknowledged", "PriorityUpdated"]
    assert h2.data_to_send() == b""
