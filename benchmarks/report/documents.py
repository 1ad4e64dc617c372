"""Write tables between their marks in README and docs, and the pictures that these show.

A mark is a comment that names what is below it, up to the next comment, which marks its end:

    <!-- measured: hot path -->
    …
    <!-- end of measured -->
"""

import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.report import dynamodb, parts
from benchmarks.results import ROOT, Figures

PAGES = (ROOT / "README.md", ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "scale.md")
PICTURES = ROOT / "docs" / "pictures"

_MARKED = re.compile(r"(<!-- measured: ([^>]+) -->\n).*?(<!-- end of measured -->)", re.DOTALL)

PARTS = ("hot_path", "dynamodb", "start", "memory", "api", "growth", "load")


def of_part(part: str, figures: Figures) -> dict[str, str]:
    """Return what a part puts between marks."""
    return dynamodb.sections(figures) if part == "dynamodb" else parts.section(part, figures)


def sections(results: dict[str, Figures]) -> dict[str, str]:
    """Return the content for each mark, of all parts."""
    found = {**parts.readme(results), **parts.at_any_size(results)}
    for part, figures in results.items():
        found |= of_part(part, figures)
    return found


def contents(results: dict[str, Figures]) -> Iterator[tuple[Path, str]]:
    """Yield the new content of each page and each picture."""
    known = sections(results)
    for page in PAGES:
        yield page, _MARKED.sub(lambda mark: f"{mark[1]}\n{known[mark[2]]}\n\n{mark[3]}", page.read_text())
    for name, svg in parts.pictures(results).items():
        yield PICTURES / name, svg


def marks() -> set[str]:
    """Return the names of all marks."""
    return {mark[2] for page in PAGES for mark in _MARKED.finditer(page.read_text())}


def stale(results: dict[str, Figures]) -> list[str]:
    """Return the pages and pictures that do not show the measured figures."""
    return [
        str(file.relative_to(ROOT))
        for file, text in contents(results)
        if not file.exists() or file.read_text() != text
    ]


def update(results: dict[str, Figures]) -> None:
    """Write all pages and pictures."""
    for file, text in contents(results):
        file.write_text(text)
