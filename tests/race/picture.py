"""What a picture of the race shows, as a digest: the files that say how the page looks."""

import hashlib
from pathlib import Path
from typing import Final

PAGES: Final = Path(__file__).resolve().parents[2] / "servers" / "pages" / "race"
LOOKS: Final = ("index.html", "race.css", "row.js", "strip.js", "words.js")
DIGEST: Final = "Page"


def page_digest() -> str:
    return hashlib.sha256(b"".join((PAGES / name).read_bytes() for name in LOOKS)).hexdigest()
