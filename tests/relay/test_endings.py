"""However a connection ends, the other side hears of it the same way, and the relay keeps nothing."""

import socket
import subprocess
import sys
import time

import pytest

from tests.relay.running import (
    PATIENCE_S,
    Relay,
    abort,
    listening,
    patient,
    read_exactly,
    read_to_end,
    relay_to,
    relayed,
)


def wait_until_idle(relay: Relay) -> None:
    """Return once the relay holds no more open files than before its first connection."""
    until_s = time.monotonic() + PATIENCE_S
    while relay.open_files() > relay.files_when_idle and time.monotonic() < until_s:
        time.sleep(0.01)
    assert relay.open_files() == relay.files_when_idle


@pytest.mark.parametrize("rtt", ["0", "20ms"])
def test_a_half_closed_connection_still_carries_the_answer(rtt: str) -> None:
    answer = b"answer" * 100_000
    with relayed("--rtt", rtt) as link:
        link.client.sendall(b"question")
        link.client.shutdown(socket.SHUT_WR)
        assert read_to_end(link.server) == b"question"
        link.server.sendall(answer)
        link.server.close()
        assert read_to_end(link.client) == answer
        wait_until_idle(link.relay)


@pytest.mark.parametrize("rtt", ["0", "20ms"])
def test_a_server_that_closes_first_still_hears_the_client(rtt: str) -> None:
    with relayed("--rtt", rtt) as link:
        link.server.shutdown(socket.SHUT_WR)
        assert read_to_end(link.client) == b""
        link.client.sendall(b"and yet")
        link.client.close()
        assert read_to_end(link.server) == b"and yet"
        wait_until_idle(link.relay)


@pytest.mark.parametrize("rtt", ["0", "20ms"])
def test_a_reset_reaches_the_other_side_behind_the_bytes_before_it(rtt: str) -> None:
    with relayed("--rtt", rtt) as link:
        link.client.sendall(b"last words")
        time.sleep(0.05)
        abort(link.client)
        assert read_exactly(link.server, 10) == b"last words"
        with pytest.raises(ConnectionResetError):
            link.server.recv(1)
        wait_until_idle(link.relay)


def test_a_client_that_is_killed_vanishes_for_the_server_too() -> None:
    connect = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); input()"
    with listening() as server, relay_to(server, "--rtt", "10ms") as relay:
        arguments = [sys.executable, "-c", connect, str(relay.ready["port"])]
        with subprocess.Popen(arguments, stdin=subprocess.PIPE) as client, patient(server.accept()[0]) as end:
            client.kill()
            assert read_to_end(end) == b""
        wait_until_idle(relay)


def test_a_writer_learns_that_its_reader_has_closed() -> None:
    with relayed("--rtt", "4ms") as link:
        link.client.close()
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            while True:
                link.server.sendall(b"news")
                time.sleep(0.002)
        wait_until_idle(link.relay)


def test_a_client_that_leaves_during_the_handshake_leaves_nothing_behind() -> None:
    with listening() as server, relay_to(server, "--rtt", "40ms") as relay:
        for leave in (abort, socket.socket.close):
            client = relay.connect()
            client.sendall(b"too late")
            leave(client)
            with patient(server.accept()[0]) as end:
                assert read_exactly(end, 8) == b"too late"
        wait_until_idle(relay)


def test_a_reset_behind_unread_bytes_arrives_once_they_are_read() -> None:
    with relayed("--rtt", "4ms") as link:
        sent = fill(link.client)
        abort(link.client)
        received = 0
        with pytest.raises(ConnectionResetError):
            while part := link.server.recv(1 << 20):
                received += len(part)
        assert received <= sent
        wait_until_idle(link.relay)


def test_a_side_that_talks_but_does_not_read_learns_that_the_other_is_gone() -> None:
    with relayed("--rtt", "4ms") as link:
        sent = fill(link.client)
        abort(link.client)
        link.server.sendall(b"hello?")
        wait_until_idle(link.relay)
        received = 0
        with pytest.raises(ConnectionResetError):
            while part := link.server.recv(1 << 20):
                received += len(part)
        assert received < sent


def test_a_reset_does_not_wait_for_room_that_nobody_makes() -> None:
    with relayed("--rtt", "400ms") as link:
        link.server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        link.client.sendall(bytes(4_000_000))
        time.sleep(0.05)
        abort(link.client)
        wait_until_idle(link.relay)


def fill(sock: socket.socket) -> int:
    """Send until nothing goes any more; return how much went."""
    sock.settimeout(0.5)
    sent = 0
    try:
        while True:
            sent += sock.send(bytes(65_536))
    except TimeoutError:
        return sent


def test_an_unreachable_server_resets_its_clients_is_counted_and_named_once() -> None:
    with listening() as server, relay_to(server, "--rtt", "20ms") as relay:
        server.close()
        for _ in range(3):
            with relay.connect() as client, pytest.raises(ConnectionResetError):
                client.recv(1)
        wait_until_idle(relay)
        stopped, err = relay.stop()
    assert stopped["refused"] == 3
    assert len(err.splitlines()) == 1
    assert "cannot connect to 127.0.0.1:" in err


def test_connections_beyond_the_limit_of_open_files_are_reset_and_the_rest_go_on() -> None:
    with listening() as server, relay_to(server, "--rtt", "0", files=40) as relay:
        clients = [relay.connect() for _ in range(4)]
        ends = [patient(server.accept()[0]) for _ in clients]
        with pytest.raises(ConnectionResetError), relay.connect() as surplus:
            surplus.recv(1)
        for client in clients:
            client.sendall(b"x")
        assert [end.recv(1) for end in ends] == [b"x"] * 4
        for sock in [*clients, *ends]:
            sock.close()
        wait_until_idle(relay)
        with relay.connect() as again, patient(server.accept()[0]) as end:
            again.sendall(b"x")
            assert end.recv(1) == b"x"
        stopped, err = relay.stop()
    assert stopped["refused"] == 1
    assert "4 connections are open" in err


def test_connections_that_break_with_bytes_on_their_way_are_given_back_exactly_once() -> None:
    with listening() as server, relay_to(server, "--rtt", "60ms", files=36) as relay:
        for _ in range(3):
            with relay.connect() as client, patient(server.accept()[0]) as end:
                for _ in range(20):
                    end.sendall(b"news")
                    time.sleep(0.001)
                abort(client)
                with pytest.raises(ConnectionResetError):
                    end.recv(1)
            wait_until_idle(relay)
        with relay.connect(), relay.connect(), pytest.raises(ConnectionResetError), relay.connect() as surplus:
            surplus.recv(1)


def test_a_relay_that_is_stopped_ends_its_connections() -> None:
    with relayed("--rtt", "4ms") as link:
        link.relay.stop()
        for end in (link.client, link.server):
            assert end.recv(1) == b""
