"""The figures of the runs, the changes that make no difference, and the page that shows both."""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
RESULTS, EQUIVALENT = FOLDER / "results.json", FOLDER / "equivalent.toml"
PAGE = FOLDER.parent / "docs" / "mutation.md"
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->"

LEAST = 95
"""Percent of the changes of each module that have to be noticed."""


@dataclass
class Module:
    """What became of the changes of a module.

    Args:
        mutants: how many there are.
        noticed: how many fail a test, or never end.
        equivalent: how many make no difference, as equivalent.toml says.
    """

    mutants: int = 0
    noticed: int = 0
    equivalent: int = 0

    @property
    def percent(self) -> float:
        """The noticed ones among all."""
        return 100 * self.noticed / self.mutants


@dataclass(frozen=True)
class Equivalent:
    """Changes of one function's line that make no difference.

    Args:
        function: with its module and class.
        was: the line.
        becomes: what it may become.
        why: the reason.
    """

    function: str
    was: str
    becomes: tuple[str, ...]
    why: str


def equivalents() -> list[Equivalent]:
    """Read the changes that make no difference."""
    entries = tomllib.loads(EQUIVALENT.read_text())["equivalent"]
    return [Equivalent(**{**each, "becomes": tuple(each["becomes"])}) for each in entries]


def read_results() -> dict[str, Module]:
    """Return the figures of each module, by its name."""
    modules: dict[str, dict[str, int]] = _results()["modules"]
    return {name: Module(**figures) for name, figures in modules.items()}


def write_results(modules: dict[str, Module], tests_seconds: float) -> None:
    """Write the figures, beside those of modules that were left out this time."""
    whole = {
        "modules": {name: asdict(each) for name, each in sorted({**read_results(), **modules}.items())},
        "tests_seconds": round(tests_seconds),
    }
    RESULTS.write_text(json.dumps(whole, indent=2) + "\n")


def page() -> str:
    """Return the page with the figures."""
    before, rest = PAGE.read_text().split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{chr(10).join(_lines())}\n{END}{after}"


def _lines() -> Iterator[str]:
    results, modules = _results(), read_results()
    yield "| module | changes | noticed | make no difference | percent noticed |"
    yield "|---|---:|---:|---:|---:|"
    for name, each in modules.items():
        yield f"| {name} | {each.mutants} | {each.noticed} | {each.equivalent} | {each.percent:.1f} |"
    names = ("mutants", "noticed", "equivalent")
    total = Module(*(sum(getattr(each, name) for each in modules.values()) for name in names))
    yield f"| all | {total.mutants} | {total.noticed} | {total.equivalent} | {total.percent:.1f} |"
    yield ""
    yield f"The tests take {results['tests_seconds']} seconds of CPU time, called once."
    yield ""
    yield "These make no difference:"
    yield ""
    for entry in equivalents():
        becomes = ", ".join(f"`{each}`" for each in entry.becomes)
        yield f"- `{entry.function}`: `{entry.was}` as {becomes}. {entry.why}"
    yield ""


def _results() -> Any:
    return json.loads(RESULTS.read_text())
