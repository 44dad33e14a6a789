"""Which server is meant: a preset, a file or a URL alone, with all that the command line changes of it."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from loadtests.foreign.spec import Chosen
from loadtests.scenario.asked import Asked
from servers.targets import presets
from servers.targets.adapter import SUBSCRIPTIONS, Adapter, AdapterError
from servers.targets.classes import Faulty, client_of, digest, tables_of
from servers.targets.message import of_message
from servers.targets.reading import read_adapter
from servers.targets.template import ENVIRONMENT, read
from servers.targets.tls import tls_context
from servers.targets.url import base_url, server_and_path
from servers.targets.variables import Misunderstood, Place, environment_of

GENERIC: Final[Mapping[str, dict[str, Any]]] = {
    "sse": {
        "headers": {"Accept": "text/event-stream", "Last-Event-ID": "{{last}}"},
        "remember": {"last": r"regex (?m)^id: ?([^\r\n]+)[\r\n]"},
    },
    "chunked": {},
    "websocket": {},
    "long_polling": {"headers": {"If-None-Match": "{{etag}}"}, "remember": {"etag": "header ETag"}},
    "short_polling": {"headers": {"If-None-Match": "{{etag}}"}, "remember": {"etag": "header ETag"}},
}
"""How a server is subscribed to of which nothing is known but a URL."""
SECRET_HEADERS: Final = {"authorization", "proxy-authorization", "cookie", "x-api-key"}


def choose(asked: Asked, patterns: Sequence[str]) -> Chosen:
    """Return the server that is meant. patterns: by which it is to be subscribed to, where a URL alone is given.

    Raises ValueError (AdapterError is one) naming the option or the file, the value and the remedy.
    """
    changes = dict(_change(text) for text in asked.changes)
    changes |= {"tls.ca": _toml(str(Path(asked.ca).resolve()))} if asked.ca else {}
    changes |= {"tls.insecure": "true"} if asked.insecure else {}
    changes |= {"cost.agent": _toml(asked.agent)} if asked.agent else {}
    if asked.publish:
        changes = {"publish": _publish(asked.publish), **changes}
    if asked.target:
        text, source, python = _named(asked.target)
        changes |= {"python": _toml(python)} if python else {}
        url = str(base_url(asked.url)) if asked.url else ""
    elif asked.url:
        text, url, source = *_of_url(asked.url, patterns), "--url"
        if not asked.publish and not any(change.startswith("publish.") for change in changes):
            raise ValueError(
                f"--url {asked.url} says where to listen, and nothing how a message gets in: add "
                '--publish \'POST /messages {"text": "{{message}}"}\', or describe the server with --target FILE.toml'
            )
    else:
        raise ValueError(
            "--publish, --set, --ca, --agent and --insecure say something of a server: name it with --target or --url"
        )
    adapter = read_adapter(text, source, changes)
    if not url and not adapter.url and not adapter.command:
        raise ValueError(f"{source} says neither where the server is (url) nor what starts it (command): add --url URL")
    check_secrets(adapter, source)
    tls_context(adapter.tls)
    return Chosen(adapter=_tried(adapter) if adapter.python else adapter, url=url)


def as_toml(chosen: Chosen) -> str:
    """Return an adapter as a file to go on from."""
    tables = msgspec.to_builtins(chosen.adapter)
    tables.pop("python_sha256", None)  # a file to go on from may go on from a class that changes
    plain = {key: value for key, value in tables.items() if not isinstance(value, dict) or key == "headers"}
    plain |= {"url": chosen.url} if chosen.url else {}
    lines = [f"{key} = {_toml(value)}" for key, value in plain.items()]
    for name, table in tables.items():
        if name not in plain and table:
            lines += ["", f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def powers_of(adapter: Adapter) -> set[str]:
    """Return what an adapter makes us do beside asking its server: programs that are run, secrets that are sent."""
    programs = {"command": adapter.command, "publish.pipe": adapter.publish.pipe, "python": adapter.python}
    secrets = {f"{{{{env.{name}}}}}" for name in environment_of(adapter)}
    secrets |= {f"cost.agent = {adapter.cost.agent}"} if adapter.cost.agent else set()
    return secrets | {f"{key} = {program}" for key, program in programs.items() if program}


def check_secrets(adapter: Adapter, source: str) -> None:
    """Raise ValueError for a secret that would be written down, or that is not there."""
    for name, value in _headers(msgspec.to_builtins(adapter)):
        if name.lower() in SECRET_HEADERS and not any(hole.startswith(ENVIRONMENT) for hole in read(value).names):
            raise ValueError(
                f"{source}: the value of the header {name} would be written into files and pages: keep it in an "
                f'environment variable, and write headers.{name} = "Bearer {{{{env.TOKEN}}}}", or as it is meant'
            )
    for variable in environment_of(adapter):
        if not os.environ.get(variable):
            raise ValueError(
                f"{source}: {{{{env.{variable}}}}}: the environment variable {variable} is not set; export it first"
            )


def _headers(part: Any) -> Iterator[tuple[str, str]]:
    if isinstance(part, dict):
        for key, value in part.items():
            yield from value.items() if key == "headers" else _headers(value)
    elif isinstance(part, list):
        for each in part:
            yield from _headers(each)


def _change(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"[\w-]+(\.[\w-]+)*", key.strip()):
        raise ValueError(f"--set {text!r} is not key=value, such as sse.request='GET /news'")
    return key.strip(), value.strip()


def _publish(text: str) -> str:
    """Return the table [publish] for `METHOD PATH BODY`, `pipe COMMAND` or `websocket PATH TEXT`, as TOML."""
    kind, _, rest = text.strip().partition(" ")
    if kind == "pipe":
        return _toml({"pipe": rest})
    if kind == "websocket":
        path, _, said = rest.strip().partition(" ")
        return _toml({"websocket": path, **({"send": said} if said else {})})
    return _toml({"request": text})


def _tried(adapter: Adapter) -> Adapter:
    """Have a class say all that can be said without a server. Raises ValueError with file and line where it cannot."""
    place, number = Place("0af3", "127.0.0.1", 80), 1
    try:
        publisher = client_of(adapter, adapter.publish, place, "publisher")
        message = of_message(number, 0, 0, "", place.run)
        _ = publisher.line(message) if adapter.publish.pipe or adapter.publish.websocket else publisher.publish(message)
        for how in adapter.subscriptions().values():
            client_of(adapter, how, place, str(number)).subscribe()
    except Faulty as wrong:
        raise AdapterError(str(wrong)) from wrong
    except Misunderstood:
        pass  # what only an answer can tell
    return msgspec.structs.replace(adapter, python_sha256=digest(adapter.python))


def _named(target: str) -> tuple[str, str, str]:
    """Return the TOML, what to call it in errors, and the class that says the rest, "" for none."""
    if target in presets.names():
        return presets.text(target), f"preset {target}", ""
    if re.search(r"\.py(:\w*)?$", target):
        text, python = tables_of(target)
        return text, target, python
    try:
        return Path(target).read_text(encoding="utf-8"), target, ""
    except UnicodeDecodeError:
        raise ValueError(f"--target {target}: not a TOML file: it is no text in UTF-8") from None
    except OSError as wrong:
        known = ", ".join(presets.names())
        raise ValueError(
            f"--target {target!r} is none of the presets ({known}), nor a file that can be read ({wrong.strerror})"
        ) from None


def _of_url(text: str, patterns: Sequence[str]) -> tuple[str, str]:
    """Return an adapter that follows this very URL by these patterns, as TOML, and the URL of its server."""
    server, path = server_and_path(text)
    if unknown := [pattern for pattern in patterns if pattern not in SUBSCRIPTIONS]:
        raise ValueError(
            f"--url {text}: a server that is not ours cannot be followed by {', '.join(unknown)}, only by: "
            f"{', '.join(SUBSCRIPTIONS)}"
        )
    tables = {
        pattern: {("websocket" if pattern == "websocket" else "request"): path, **GENERIC[pattern]}
        for pattern in patterns
    }
    return "\n".join(f"{pattern} = {_toml(table)}" for pattern, table in tables.items()), str(server)


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
