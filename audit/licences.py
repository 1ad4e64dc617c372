"""The licences of what each artifact brings, and the page that lists them."""

import json
from collections.abc import Iterator
from importlib.metadata import Distribution
from pathlib import Path
from typing import NamedTuple

from audit.artifacts import PYTHON, ROOT, Component, in_each_artifact
from audit.policy import ALLOWED, CLASSIFIED, READ, canonical, refused

TOOLCHAINS = {
    "TypeScript client": ROOT / "apps" / "user_limits" / "tests" / "api" / "typescript" / "package-lock.json",
    "Node peer of the benchmark": ROOT / "benchmarks" / "node_peer" / "package-lock.json",
}
"""npm packages that a page tells to install, or a benchmark runs. No artifact has one."""


class Licensed(NamedTuple):
    """A package, its licence, and what it comes with."""

    name: str
    version: str
    licence: str | None
    comes_with: tuple[str, ...]


def licence_of(component: Component) -> str | None:
    """Return the licence of a package as an expression of SPDX; None if it cannot be read."""
    if read := READ.get(component.name):
        return canonical(read)
    return licence_in(component.found) if component.found else None


def licence_in(found: Distribution) -> str | None:
    """Return the licence that a distribution's metadata names. Of several classifiers all count."""
    for field in ("License-Expression", "License"):
        if expression := canonical((found.metadata.get_all(field) or [None])[0]):
            return expression
    classified = found.metadata.get_all("Classifier") or []
    names = [each.rpartition(" :: ")[2] for each in classified if each.startswith("License :: ")]
    if not names or not CLASSIFIED.keys() >= set(names):
        return None
    return " AND ".join(sorted(CLASSIFIED[each] for each in names))


def of_artifacts() -> list[Licensed]:
    """Return each package of any artifact once, by name."""
    comes_with: dict[str, list[str]] = {}
    by_name: dict[str, Component] = {}
    for artifact, components in in_each_artifact().items():
        by_name = components | by_name
        for name in components:
            comes_with.setdefault(name, []).append(artifact)
    return [
        Licensed(name, each.version or "not installed here", licence_of(each), tuple(comes_with[name]))
        for name, each in sorted(by_name.items())
    ]


def of_toolchains() -> list[Licensed]:
    """Return the npm packages of each toolchain, as their lock files have them."""
    return [each for name, file in TOOLCHAINS.items() for each in _of_lock(name, file)]


def _of_lock(toolchain: str, file: Path) -> Iterator[Licensed]:
    for path, package in sorted(json.loads(file.read_text())["packages"].items()):
        if path:
            name = path.rpartition("node_modules/")[2]
            yield Licensed(name, package["version"], canonical(package.get("license")), (toolchain,))


def not_allowed(packages: list[Licensed]) -> list[str]:
    """Return a sentence for each package whose licence is not allowed."""
    return [
        f"{each.name} {each.version}, in {', '.join(each.comes_with)}: {', '.join(unknown)}"
        for each in packages
        if (unknown := refused(each.licence))
    ]


def page() -> str:
    """Return the page of the licences."""
    return (
        INTRODUCTION.format(python=PYTHON)
        + _table(("licence", "why it is allowed"), list(ALLOWED.items()))
        + ARTIFACTS
        + _packages(of_artifacts())
        + NPM
        + _packages(of_toolchains())
    )


INTRODUCTION = """\
# Licences

All packages that an artifact of this project brings, at the versions that are pinned and tested: each wheel
with each extra, and the zips of the functions, for Linux and Python {python}. `make audit` fails if a package
has a licence that is not allowed here. [Why](../decisions/0046-supply-chain.md)

## Allowed

"""
ARTIFACTS = """
## Artifacts

`kinesis-handler[cli]` stands for what the extra adds to the wheel alone. Of the extra `kcl-daemon` only the
package itself is listed: its installation downloads 80 Java libraries. The pages bring no package: their
scripts are part of the wheels.

"""
NPM = """
## npm packages

No artifact has them: they are the toolchain of [the TypeScript client](../how-to/front-end.md), and a peer of
the benchmarks.

"""


def _packages(packages: list[Licensed]) -> str:
    return _table(
        ("package", "version", "licence", "comes with"),
        [
            (each.name, each.version, each.licence or "cannot be read", ", ".join(each.comes_with))
            for each in packages
        ],
    )


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    return "".join(f"| {' | '.join(line)} |\n" for line in (columns, ("---",) * len(columns), *rows))
