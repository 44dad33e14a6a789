"""What people write for durations, bandwidths and addresses, and what they are told when it cannot be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.settings.units import (
    MAX_BITS_PER_S,
    MAX_DURATION_NS,
    format_bandwidth,
    format_duration,
    parse_address,
    parse_bandwidth_bits_per_s,
    parse_duration_ns,
    parse_port,
)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("40ms", 40_000_000),
        ("40", 40_000_000),
        ("0", 0),
        ("0ms", 0),
        ("1.5s", 1_500_000_000),
        (".5 ms", 500_000),
        ("250us", 250_000),
        ("7ns", 7),
        (" 12.25MS ", 12_250_000),
        ("60s", MAX_DURATION_NS),
    ],
)
def test_a_duration_reads_as_written(text: str, ns: int) -> None:
    assert parse_duration_ns("--rtt", text) == ns


@pytest.mark.parametrize(
    "text", ["", "ms", "-1ms", "1e3", "40 m s", "4x", "nan", "inf", "61s", "1,5s", "\u0661ms", "9" * 30]
)
def test_a_wrong_duration_is_named_with_its_option_and_a_remedy(text: str) -> None:
    with pytest.raises(ValueError, match=r"^--rtt .* is not a duration: write 40ms") as error:
        parse_duration_ns("--rtt", text)
    assert repr(text) in str(error.value)


@given(st.integers(0, MAX_DURATION_NS))
def test_a_duration_survives_being_written_and_read(ns: int) -> None:
    assert parse_duration_ns("--rtt", format_duration(ns)) == ns


@pytest.mark.parametrize(
    ("text", "bits_per_s"),
    [("10mbit", 10_000_000), ("1.5Gbit", 1_500_000_000), ("500 kbit", 500_000), ("9600bit", 9_600), ("0", 0)],
)
def test_a_bandwidth_reads_as_written(text: str, bits_per_s: int) -> None:
    assert parse_bandwidth_bits_per_s("--bandwidth", text) == bits_per_s


@pytest.mark.parametrize("text", ["", "10", "10MB", "10mbps", "-1mbit", "mbit", "0.1bit", "1001gbit", "∞"])
def test_a_wrong_bandwidth_is_named_with_its_option_and_a_remedy(text: str) -> None:
    with pytest.raises(ValueError, match=r"^--bandwidth .* is not a bandwidth: write 10mbit") as error:
        parse_bandwidth_bits_per_s("--bandwidth", text)
    assert repr(text) in str(error.value)


@given(st.integers(0, MAX_BITS_PER_S))
def test_a_bandwidth_survives_being_written_and_read(bits_per_s: int) -> None:
    assert parse_bandwidth_bits_per_s("--bandwidth", format_bandwidth(bits_per_s)) == bits_per_s


@given(st.text(max_size=12))
def test_any_text_is_either_read_or_refused_in_one_line(text: str) -> None:
    for parse in (parse_duration_ns, parse_bandwidth_bits_per_s, parse_address, parse_port):
        try:
            parse("--option", text)
        except ValueError as error:
            assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:8080", ("127.0.0.1", 8080)), ("localhost:1", ("localhost", 1)), ("[::1]:65535", ("::1", 65535))],
)
def test_an_address_reads_as_written(text: str, address: tuple[str, int]) -> None:
    assert parse_address("--to", text) == address


@pytest.mark.parametrize("text", ["", "8080", ":8080", "host:", "host:0", "host:65536", "::1:80", "a b:80", "host:8o"])
def test_a_wrong_address_is_named_with_its_option_and_a_remedy(text: str) -> None:
    with pytest.raises(ValueError, match=r"^--to .* is not an address: write HOST:PORT"):
        parse_address("--to", text)


@pytest.mark.parametrize("text", ["", "-1", "65536", "http"])
def test_a_wrong_port_is_named_with_its_option_and_a_remedy(text: str) -> None:
    with pytest.raises(ValueError, match=r"^--port .* is not a port: write 1 to 65535, or 0"):
        parse_port("--port", text)
