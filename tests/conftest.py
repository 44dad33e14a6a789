"""Fixtures that several folders of tests share."""

from collections.abc import Iterator

import pytest

from tests.server_process import ServerProcess, serving


@pytest.fixture(scope="session")
def server() -> Iterator[ServerProcess]:
    """One server process with every pattern, publishing what tests post; ids go on from test to test."""
    with serving("--history", "300", "--send-buffer", "65536", "--heartbeat", "0.4") as process:
        yield process


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files instead of comparing them")
