"""Ports for programs that must be told one before they start."""

import socket

import pytest

from servers.web import free_port as module
from servers.web.free_port import LOWEST, PORTS, free_port


def test_a_process_is_never_given_the_same_port_twice_in_a_row() -> None:
    ports = [free_port() for _ in range(100)]
    assert len(set(ports)) == 100
    assert all(LOWEST <= port < LOWEST + PORTS for port in ports)


def test_a_port_that_is_taken_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        monkeypatch.setattr(module, "PORTS", 2)
        monkeypatch.setattr(module, "LOWEST", taken.getsockname()[1])
        assert {free_port(), free_port()} == {taken.getsockname()[1] + 1}
