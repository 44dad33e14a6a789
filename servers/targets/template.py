"""PURE. Text with holes: `{{name}}`, or `{{name|filter}}`. Read once, strictly; filled for each request.

Filters say what the text around a hole is, so that what is filled in stays one value there: json (inside a JSON
string), url (one component of a URL), xml (text or attribute), base64. `{{env.NAME}}` is an environment variable, for
secrets: it is looked up when it is needed, and stands in no file that pollbench writes.
"""

import base64
import json
import re
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import quote
from xml.sax.saxutils import escape

_HOLE: Final = re.compile(r"\{\{\s*([a-zA-Z_][\w.]*)\s*(?:\|\s*(\w+)\s*)?\}\}")
ENVIRONMENT: Final = "env."


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


FILTERS: Final[dict[str, Callable[[str], str]]] = {
    "json": _json,
    "url": lambda text: quote(text, safe=""),
    "xml": lambda text: escape(text, {'"': "&quot;", "'": "&apos;"}),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
}


class Template:
    """A text that was read. `names`: what its holes ask for, each once."""

    def __init__(self, text: str) -> None:
        """Raises ValueError naming the hole that is wrong and what would be right."""
        self.text = text
        self._parts: list[tuple[str, str, Callable[[str], str] | None]] = []
        at = 0
        for match in _HOLE.finditer(text):
            name, kind = match.groups()
            if kind and kind not in FILTERS:
                raise ValueError(f"{match[0]}: the filter {kind!r} is none of: {', '.join(FILTERS)}")
            self._parts.append((_closed(text[at : match.start()]), name, FILTERS[kind] if kind else None))
            at = match.end()
        self._rest = _closed(text[at:])
        self.names = tuple(dict.fromkeys(name for _, name, _ in self._parts))

    def lacking(self, known: Collection[str]) -> list[str]:
        """Return the holes for which there is no value, in the order of the text."""
        return [name for name in self.names if name not in known]

    def fill(self, values: Mapping[str, str]) -> str:
        """Return the text with every hole filled. Raises KeyError for a name without a value."""
        if not self._parts:
            return self._rest
        pieces = []
        for before, name, filtered in self._parts:
            value = values[name]
            pieces += [before, filtered(value) if filtered else value]
        return "".join([*pieces, self._rest])

    def __repr__(self) -> str:
        return f"Template({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


@lru_cache(maxsize=1024)
def read(text: str) -> Template:
    """Return the template of a text that is read again and again. Raises ValueError."""
    return Template(text)


def check_names(template: Template, allowed: Collection[str]) -> None:
    """Raise ValueError for a hole that no value will ever fill. Environment variables may have any name."""
    for name in template.names:
        if name not in allowed and not name.startswith(ENVIRONMENT):
            raise ValueError(f"{{{{{name}}}}} is none of: {', '.join(sorted(allowed))}, env.NAME")


def _closed(text: str) -> str:
    if "{{" in text:
        hole = text[text.index("{{") :][:30]
        raise ValueError(f"{hole!r} is not a variable such as {{{{message}}}} or {{{{message|json}}}}")
    return text
