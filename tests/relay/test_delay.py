"""What comes through comes late: half a round trip each way, and a connection pays for its handshake."""

import socket

import pytest

from tests.relay.running import Stopwatch, abort, listening, patient, read_exactly, relay_to, relayed

RTT_MS = 60
RTT = f"{RTT_MS}ms"


def round_trip_ms(client: socket.socket, server: socket.socket) -> float:
    watch = Stopwatch()
    client.sendall(b"ping")
    assert read_exactly(server, 4) == b"ping"
    assert watch.ms >= RTT_MS / 2
    server.sendall(b"pong")
    assert read_exactly(client, 4) == b"pong"
    return watch.ms


def test_an_exchange_takes_a_round_trip() -> None:
    with relayed("--rtt", RTT) as link:
        assert min(round_trip_ms(link.client, link.server) for _ in range(5)) >= RTT_MS


def test_an_exchange_over_an_open_connection_does_not_pay_the_handshake_again() -> None:
    with relayed("--rtt", RTT) as link:
        assert min(round_trip_ms(link.client, link.server) for _ in range(5)) < 2 * RTT_MS


def test_jitter_only_ever_adds() -> None:
    with relayed("--rtt", RTT, "--jitter", "10ms") as link:
        assert min(round_trip_ms(link.client, link.server) for _ in range(5)) >= RTT_MS


def test_the_server_sees_a_connection_when_its_handshake_would_have_ended() -> None:
    with listening() as server, relay_to(server, "--rtt", RTT) as relay:
        watch = Stopwatch()
        with relay.connect(), patient(server.accept()[0]):
            assert watch.ms >= 1.5 * RTT_MS


def test_the_first_answer_takes_two_round_trips() -> None:
    with listening() as server, relay_to(server, "--rtt", RTT) as relay:
        watch = Stopwatch()
        with relay.connect() as client:
            client.sendall(b"ping")
            with patient(server.accept()[0]) as end:
                assert read_exactly(end, 4) == b"ping"
                assert watch.ms >= 1.5 * RTT_MS
                end.sendall(b"pong")
                assert read_exactly(client, 4) == b"pong"
                assert watch.ms >= 2 * RTT_MS


def test_a_server_that_speaks_first_is_heard_after_two_round_trips() -> None:
    with listening() as server, relay_to(server, "--rtt", RTT) as relay:
        watch = Stopwatch()
        with relay.connect() as client, patient(server.accept()[0]) as end:
            end.sendall(b"220 ready")
            assert client.recv(100) == b"220 ready"
            assert watch.ms >= 2 * RTT_MS


def test_a_fin_travels_for_half_a_round_trip() -> None:
    with relayed("--rtt", RTT) as link:
        watch = Stopwatch()
        link.client.shutdown(socket.SHUT_WR)
        assert link.server.recv(1) == b""
        assert watch.ms >= RTT_MS / 2


def test_a_reset_travels_for_half_a_round_trip() -> None:
    with relayed("--rtt", RTT) as link:
        watch = Stopwatch()
        abort(link.server)
        with pytest.raises(ConnectionResetError):
            link.client.recv(1)
        assert watch.ms >= RTT_MS / 2
