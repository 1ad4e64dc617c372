"""Writes what runs have come to into the docs: from results.json, between marks.

<!-- tried: G1 -->
…
<!-- end of tried -->
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from simulation.checks import checks_of

ROOT = Path(__file__).parents[1]
FILE = Path(__file__).with_name("results.json")
PAGES = (ROOT / "docs" / "guarantees.md", ROOT / "docs" / "simulation.md")

_MARKED = re.compile(r"(<!-- tried: ([^>]+) -->\n).*?(<!-- end of tried -->)", re.DOTALL)

Results = Mapping[str, Mapping[str, Any]]


def read() -> dict[str, dict[str, Any]]:
    """Return the figures of each application."""
    found: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def sections(results: Results) -> dict[str, str]:
    """Return what stands at each mark."""
    runs = [results[name] for name in sorted(results) if name != "mutants"]
    seeds, events = (sum(each[name] for each in runs) for name in ("seeds", "events"))
    lead = f"Tried in {seeds:,} [simulated](simulation.md) seeds, of {events:,} events in all:"
    found = {name: f"{lead} {checks}." for name, checks in checks_of(runs).items()}
    return found | {"runs": _table(results), "mutants": _mutants(results)}


def contents(results: Results) -> Iterator[tuple[Path, str]]:
    """Yield each page with its new content."""
    known = sections(results)
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        yield page, _MARKED.sub(lambda mark: f"{mark[1]}\n{known[mark[2]]}\n\n{mark[3]}", text)


def marks() -> set[str]:
    """Return the names of all marks."""
    return {mark[2] for page in PAGES for mark in _MARKED.finditer(page.read_text(encoding="utf-8"))}


def update() -> None:
    """Write the pages."""
    for page, text in contents(read()):
        page.write_text(text, encoding="utf-8")


def _table(results: Results) -> str:
    names = [name for name in sorted(results) if name != "mutants"]
    runs = [results[name] for name in names]
    rows = [("", *names)]
    rows += [
        (title, *(f"{each[field]:,}" for each in runs))
        for title, field in (
            ("seeds", "seeds"),
            ("seeds that differ from the oracle", "failed"),
            ("events", "events"),
            ("processes", "processes"),
            ("events per second, all processes", "eventsPerSecond"),
            ("events per second of CPU time", "eventsPerCpuSecond"),
        )
    ]
    for fault in runs[0]["faults"]:
        rows.append((fault, *(f"{each['faults'][fault]:,}" for each in runs)))
    for status in runs[0]["outcomes"]:
        rows.append((f"*{status}*", *(f"{each['outcomes'][status]:,}" for each in runs)))
    return _markdown(rows)


def _mutants(results: Results) -> str:
    rows: list[tuple[str, ...]] = [("broken rule", "seeds until it is found")]
    rows += [(name, str(seeds)) for name, seeds in results["mutants"].items()]
    return _markdown(rows)


def _markdown(rows: list[tuple[str, ...]]) -> str:
    head, *body = ("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join([head, "|---|" + "---:|" * (len(rows[0]) - 1), *body])
