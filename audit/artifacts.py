"""What each artifact brings: the wheels with each of their extras, and the zips of the functions.

A wheel brings what its metadata asks for, and what that asks for in turn, at the versions that are installed
here, which are those that are pinned. A zip brings what its file of requirements pins.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECTS = {"kinesis-handler": ROOT, "user-limits": ROOT / "apps" / "user_limits"}
ZIPS = ("consumer", "api")
PYTHON = "3.13"

ON_LAMBDA = {
    **{name: str(value) for name, value in default_environment().items()},
    "python_version": PYTHON,
    "python_full_version": f"{PYTHON}.0",
    "implementation_name": "cpython",
    "implementation_version": f"{PYTHON}.0",
    "platform_python_implementation": "CPython",
    "os_name": "posix",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
}
"""What markers are evaluated in: so the result is the same on each machine and Python."""


class Component(NamedTuple):
    """A package that an artifact brings.

    Args:
        name: in its canonical form.
        found: its distribution; None where it is not installed here.
        asks_for: names of the packages that it needs in turn.
    """

    name: str
    found: Distribution | None
    asks_for: frozenset[str] = frozenset()

    @property
    def version(self) -> str | None:
        """Its version, if it is installed here."""
        return self.found.version if self.found else None


def extras_of(project: str) -> list[str]:
    """Return the extras of one of our wheels."""
    text = (PROJECTS[project] / "pyproject.toml").read_text()
    return list(tomllib.loads(text)["project"]["optional-dependencies"])


def brought_by(project: str, *extras: str) -> dict[str, Component]:
    """Return all that a wheel brings with some of its extras, itself included, by name."""
    seen: set[tuple[str, str]] = set()
    asks_for: dict[str, set[str]] = {}
    waiting = [Requirement(f"{project}[{','.join(extras)}]" if extras else project)]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras} - {extra for known, extra in seen if known == name}:
            seen.add((name, extra))
            needed = list(needed_by(name, extra))
            asks_for.setdefault(name, set()).update(canonicalize_name(each.name) for each in needed)
            waiting += needed
    return {name: Component(name, installed(name), frozenset(asks_for[name])) for name in sorted(asks_for)}


def needed_by(name: str, extra: str, environment: Mapping[str, str] = ON_LAMBDA) -> Iterator[Requirement]:
    """Yield what a package asks for, by itself or with an extra."""
    found = installed(name)
    asked = map(Requirement, (found and found.requires) or ())
    yield from (each for each in asked if applies(each, {**environment, "extra": extra}))


def applies(requirement: Requirement, environment: Mapping[str, str]) -> bool:
    """Return whether a requirement is one in an environment."""
    return requirement.marker is None or requirement.marker.evaluate(dict(environment))


def installed(name: str) -> Distribution | None:
    """Return a distribution of this environment, if it is there."""
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def pinned(file: Path, environment: Mapping[str, str] = ON_LAMBDA) -> dict[str, str]:
    """Return name → version of what a file of requirements pins in an environment."""
    lines = re.findall(r"^([^\s#][^\\\n]*)", file.read_text(), flags=re.MULTILINE)
    found = [Requirement(line.strip()) for line in lines]
    return {
        canonicalize_name(each.name): str(each.specifier).removeprefix("==")
        for each in found
        if applies(each, environment)
    }


def in_each_artifact() -> dict[str, dict[str, Component]]:
    """Return artifact → what it brings; with an extra, only what that adds."""
    found: dict[str, dict[str, Component]] = {}
    for project in PROJECTS:
        alone = brought_by(project)
        found[project] = alone
        for extra in extras_of(project):
            more = brought_by(project, extra)
            found[f"{project}[{extra}]"] = {name: more[name] for name in more.keys() - alone.keys()}
    for name in ZIPS:
        pins = pinned(ROOT / "requirements" / f"{name}.txt")
        found[f"{name}.zip"] = {each: Component(each, installed(each)) for each in sorted(pins)}
    return found
