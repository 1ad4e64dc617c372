"""Write tables between their marks in README and docs, and the pictures that these show.

A mark is a comment that names what is below it, up to the next comment, which marks its end:

    <!-- measured: hot path -->
    …
    <!-- end of measured -->
"""

import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.report import api, dynamodb, growth, hot_path, load, memory, readme, scale, start
from benchmarks.results import ROOT, Figures

PAGES = (ROOT / "README.md", ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "scale.md")
PICTURES = ROOT / "docs" / "pictures"

_MARKED = re.compile(r"(<!-- measured: ([^>]+) -->\n).*?(<!-- end of measured -->)", re.DOTALL)

SECTIONS = {
    "hot_path": hot_path.sections,
    "dynamodb": dynamodb.sections,
    "start": start.sections,
    "memory": memory.sections,
    "api": api.sections,
    "growth": growth.sections,
    "load": load.sections,
}
PICTURED = {
    "hot_path": hot_path.pictures,
    "dynamodb": dynamodb.pictures,
    "start": start.pictures,
    "api": api.pictures,
    "growth": growth.pictures,
    "load": load.pictures,
}


def sections(results: dict[str, Figures]) -> dict[str, str]:
    """Return the content for each mark."""
    found: dict[str, str] = {}
    for part, figures in results.items():
        found |= SECTIONS[part](figures)
    for module in (scale, readme):
        if results.keys() >= module.NEEDS:
            found |= module.sections(results)
    return found


def contents(results: dict[str, Figures]) -> Iterator[tuple[Path, str]]:
    """Yield the new content of each page and each picture. Parts without figures stay unchanged."""
    known = sections(results)
    for page in PAGES:
        text = page.read_text()
        yield page, _MARKED.sub(lambda mark: _filled(mark, known), text)
    for part, figures in results.items():
        if part in PICTURED:
            yield from ((PICTURES / name, svg) for name, svg in PICTURED[part](figures).items())


def marks() -> set[str]:
    """Return the names of all marks."""
    return {mark[2] for page in PAGES for mark in _MARKED.finditer(page.read_text())}


def _filled(mark: re.Match[str], known: dict[str, str]) -> str:
    return f"{mark[1]}\n{known[mark[2]]}\n\n{mark[3]}" if mark[2] in known else mark[0]


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
