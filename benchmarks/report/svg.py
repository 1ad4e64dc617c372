"""Pictures of figures, as small SVG files with their own background, for light and for dark pages."""

from collections.abc import Mapping, Sequence
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


def bar_chart(title: str, panels: Mapping[str, Sequence[Bar]]) -> str:
    """Return panels of bars by their titles, one below the other, each with a scale of its own."""
    body = [_text(MARGIN, MARGIN + 8, title, "title")]
    top = MARGIN + 32
    for heading, bars in panels.items():
        if heading:
            body.append(_text(MARGIN, top + 4, heading, "small"))
            top += 18
        longest = max(sum(value for value, _ in bar.parts) for bar in bars)
        room = WIDTH - 2 * MARGIN - _LABELS - _VALUES
        for bar in bars:
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
    size = f'width="{WIDTH}" height="{top + 4}" viewBox="0 0 {WIDTH} {top + 4}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">'
    ground = f'<rect class="ground" x="0.5" y="0.5" width="{WIDTH - 1}" height="{top + 3}" rx="8"/>'
    return "\n".join([head, f"<style>{_STYLE}</style>", ground, *body, "</svg>\n"])


def _text(x: float, y: float, text: str, style: str = "", anchor: str = "start") -> str:
    kind = f' class="{style}"' if style else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
