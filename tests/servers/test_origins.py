"""Whose pages may drive a server, as a table: own, allowed, and all the others."""

import pytest

from servers.web.origins import Origins

HERE = "127.0.0.1:8080"


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "127.0.0.1",
        HERE,
        "127.8.9.1:1",
        "localhost",
        "LocalHost:8080",
        "localhost.:80",
        "a.localhost",
        "[::1]:8080",
        "[::ffff:127.0.0.1]:1",
        "pollbench",
        "pollbench:8080",
        "bench.example",
        "BENCH.example:81",
        "10.0.0.7:8080",
    ],
)
def test_a_name_of_this_machine_or_an_allowed_one_is_served(host: str | None) -> None:
    assert Origins("10.0.0.7", "bench.example, other.example").refusal(host, None) is None


@pytest.mark.parametrize(
    "host",
    [
        "user:secret@127.0.0.1",
        "localhost@localhost",
        "evil.example",
        "evil.example:8080",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "10.0.0.8",
        "[2001:db8::1]",
        "bench.example.evil.example",
        "evil.example@127.0.0.1.evil.example",
        "[",
        "[::1",
        "]:",
        ":8080",
        "0.0.0.0:8080",
        "\udcff.example",
        "e" * 8000 + ".example",
    ],
)
def test_any_other_name_is_refused_as_host(host: str) -> None:
    stranger = Origins("10.0.0.7", "bench.example").refusal(host, None)
    assert stranger is not None
    assert stranger.field == "Host"
    assert len(stranger.error) < 500


def test_a_server_bound_to_every_address_answers_to_any_address_but_to_no_strange_name() -> None:
    for bound in ("0.0.0.0", "::", ""):
        origins = Origins(bound)
        assert origins.refusal("192.0.2.9:8080", None) is None
        assert origins.refusal("[2001:db8::1]:8080", None) is None
        assert origins.refusal("evil.example", None) is not None


@pytest.mark.parametrize(
    "origin", [f"http://{HERE}", f"HTTP://{HERE}", "https://bench.example", "http://bench.example:99"]
)
def test_a_page_of_this_server_or_of_an_allowed_name_may_drive_it(origin: str) -> None:
    assert Origins("127.0.0.1", "bench.example").refusal(HERE, origin, "cross-site") is None


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:8081",
        "http://localhost:8080",
        HERE,
        "http://",
        "http://bench.example.evil.example",
        "http://bench.example@evil.example",
        "file://",
        "\udcff",
        "http://[",
        "http://[::1]:8080",
    ],
)
def test_any_other_page_is_refused_by_its_origin(origin: str) -> None:
    stranger = Origins("127.0.0.1", "bench.example").refusal(HERE, origin)
    assert stranger is not None
    assert stranger.field == "Origin"


def test_a_page_without_a_host_to_compare_is_refused() -> None:
    assert Origins("127.0.0.1").refusal(None, "http://") is not None
    assert Origins("127.0.0.1").refusal("", "http://") is not None


@pytest.mark.parametrize(
    ("site", "mode", "served"),
    [
        ("", "", True),
        ("none", "navigate", True),
        ("same-origin", "no-cors", True),
        ("cross-site", "navigate", True),
        ("cross-site", "no-cors", False),
        ("same-site", "no-cors", False),
        ("Cross-Site", "NO-CORS", False),
        ("new", "", False),
    ],
)
def test_an_image_or_script_of_another_page_is_refused_where_the_browser_tells(
    site: str, mode: str, served: bool
) -> None:
    stranger = Origins("127.0.0.1").refusal(HERE, None, site, mode)
    assert (stranger is None) == served


def test_judgements_are_remembered_for_few_requests_only() -> None:
    origins = Origins("127.0.0.1")
    for number in range(1000):
        origins.refusal(f"{number}.evil.example", None)
    assert origins.refusal.cache_info().currsize <= 256
