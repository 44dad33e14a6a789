"""Content waits for windows in memory, without a socket."""

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes, Settings
from hypothesis import given
from hypothesis import strategies as st

from servers.http2.outflow import Outflow


def connection(window_bytes: int, streams: int) -> tuple[H2Connection, H2Connection]:
    """Return a server's h2 with open requests 1, 3, ... whose responses have begun, and the client's."""
    client = H2Connection(H2Configuration(client_side=True))
    client.local_settings = Settings(client=True, initial_values={SettingCodes.INITIAL_WINDOW_SIZE: window_bytes})
    client.initiate_connection()
    server = H2Connection(H2Configuration(client_side=False))
    server.initiate_connection()
    client.receive_data(server.data_to_send())
    for stream_id in range(1, 2 * streams, 2):
        fields = [(":method", "GET"), (":scheme", "http"), (":authority", "h"), (":path", "/")]
        client.send_headers(stream_id, fields, end_stream=True)
        server.receive_data(client.data_to_send())
        server.send_headers(stream_id, [(":status", "200")])
        client.receive_data(server.data_to_send())
    return server, client


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 120), st.integers(1, 1_000))
def test_everything_arrives_in_order_through_any_window(chunks: list[bytes], window_bytes: int, room: int) -> None:
    server, client = connection(window_bytes, 1)
    outflow = Outflow(server)
    for chunk in chunks:
        outflow.add(1, chunk, end=False)
    outflow.add(1, b"", end=True)
    received, ended = b"", False
    while not ended:
        outflow.pump(room)
        for event in client.receive_data(server.data_to_send()):
            kind = type(event).__name__
            if kind == "DataReceived":
                received += event.data  # type: ignore[attr-defined]
                client.acknowledge_received_data(event.flow_controlled_length, 1)  # type: ignore[attr-defined]
            ended = ended or kind == "StreamEnded"
        if not ended and server.local_flow_control_window(1) == 0:
            client.increment_flow_control_window(1, 1)
        server.receive_data(client.data_to_send())
    assert received == b"".join(chunks)
    assert not outflow


def test_a_stream_with_a_shut_window_is_passed_by() -> None:
    server, _ = connection(10, 3)
    outflow = Outflow(server)
    outflow.add(1, b"x" * 11, end=True)
    outflow.add(3, b"x" * 10, end=True)
    outflow.add(5, b"", end=True)
    assert outflow.pump(1_000) == [3, 5]
    assert 1 in outflow


def test_room_is_a_bound_on_what_is_framed_at_once() -> None:
    server, _ = connection(60_000, 2)
    outflow = Outflow(server)
    outflow.add(1, b"x" * 40_000, end=True)
    outflow.add(3, b"x" * 10, end=True)
    assert outflow.pump(20_000) == []
    assert len(server.data_to_send()) <= 20_000 + 2 * 16_384
    assert outflow.pump(5_000) == [1]
    assert outflow.pump(5_000) == [3]


def test_a_stream_that_the_client_has_reset_is_forgotten() -> None:
    server, client = connection(10, 1)
    outflow = Outflow(server)
    outflow.add(1, b"x" * 11, end=True)
    client.reset_stream(1)
    server.receive_data(client.data_to_send())
    assert outflow.pump(1_000) == [1]
    assert not outflow
