"""The pictures in the README show the page as it is."""

from pathlib import Path

import pytest

from tests.server_process import ROOT
from tests.webui.screenshot import PICTURES, digest, digest_of


@pytest.mark.parametrize("picture", PICTURES.values(), ids=lambda picture: picture.name)
def test_a_picture_was_taken_of_the_page_as_it_is_now(picture: Path) -> None:
    assert digest_of(picture) == digest(), "the page has changed since: make screenshots, and look at them"


def test_the_readme_shows_the_pictures() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"docs/{picture.name}" in readme for picture in PICTURES.values())
