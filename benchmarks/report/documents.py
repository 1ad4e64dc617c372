"""Write tables between their marks in README and docs, and the pictures that these show.

A mark is a comment that names what is below it, up to the next comment, which marks its end:

    <!-- measured: hot path -->
    …
    <!-- end of measured -->

What stands there is the macro of that name in tables.md.j2. Each macro in pictures.svg.j2 is a picture.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.environment import TemplateModule

from benchmarks.report import scale
from benchmarks.report.figures import dollars, figure, times, whole
from benchmarks.results import ROOT, Figures

DOCS = ROOT / "docs"
PICTURES = DOCS / "pictures"

MARKED = re.compile(r"(<!-- measured: ([^>]+) -->\n).*?(<!-- end of measured -->)", re.DOTALL)
_templates = Environment(  # noqa: S701 - Markdown and SVG, from our own figures
    loader=FileSystemLoader(Path(__file__).parent),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {each.__name__: each for each in (dollars, figure, times, whole)}
_templates.globals["scale"] = scale
TABLES = _templates.get_template("tables.md.j2").module
DRAWN = _templates.get_template("pictures.svg.j2").module

PAGES = [
    page for page in (ROOT / "README.md", *sorted(DOCS.rglob("*.md"))) if MARKED.search(page.read_text())
]


def macros(template: TemplateModule) -> set[str]:
    """Return the names of what a template fills in: marks, or pictures."""
    return {name.replace("_", " ") for name in vars(template) if not name.startswith("_")}


def filled(template: TemplateModule, name: str, results: dict[str, Figures]) -> str:
    """Return one of these, with its figures."""
    text: str = getattr(template, name.replace(" ", "_"))(results)
    return text.strip()


def contents(results: dict[str, Figures]) -> Iterator[tuple[Path, str]]:
    """Yield the new content of each page and each picture."""

    def table(mark: re.Match[str]) -> str:
        return f"{mark[1]}\n{filled(TABLES, mark[2], results)}\n\n{mark[3]}"

    for page in PAGES:
        yield page, MARKED.sub(table, page.read_text())
    for name in macros(DRAWN):
        yield PICTURES / f"{name.replace(' ', '-')}.svg", filled(DRAWN, name, results) + "\n"


def update(results: dict[str, Figures]) -> None:
    """Write all pages and pictures."""
    for file, text in contents(results):
        file.write_text(text)
