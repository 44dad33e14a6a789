"""An adapter file is read strictly: whatever is wrong in it is one line with file, line, key, value and remedy."""

import re
from pathlib import Path

import pytest

from servers.targets import presets
from servers.targets.adapter import AdapterError
from servers.targets.reading import line_of, parse_expect, read_adapter, request_line
from servers.targets.rules import parse_rule
from servers.targets.template import Template
from tests.server_process import ROOT

NCHAN = """\
# nchan, all of it
[publish]
request = "POST /pub/{{run}}"

[sse]
request = "GET /sub/{{run}}"
headers = { Accept = "text/event-stream", Last-Event-ID = "{{last}}" }
remember = { last = 'regex (?m)^id: ?([^\\r\\n]+)[\\r\\n]' }

[websocket]
websocket = "/sub/{{run}}"
"""


def test_the_example_of_the_research_is_an_adapter() -> None:
    adapter = read_adapter(NCHAN, "nchan.toml")
    assert set(adapter.subscriptions()) == {"sse", "websocket"}
    assert adapter.sse is not None
    assert parse_rule(adapter.sse.remember["last"])({}, b"id: 17:0\ndata: x\n\n") == "17:0"


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_is_an_adapter_that_says_what_it_is_for(name: str) -> None:
    adapter = presets.load(name)
    assert adapter.about
    assert adapter.subscriptions()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("[publish", r"not TOML: Expected ']' at the end of a table declaration"),
        ('[publish]\nreqest = "POST /"', r"line 2: reqest is no key of publish; known: request, "),
        ('[pubish]\nrequest = "POST /"', r"line 1: pubish is no key of an adapter; known: name, "),
        ("[publish]\nrequest = 7", r"line 2: publish.request = 7: expected `str`"),
        ('[publish]\nrequest = "POST /"\nat_once = 0', r"line 3: publish.at_once = 0: expected `int` >= 1"),
        ('[publish]\nrequest = "POST /"\npipe = "cat"', r"line 1: publish: it has request and pipe; give exactly one"),
        ('[sse]\nrequest = "GET /"', r"publish: it has no way in; give exactly one of request, pipe and websocket"),
        ('[publish]\nrequest = "POST /{{mesage}}"', r"line 2: publish.request: {{mesage}} is none of: .*message"),
        ('[publish]\nrequest = "POST /{{run|jsn}}"', r"line 2: .*the filter 'jsn' is none of: json, url, xml, base64"),
        ('[publish]\nrequest = "POST /x {{ ]"', r"line 2: publish.request: '{{ ]' is not a variable such as"),
        ('[publish]\nrequest = "POSTT /x"', r"line 2: .*the method POSTT is none of: GET"),
        ('[publish]\nrequest = "POST x"', r"line 2: .*has no path such as /events"),
        ('[publish]\npipe = "cat"\nline = "x"', r"line 1: publish: no message goes in: write {{message}}"),
        ('[publish]\nrequest = "POST /"\nexpect = "ok"', r"line 3: publish.expect: 'ok' is none of: header NAME"),
        ('[publish]\nrequest = "POST /"\n[sse]\nwebsocket = "/"', r"line 3: sse: a table \[websocket\] has the key"),
        ('[publish]\nrequest = "POST /"\n[sse]\n', r"line 3: sse: it has both request and websocket, or neither"),
        (
            '[publish]\nrequest = "POST /"\n[sse]\nrequest = "/"\nremember = { a = "regex (" }',
            r"line 5: sse.remember.a: 'regex \(': not a regular expression",
        ),
        (
            '[publish]\nrequest = "POST /"\n[sse]\nrequest = "/?since={{last}}"',
            r"line 4: sse.request: {{last}} is none of: client, host, port, run, uuid, env.NAME",
        ),
        (
            '[publish]\nrequest = "POST /"\n[sse]\nrequest = "/"\nheaders = { X = "a\\nb" }',
            r"line 5: sse.headers.X: X: 'a\\nb' is no header",
        ),
        ('command = "serve {{prot}}"\n[publish]\nrequest = "POST /"', r"line 1: command: {{prot}} is none of: port"),
        ("a = " + "[" * 3000, "(nested too deeply|not TOML)"),
    ],
)
def test_what_is_wrong_is_said_with_line_key_value_and_remedy(wrong: str, says: str) -> None:
    with pytest.raises(AdapterError) as told:
        read_adapter(wrong, "my.toml")
    assert re.search(says, str(told.value)), told.value
    assert str(told.value).startswith("my.toml")
    assert "\n" not in str(told.value)


