"""The pictures of the documentation show what there is now."""

import pytest

from tests.pictures import PICTURES, digest, digest_of
from tests.server_process import ROOT


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_was_taken_of_the_page_as_it_is_now(name: str) -> None:
    assert digest_of(name) == digest(name), "the page has changed since: make screenshots, and look at them"


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_shown_somewhere(name: str) -> None:
    pages = [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
    assert any(name in page.read_text(encoding="utf-8") for page in pages)
