"""Charts inside a page take its colours and fonts, and cannot disturb each other."""

import re
import xml.etree.ElementTree as ET

import pytest
from matplotlib.figure import Figure

from reports.charts import svg
from reports.charts.style import INK, Look, styled

LOOK = Look.of({"sse": "SSE", "chunked": "Chunked"})


@pytest.fixture
def figure() -> Figure:
    with styled():
        figure = Figure(figsize=(3, 2))
        axes = figure.add_subplot()
        axes.plot([0, 1], [0.123456, 1], color=LOOK.line("sse"), marker="o")
        axes.text(0.5, 0.5, "0.12345 <ms>", color=LOOK.text("sse"))
        return figure


def document(figure: Figure) -> str:
    with styled():
        return svg.standalone(figure)


def test_the_same_figure_gives_the_same_document(figure: Figure) -> None:
    assert document(figure) == document(figure)


def test_numbers_are_shortened_in_paths_but_not_in_text(figure: Figure) -> None:
    drawn = document(figure)
    assert "0.12345 &lt;ms&gt;" in drawn
    assert not re.search(r'd="[^"]*\.\d{3}', drawn)
    ET.fromstring(drawn)


def test_inside_a_page_no_concrete_colour_or_font_is_left(figure: Figure) -> None:
    element = str(svg.inline(document(figure), "one", "alt", LOOK))
    assert "var(--line-sse)" in element
    assert "var(--text-sse)" in element
    assert INK not in element
    assert "DejaVu" not in element
    assert "font-family" not in element


def test_a_style_meant_for_one_chart_does_not_leak_into_the_page(figure: Figure) -> None:
    assert "<style" not in svg.inline(document(figure), "one", "alt", LOOK)


def test_two_charts_of_a_page_share_no_id_and_every_reference_is_met(figure: Figure) -> None:
    ids = []
    for name in ("one", "two"):
        element = str(svg.inline(document(figure), name, "alt", LOOK))
        own = set(re.findall(r'\bid="([^"]+)"', element))
        used = set(re.findall(r'href="#([^"]+)"', element)) | set(re.findall(r"url\(#([^)]+)\)", element))
        assert used <= own
        ids.append(own)
    assert not ids[0] & ids[1]


def test_the_picture_says_in_words_what_it_shows(figure: Figure) -> None:
    element = svg.inline(document(figure), "one", 'fast & "slow" \\1', LOOK)
    assert element.startswith("<svg")
    root = ET.fromstring(str(element).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))
    assert root.attrib["aria-label"] == 'fast & "slow" \\1'
    assert root.attrib["role"] == "img"
    assert "width" not in root.attrib