def test_every_key_can_be_changed_from_the_command_line() -> None:
    adapter = read_adapter(NCHAN, "x", {"sse.request": "GET /other", "publish.at_once": "3", "sse.latest": "true"})
    assert adapter.sse is not None
    assert (adapter.sse.request, adapter.publish.at_once, adapter.sse.latest) == ("GET /other", 3, True)


@pytest.mark.parametrize("key", ["publish.request.deeper", "sse.", "nothing.at.all"])
def test_a_change_of_what_is_not_there_is_refused(key: str) -> None:
    with pytest.raises(AdapterError, match=re.escape(key.split(".", maxsplit=1)[0])):
        read_adapter(NCHAN, "x", {key: "1"})


def test_a_request_has_method_path_and_body() -> None:
    line = request_line('POST /messages/{{ run }} {"text": "{{message|json}}"}')
    assert line.method == "POST"
    assert line.path.fill({"run": "1f"}) == "/messages/1f"
    assert line.body.fill({"message": 'a "b"'}) == r'{"text": "a \"b\""}'


@pytest.mark.parametrize(
    ("kind", "filled"),
    [
        ("json", r"a\"b<&'/ é"),
        ("url", "a%22b%3C%26%27%2F%20%C3%A9"),
        ("xml", "a&quot;b&lt;&amp;&apos;/ é"),
        ("base64", "YSJiPCYnLyDDqQ=="),
    ],
)
def test_a_filter_keeps_a_value_one_value(kind: str, filled: str) -> None:
    assert Template("{{x|" + kind + "}}").fill({"x": "a\"b<&'/ é"}) == filled


def test_a_rule_finds_headers_pointers_and_groups() -> None:
    body = b'{"a/b": [{"~": 7}, true, null], "next": "s7"}'
    assert parse_rule("header ETag")({"etag": '"1"'}, b"") == '"1"'
    assert parse_rule("json /a~1b/0/~0")({}, body) == "7"
    assert parse_rule("json /a~1b/1")({}, body) == "true"
    assert parse_rule("json /a~1b/2")({}, body) is None
    assert parse_rule("json /next")({}, b"not json") is None
    assert parse_rule('regex "next": "(\\w+)"')({}, body) == "s7"


def test_the_last_match_is_remembered_because_it_is_the_newest() -> None:
    assert parse_rule("regex id: (\\d+)")({}, b"id: 1\n\nid: 2\n\n") == "2"


def test_an_expectation_is_statuses_a_rule_or_any_success() -> None:
    assert parse_expect("")(204, {}, b"")
    assert not parse_expect("")(302, {}, b"")
    assert parse_expect("200, 202")(202, {}, b"")
    assert not parse_expect("200")(201, {}, b"")
    assert parse_expect('regex "ok": ?true')(200, {}, b'{"ok": true}')
    assert not parse_expect('regex "ok": ?true')(200, {}, b'{"ok": false}')


def test_a_line_is_found_though_another_table_has_the_same_key() -> None:
    assert line_of("[a]\nx = 1\n[b]\nx = 2\n", "b.x") == ", line 4"


def test_presets_are_files_that_one_can_copy(tmp_path: Path) -> None:
    for name in presets.names():
        copy = tmp_path / f"{name}.toml"
        copy.write_text(presets.text(name), encoding="utf-8")
        assert read_adapter(copy.read_text(encoding="utf-8"), copy.name) == presets.load(name)


def test_every_adapter_that_the_documentation_shows_can_be_used() -> None:
    page = (ROOT / "docs/howto/own-server.md").read_text(encoding="utf-8")
    shown = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert len(shown) >= 2
    for text in shown:
        assert read_adapter(text, "own-server.md").subscriptions()


def test_messages_may_go_in_elsewhere_but_clients_follow_the_server_that_is_named() -> None:
    elsewhere = '[publish]\nrequest = "POST http://127.0.0.1:8000/messages"\n'
    assert read_adapter(f'{elsewhere}[sse]\nrequest = "/events"', "a.toml").publish.request.startswith("POST http:")
    with pytest.raises(AdapterError, match=r"a.toml, line 4: sse.request: a subscription has a path only"):
        read_adapter(f'{elsewhere}[sse]\nrequest = "GET http://elsewhere/events"', "a.toml")
