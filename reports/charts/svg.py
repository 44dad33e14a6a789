"""PURE. Figure -> SVG, as a file of its own and as a part of a page that follows the page's colours and fonts.

The page decides what ink, grid and each pattern's colour are (light, dark, paper): the concrete colours of style.py
become CSS variables, text becomes the page's font, ids get a prefix so that two charts cannot take each other's clips.
Figures go to matplotlib's backends directly: `Figure.savefig` draws each of them twice, once only to lay it out, and
drawing is most of the time that a report takes. The bytes are the same.
"""

import re
from io import BytesIO, StringIO
from typing import Final

from markupsafe import Markup, escape
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from reports.charts.style import BAD, GRID, INK, MUTED, PAPER, WARN, Look

PAGE_COLOURS: Final = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    PAPER: "var(--paper)",
    WARN: "var(--warn)",
    BAD: "var(--bad)",
}
FONT: Final = re.compile(r"font-family: '?DejaVu Sans'?;?\s*")
SYSTEM_FONT: Final = "font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif; "
TAG: Final = re.compile(r"<[^>]+>")
LONG_NUMBER: Final = re.compile(r"(\d+\.\d\d)\d+")
PROLOGUE: Final = re.compile(r"^.*?(?=<svg)", re.DOTALL)
METADATA: Final = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
GLOBAL_STYLE: Final = re.compile(r"\s*<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL)
PNG_DPI: Final = 160


def standalone(figure: Figure) -> str:
    """Return a small SVG document with text as text. The same figure gives the same bytes."""
    buffer, dpi = StringIO(), figure.dpi
    figure.set_facecolor("none")
    FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
    figure.set_dpi(dpi)
    svg = METADATA.sub("", FONT.sub(SYSTEM_FONT, buffer.getvalue()))
    # Two decimals are a hundredth of a point; text between the tags keeps its digits.
    return TAG.sub(lambda tag: LONG_NUMBER.sub(r"\1", tag[0]), svg)


def inline(svg: str, name: str, alt: str, look: Look) -> Markup:
    """Return the `<svg>` element of `standalone`'s document for use inside a page. `name` must be unique there."""
    svg = GLOBAL_STYLE.sub("", FONT.sub("", PROLOGUE.sub("", svg).replace(SYSTEM_FONT, "")))
    for concrete, variable in (PAGE_COLOURS | _pattern_colours(look)).items():
        svg = svg.replace(concrete, variable)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = svg.replace("url(#", f"url(#{name}-").replace('href="#', f'href="#{name}-')
    svg = re.sub(r'<svg [^>]*?viewBox="([^"]+)"[^>]*>', _opening(alt), svg, count=1)
    return Markup(svg)  # noqa: S704 - made by matplotlib, which escapes text


def png(figure: Figure) -> bytes:
    """Return the figure on white, for slides and README files."""
    buffer = BytesIO()
    figure.set(dpi=PNG_DPI, facecolor=PAPER)
    FigureCanvasAgg(figure).print_png(buffer)  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def variables(look: Look, *, dark: bool) -> str:
    """Return the CSS declarations of the patterns' colours."""
    pairs = [
        (name, colour.dark if dark else colour.line, colour.dark if dark else colour.text)
        for name, colour in look.colours.items()
    ]
    return " ".join(f"--line-{name}: {line}; --text-{name}: {text};" for name, line, text in pairs)


def _opening(alt: str) -> str:
    label = str(escape(alt)).replace("\\", r"\\")
    return rf'<svg xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="\1" role="img" aria-label="{label}">'


def _pattern_colours(look: Look) -> dict[str, str]:
    lines = {colour.line: f"var(--line-{name})" for name, colour in look.colours.items()}
    return lines | {colour.text: f"var(--text-{name})" for name, colour in look.colours.items()}
