"""The pictures of the documentation: what each shows, as a digest that it carries, so that a stale one is noticed."""

import hashlib
import io
from pathlib import Path
from typing import Final

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.server_process import ROOT

RACE: Final = tuple(
    f"servers/pages/race/{name}" for name in ("index.html", "race.css", "row.js", "strip.js", "words.js")
)
REPORT: Final = (
    "reports/templates/report.*",
    "reports/charts/*.py",
    "reports/charts/style.py",
    "reports/page/answer.py",
)
WEB_UI: Final = ("loadtests/locust_ui/delivery_page.py", "loadtests/locust_ui/web/*", "servers/palette.py")
MAP: Final = ("reports/charts/decision.py", "reports/advice/decision_map.py", "reports/model/recorded.json")
PICTURES: Final = {
    "decision-map.png": MAP,
    "report.png": REPORT,
    "race.png": RACE,
    "race-dark.png": RACE,
    "webui.png": WEB_UI,
    "webui-dark.png": WEB_UI,
}
"""Files of docs/, and the sources that say how what they show looks."""
DIGEST: Final = "pollbench:digest"


def path_of(name: str) -> Path:
    return ROOT / "docs" / name


def digest(name: str) -> str:
    """Name the state of what a picture shows."""
    sources = hashlib.sha256()
    for pattern in PICTURES[name]:
        for file in sorted(ROOT.glob(pattern)):
            sources.update(file.read_bytes())
    return sources.hexdigest()


def digest_of(name: str) -> str:
    """Name the state of what it showed when it was taken."""
    with Image.open(path_of(name)) as image:
        return str(image.info.get(DIGEST, ""))


def save(taken: bytes, name: str) -> None:
    """Keep a PNG. 256 colours are more than our pages have, and make a third of the file."""
    about = PngInfo()
    about.add_text(DIGEST, digest(name))
    with Image.open(io.BytesIO(taken)) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path_of(name), optimize=True, pnginfo=about)
