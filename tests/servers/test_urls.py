"""Base URLs as people write them: read as they stand or refused with the remedy; and printed as they can be used."""

import re
import subprocess
import sys
from contextlib import suppress
from urllib.request import urlopen

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.web.urls import PORTS, BaseUrl, authority, is_loopback, read_url
from tests.server_process import HANG_S, ROOT, has_ipv6

ALL = tuple(PORTS)


@pytest.mark.parametrize(
    ("text", "address", "netloc", "printed"),
    [
        ("http://127.0.0.1:8080", ("127.0.0.1", 8080), "127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080/", ("127.0.0.1", 8080), "127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("HTTP://LocalHost", ("localhost", 80), "localhost", "http://localhost"),
        ("http://h:80", ("h", 80), "h", "http://h"),
        ("http://h:", ("h", 80), "h", "http://h"),
        ("https://h", ("h", 443), "h", "https://h"),
        ("https://h:80", ("h", 80), "h:80", "https://h:80"),
        ("ws://h", ("h", 80), "h", "ws://h"),
        ("wss://h:8443", ("h", 8443), "h:8443", "wss://h:8443"),
        ("http://[::1]", ("::1", 80), "[::1]", "http://[::1]"),
        ("http://[::1]:8080", ("::1", 8080), "[::1]:8080", "http://[::1]:8080"),
        ("http://[2001:DB8::0:1]:1", ("2001:db8::1", 1), "[2001:db8::1]:1", "http://[2001:db8::1]:1"),
        ("http://[fe80::1%25eth0]:1", ("fe80::1%eth0", 1), "[fe80::1]:1", "http://[fe80::1%25eth0]:1"),
        ("http://my_service:8080", ("my_service", 8080), "my_service:8080", "http://my_service:8080"),
        ("http://b\u00fccher.example", ("xn--bcher-kva.example", 80), "xn--bcher-kva.example", "http://xn--bcher-kva.example"),
    ],
)  # fmt: skip
def test_a_url_is_read_as_it_stands(text: str, address: tuple[str, int], netloc: str, printed: str) -> None:
    url = read_url(text, "--host", ALL)
    assert (url.address, url.netloc, str(url)) == (address, netloc, printed)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not a URL such as http://127.0.0.1:8080"),
        ("127.0.0.1:8080", "is not a URL such as"),
        ("localhost", "is not a URL such as"),
        ("nonsense", "is not a URL such as"),
        ("https://h", "is not a URL such as"),
        ("ftp://h", "is not a URL such as"),
        ("http:///h", "is not a URL such as"),
        ("http://:80", "is not a URL such as"),
        ("http://h:port", "is not a URL such as"),
        ("http://h:0", "is not a URL such as"),
        ("http://h:65536", "is not a URL such as"),
        ("http://h:1:2", "is not a URL such as"),
        ("http://::1:80", "is not a URL such as"),
        ("http://[::1", "is not a URL such as"),
        ("http://[::1]x:80", "is not a URL such as"),
        ("http://[::g]", "is not a URL such as"),
        ("http://[127.0.0.1]", "is not a URL such as"),
        ("http://a b", "is not a URL such as"),
        ("http://h\n", "is not a URL such as"),
        (" http://h", "is not a URL such as"),
        ("http://h/behind/proxy", "has a path, which would not be used"),
        ("http://h//", None),
        ("http://h?x=1", "has a query or a fragment"),
        ("http://h/?", "has a query or a fragment"),
        ("http://h#top", "has a query or a fragment"),
        ("http://user@h", "has a user or a password in it"),
        ("http://user:secret@h:80", "has a user or a password in it"),
        ("http://user:secret@[::1", "has a user or a password in it"),
        ("http://user:secret@h:port", "has a user or a password in it"),
    ],
)
def test_what_cannot_be_honoured_is_refused_in_a_line_and_no_secret_repeated(text: str, says: str | None) -> None:
    if says is None:
        assert read_url(text, "--host").path == ""
        return
    with pytest.raises(ValueError, match=re.escape(says)) as told:
        read_url(text, "--host")
    assert str(told.value).startswith("--host ")
    assert "\n" not in str(told.value)
    assert "secret" not in str(told.value)


def test_a_base_path_is_kept_where_there_may_be_one() -> None:
    assert str(read_url("https://staging.example/base/", "--url", ALL, path=True)) == "https://staging.example/base"
    assert read_url("https://h/a%20b", "--url", ALL, path=True).path == "/a%20b"
    with pytest.raises(ValueError, match="belong in it as %XX"):
        read_url("https://h/a\u00fcb", "--url", ALL, path=True)


hosts = st.one_of(
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z]{2,5})?", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)


@given(st.sampled_from(ALL), hosts, st.integers(1, 65_535), st.sampled_from(["", "/a", "/a/b%20c"]))
def test_what_is_printed_is_read_back(scheme: str, host: str, port: int, path: str) -> None:
    url = BaseUrl(scheme, host, port, path)
    assert read_url(str(url), "--url", ALL, path=True) == url


@given(st.text(max_size=40) | st.text("htp:/[]@?#%.1a", max_size=20).map(lambda text: f"http://{text}"))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ValueError):
        url = read_url(text, "--url", ALL, path=True)
        assert read_url(str(url), "--url", ALL, path=True) == url


def test_an_authority_names_no_port_that_is_the_schemes_own() -> None:
    assert [authority("::1", 80, "http"), authority("::1", 80), authority("h", 443, "https")] == [
        "[::1]",
        "[::1]:80",
        "h",
    ]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost", "LOCALHOST.", "a.localhost"])
def test_this_machine_is_known_by_its_names(host: str) -> None:
    assert is_loopback(host)
    assert not is_loopback(f"x{host.strip('.')}y")


@pytest.mark.parametrize(
    ("host", "begins"),
    [
        ("127.0.0.1", "http://127.0.0.1:"),
        ("localhost", "http://localhost:"),
        ("0.0.0.0", "http://127.0.0.1:"),
        pytest.param("::1", "http://[::1]:", marks=pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")),
        pytest.param("::", "http://[::1]:", marks=pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")),
    ],
)
def test_the_addresses_that_serve_prints_can_be_used(host: str, begins: str) -> None:
    command = [sys.executable, "-m", "servers", "--host", host, "--port", "0", "--http2-port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(8)]
            urls = [line.split()[-1] for line in lines[1:]]
            assert all(url.startswith(begins) for url in urls)
            assert urlopen(urls[-1], timeout=HANG_S).status == 200
        finally:
            process.terminate()
