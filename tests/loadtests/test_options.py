"""What a load process can be told, from the command line or the web form, and how wrong values are refused."""

import random

import pytest

from loadtests.locust_ui.preflight import check_source
from loadtests.scenario.backoff import FIRST_S, LONGEST_S, Backoff, Retry, parse_retry
from loadtests.scenario.locust_options import TOLD, LoadOptions, read_options
from loadtests.scenario.source_address import ANY, parse_source


def test_nothing_given_is_the_defaults() -> None:
    assert read_options({}) == LoadOptions()
    assert read_options(dict.fromkeys(TOLD, "")) == LoadOptions()


def test_every_option_is_read() -> None:
    given = {
        "poll_interval": "0.5",
        "poll_pace": "uniform:0.25",
        "poll_start": "together",
        "hold_timeout": "5",
        "one_per_response": "True",
        "etag": "True",
        "no_keep_alive": "True",
        "compress": "True",
        "message_limit": "65536",
        "schedule": "steady:2",
        "message_bytes": "0",
        "silence_timeout": "0",
        "join_at": "oldest",
        "backoff": "fixed:2",
        "source": "127.0.0.2",
        "server_token": "t",
        "http2_host": "http://127.0.0.1:1",
        "clock_host": "http://127.0.0.1:2",
        "tls": "True",
        "target": "nchan",
        "publish": "POST /m {{message}}",
        "ca": "ca.pem",
        "agent": "http://127.0.0.1:3",
        "insecure": "True",
        "set": "sse.latest=true 'headers.X-Team=a b'",
        "run_dir": "somewhere",
    }
    assert set(given) == set(TOLD)
    assert read_options(dict(given)) == LoadOptions(
        poll_interval_s=0.5,
        poll_pace="uniform:0.25",
        poll_start="together",
        hold_timeout_s=5.0,
        one_per_response=True,
        etag=True,
        no_keep_alive=True,
        compress=True,
        message_limit_bytes=65_536,
        schedule="steady:2",
        message_bytes=0,
        silence_timeout_s=0.0,
        join_at="oldest",
        backoff="fixed:2",
        source="127.0.0.2",
        server_token="t",
        http2_host="http://127.0.0.1:1",
        clock_host="http://127.0.0.1:2",
        tls=True,
        target="nchan",
        publish="POST /m {{message}}",
        ca="ca.pem",
        agent="http://127.0.0.1:3",
        insecure=True,
        changes=("sse.latest=true", "headers.X-Team=a b"),
        run_dir="somewhere",
    )


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("poll_interval", "-1"),
        ("poll_interval", "soon"),
        ("poll_interval", "nan"),
        ("poll_pace", "now and then"),
        ("hold_timeout", "0"),
        ("hold_timeout", "301"),
        ("message_bytes", "-1"),
        ("message_limit", "65535"),
        ("message_limit", "1073741825"),
        ("silence_timeout", "3601"),
        ("message_bytes", "1000001"),
        ("schedule", "sometimes"),
        ("join_at", "middle"),
        ("poll_start", "apart"),
        ("backoff", "never"),
        ("backoff", "fixed:"),
        ("backoff", "fixed:nan"),
        ("backoff", "none:1"),
        ("source", "127.0.0.256"),
        ("source", "elsewhere"),
    ],
)
def test_a_wrong_value_is_refused_by_name_with_what_would_be_right(option: str, value: str) -> None:
    with pytest.raises(ValueError, match=value.replace("-", ".")) as refusal:
        read_options({option: value})
    assert option.replace("_", "-") in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "url", ["127.0.0.1:1", "https://127.0.0.1:1", "http://127.0.0.1:port", "http://[::1", "http://h/path", "nonsense"]
)
def test_an_http2_host_that_could_not_be_used_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^--http2-host 'http.* has a path|^--http2-host .* is not a URL such as"):
        read_options({"http2_host": url})


def test_backoff_doubles_its_bound_up_to_a_limit_and_starts_over_after_a_success() -> None:
    backoff = Backoff(random.Random(1))
    bounds = [min(LONGEST_S, FIRST_S * 2**failures) for failures in range(40)]
    for bound in bounds:
        assert 0 <= backoff.failed() <= bound
    backoff.succeeded()
    assert backoff.failed() <= FIRST_S


def test_backoff_never_comes_back_before_the_server_wants() -> None:
    assert Backoff(random.Random(1)).failed(at_least_s=3.0) >= 3.0


def test_users_spread_out_after_a_common_failure() -> None:
    waits = {round(Backoff(random.Random(number)).failed(), 6) for number in range(100)}
    assert len(waits) > 90


@pytest.mark.parametrize("text", ["exponential", "none", "fixed:0.25"])
def test_a_retry_is_read_back_from_what_it_says(text: str) -> None:
    assert str(parse_retry(text)) == text


def test_a_fixed_delay_is_the_same_for_all_and_only_grows_when_the_server_asks() -> None:
    backoff = Backoff(random.Random(1), Retry("fixed", 2.0))
    assert [backoff.failed(), backoff.failed(), backoff.failed(at_least_s=1.0)] == [2.0, 2.0, 2.0]
    assert backoff.failed(at_least_s=5.0) == 5.0


def test_without_backoff_nobody_waits_whatever_the_server_asks() -> None:
    assert Backoff(random.Random(1), Retry("none")).failed(at_least_s=5.0) == 0.0


@pytest.mark.parametrize("text", ["", "127.0.0.2", "127.1.0.0/16", "::1"])
def test_a_source_is_read_back_from_what_it_says(text: str) -> None:
    assert str(parse_source(text)) == text


def test_a_network_gives_each_user_an_address_of_its_own_and_an_address_gives_itself() -> None:
    of_two = parse_source("127.1.0.0/30")
    assert [of_two.address(user) for user in (1, 2, 3)] == ["127.1.0.1", "127.1.0.2", "127.1.0.1"]
    assert {parse_source("127.0.0.2").address(user) for user in range(1, 9)} == {"127.0.0.2"}
    assert len({parse_source("127.1.0.0/16").address(user) for user in range(1, 1001)}) == 1000
    assert ANY.address(1) == ""


def test_an_address_that_is_not_this_machines_is_refused_before_a_user_starts() -> None:
    check_source(read_options({}))
    check_source(read_options({"source": "127.0.0.1"}))
    with pytest.raises(ValueError, match=r"^--source 192\.0\.2\.1: .* cannot be bound"):
        check_source(read_options({"source": "192.0.2.1"}))
