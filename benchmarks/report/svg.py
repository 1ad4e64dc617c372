"""Pictures of figures, as small SVG files with their own background, for light and for dark pages."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH = 720
MARGIN = 24
_LABELS = 190
_BAR, _GAP = 20, 8
_VALUES = 110

_STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 15px } .small { font-size: 12px; fill: #57606a }
.ground { fill: #ffffff; stroke: #d0d7de }
.f0 { fill: #0969da } .f1 { fill: #8c959f } .f2 { fill: #bf8700 } .f3 { fill: #57606a }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #9198a1 }
  .ground { fill: #0d1117; stroke: #30363d }
  .f0 { fill: #58a6ff } .f1 { fill: #6e7681 } .f2 { fill: #d29922 } .f3 { fill: #9198a1 }
}
"""


class Bar(NamedTuple):
    """A bar: its parts from the left, each with the number of its colour, and the text behind it."""

    label: str
    parts: Sequence[tuple[float, int]]
    text: str


class Panel(NamedTuple):
    """Bars of one scale."""

    title: str
    bars: Sequence[Bar]


def bar_chart(title: str, panels: Sequence[Panel]) -> str:
    """Return panels of bars, one below the other."""
    body: list[str] = []
    top = MARGIN + 32
    for panel in panels:
        if panel.title:
            body.append(_text(MARGIN, top + 4, panel.title, "small"))
            top += 18
        longest = max(sum(value for value, _ in bar.parts) for bar in panel.bars)
        room = WIDTH - 2 * MARGIN - _LABELS - _VALUES
        for bar in panel.bars:
            left = float(MARGIN + _LABELS)
            body.append(_text(left - 10, top + 14, bar.label, anchor="end"))
            for value, colour in bar.parts:
                width = max(value / longest * room, 1.5)
                rectangle = f'x="{left:.1f}" y="{top}" width="{width:.1f}" height="{_BAR}" rx="2"'
                body.append(f'<rect class="f{colour}" {rectangle}/>')
                left += width
            body.append(_text(left + 8, top + 14, bar.text))
            top += _BAR + _GAP
        top += 12
    return _document(title, body, top + 4)


def _document(title: str, body: Sequence[str], height: int) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
    return "\n".join(
        [
            f'{head}viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">',
            f"<style>{_STYLE}</style>",
            f'<rect class="ground" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>',
            _text(MARGIN, MARGIN + 8, title, "title"),
            *body,
            "</svg>\n",
        ]
    )


def _text(x: float, y: float, text: str, style: str = "", anchor: str = "start") -> str:
    kind = f' class="{style}"' if style else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
