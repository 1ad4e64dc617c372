"""Write tables between their marks in README and docs, and the pictures that these show.

A mark is a comment that names what is below it, up to the next comment, which marks its end:

    <!-- measured: hot path -->
    …
    <!-- end of measured -->

What stands there is the macro of that name in tables.md.j2.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmarks.prices import PRICE_LIST
from benchmarks.report import figures, scale
from benchmarks.report.svg import Bar, bar_chart
from benchmarks.results import ROOT, Figures

DOCS = ROOT / "docs"
PAGES = (
    ROOT / "README.md",
    DOCS / "benchmarks.md",
    DOCS / "scale.md",
    DOCS / "how-to" / "coroutines.md",
    DOCS / "how-to" / "workers.md",
)
PICTURES = DOCS / "pictures"

Names = Mapping[str, tuple[str, int]]
"""What a picture calls each contender, and its colour."""

CONTENDERS: Names = {
    "floor": ("floor: only decoding", 1),
    "validated": ("only decoded by schema", 1),
    "ours": ("kinesis-handler", 0),
    "powertools": ("Powertools, pydantic", 2),
    "node": ("Node, yup, pino", 3),
}
TABLES: Names = {
    "known 5": ("kinesis-handler", 0),
    "get_and_put": ("get and put", 2),
    "idempotent": ("idempotency", 3),
}
STARTS: Names = {
    "dynamodb": ("consumer with DynamoDB", 0),
    "memory": ("consumer in memory", 0),
    "powertools": ("Powertools, boto3", 2),
    "api": ("API", 0),
    "fastapi": ("FastAPI, pydantic", 2),
}
APIS: Names = {"ours": ("Litestar, msgspec", 0), "fastapi": ("FastAPI, pydantic", 2)}

_MARKED = re.compile(r"(<!-- measured: ([^>]+) -->\n).*?(<!-- end of measured -->)", re.DOTALL)
_templates = Environment(  # noqa: S701 - Markdown, from our own figures
    loader=FileSystemLoader(Path(__file__).parent),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {
    "dollars": figures.dollars,
    "figure": figures.figure,
    "times": figures.times,
    "whole": lambda value: f"{round(float(value)):,}",
}
_templates.globals |= {"scale": scale, "PRICE_LIST": PRICE_LIST}
_tables = _templates.get_template("tables.md.j2").module


def tables() -> set[str]:
    """Return the names of all tables."""
    return {name.replace("_", " ") for name in vars(_tables) if not name.startswith("_")}


def table(name: str, results: dict[str, Figures]) -> str:
    """Return what stands at a mark."""
    text: str = getattr(_tables, name.replace(" ", "_"))(results)
    return text.strip()


def contents(results: dict[str, Figures]) -> Iterator[tuple[Path, str]]:
    """Yield the new content of each page and each picture."""
    for page in PAGES:
        text = page.read_text()
        yield page, _MARKED.sub(lambda mark: f"{mark[1]}\n{table(mark[2], results)}\n\n{mark[3]}", text)
    for name, svg in pictures(results).items():
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


def pictures(results: dict[str, Figures]) -> dict[str, str]:
    """Return the pictures by their names."""
    us, ms = results["hot_path"]["sizes"]["10000"]["us"], results["start"]["ms"]
    events = _bars(CONTENDERS, {name: 1_000_000 / each for name, each in us.items()})
    starts = [
        Bar(title, [(ms[name]["start"], colour), (ms[name]["first"], 1)], f"{_sum(ms[name])} ms")
        for name, (title, colour) in STARTS.items()
    ]
    requests = {
        kind: _bars(APIS, {name: asked[name]["rate"] for name in APIS})
        for kind, asked in results["api"]["asked"].items()
    }
    per_1000 = results["dynamodb"]["per_1000"]
    fields = {"requests": "requests", "writes": "write units", "cpu_ms": "ms of client CPU"}
    tables = {
        title: _bars(TABLES, {name: each[field] for name, each in per_1000.items()})
        for field, title in fields.items()
    }
    into_dynamodb = "1,000 events into DynamoDB, five for each of its limits"
    return {
        "hot-path.svg": bar_chart("Events a second on one core, in memory, 10,000 in a batch", {"": events}),
        "start.svg": bar_chart(
            "Cold start: imports and building; in grey the first invocation", {"": starts}
        ),
        "api.svg": bar_chart("Requests a second that the API answers on one core", requests),
        "dynamodb.svg": bar_chart(into_dynamodb, tables),
    }


def _bars(names: Names, values: Mapping[str, float]) -> list[Bar]:
    return [
        Bar(label, [(values[name], colour)], figures.figure(values[name]))
        for name, (label, colour) in names.items()
    ]


def _sum(times: Mapping[str, float]) -> str:
    return figures.figure(sum(times.values()))
