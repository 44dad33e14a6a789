"""What README, CONTRIBUTING and docs show as code: blocks by their language, and commands as a shell takes them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.server_process import ROOT

PAGES: Final = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCED: Final = re.compile(r"^```\{?\.?(\w*)\}?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELL: Final = ""


@dataclass(frozen=True)
class Block:
    """One block of a page; before: the one above it on its page."""

    page: str
    nth: int
    language: str
    text: str
    before: "Block | None"

    def __str__(self) -> str:
        return f"{self.page}-{self.nth}"


def blocks(*languages: str, page: str = "") -> Iterator[Block]:
    """Yield the blocks of these languages, of all without one, in the order of the pages, or of one page."""
    for file in [ROOT / page] if page else PAGES:
        before = None
        for nth, (language, text) in enumerate(FENCED.findall(file.read_text(encoding="utf-8")), start=1):
            before = Block(str(file.relative_to(ROOT)), nth, language, text, before)
            if not languages or language in languages:
                yield before


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each command: the program without its folder first, no comment, nothing set in front of it."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(re.sub(r"\s+# .*$", "", line))
        while words and re.match(r"[A-Z_]+=", words[0]):
            words = words[1:]
        if words and not words[0].startswith("#"):
            yield [words[0].rpartition("/")[2], *words[1:]]
