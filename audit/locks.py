"""Whether the files of `requirements/` are complete: each names all that is asked for, with hashes."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from audit.artifacts import ROOT, applies, installed, needed_by, pinned

FILES = sorted((ROOT / "requirements").glob("*.txt"))
COMPILED_OF = {
    "dev": ("cli", "aws", "app:api", "serve", "cdk", "metrics", "group:dev"),
    "check": ("cli", "aws", "app:api", "serve", "metrics", "group:check"),
    "run": ("cli", "aws", "group:build", "group:tutorial"),
    "serve": ("cli", "aws", "app:api", "serve", "group:build", "group:tutorial"),
    "worker": ("cli", "aws", "kcl", "metrics", "group:build"),
    "consumer": (),
    "api": ("app:api",),
}
"""What each file is compiled of, as `make lock` has it.

The others are one package each, without dependencies.
"""

THIS_ENVIRONMENT: Mapping[str, str] = {name: str(value) for name, value in default_environment().items()}


def unhashed(file: Path) -> list[str]:
    """Return the lines of a file that pin no version, or have no hash: pip's hash mode refuses them."""
    entries = re.findall(r"^[^\s#](?:.*\\\n)*.*", file.read_text(), re.MULTILINE)
    complete = re.compile(r"\S+==\S+[^\n]*\\\n {4}--hash=sha256:[0-9a-f]{64}")
    return [each.partition("\n")[0] for each in entries if not complete.match(each)]


def missing(name: str) -> list[str]:
    """Return what a file leaves out of all that is asked for, by whomever, with or without an extra.

    It is asked for in this environment, whose installed packages say what they need in turn.
    """
    pins, absent = pinned(ROOT / "requirements" / f"{name}.txt", THIS_ENVIRONMENT), left_out(name)
    seen: set[tuple[str, str]] = set()
    waiting = [(each, "pyproject.toml") for each in _asked_for(name)]
    found: list[str] = []
    while waiting:
        requirement, by = waiting.pop()
        package = canonicalize_name(requirement.name)
        if package in absent:
            continue
        version = pins.get(package)
        if version is None or version not in requirement.specifier:
            found.append(f"{by} asks for {requirement}, and {name}.txt has {version}")
            continue
        distribution = installed(package)
        if distribution is None or distribution.version != version:
            found.append(f"{package} {distribution and distribution.version} is installed, not {version}")
            continue
        for extra in {"", *requirement.extras}:
            if (package, extra) not in seen:
                seen.add((package, extra))
                asks = f"{package}[{extra}]" if extra else package
                waiting += [(each, asks) for each in needed_by(package, extra, THIS_ENVIRONMENT)]
    return found


def left_out(name: str) -> set[str]:
    """Return what the Makefile leaves out of a file on purpose: what the API declares and does not import."""
    if name != "api":
        return set()
    [listed] = re.findall(
        r"^NOT_ON_LAMBDA := \$\(addprefix --no-emit-package ,([^)]+)\)",
        (ROOT / "Makefile").read_text(),
        re.MULTILINE,
    )
    return set(listed.replace("\\", " ").split())


def _asked_for(name: str) -> Iterator[Requirement]:
    """Yield what pyproject.toml asks for."""
    library, application = (
        tomllib.loads((ROOT / folder / "pyproject.toml").read_text()) for folder in ("", "apps/user_limits")
    )
    project, groups = library["project"], library["dependency-groups"]

    def of_group(name: str) -> Iterator[str]:
        for entry in groups[name]:
            if isinstance(entry, dict):
                yield from of_group(entry["include-group"])
            else:
                yield entry

    yield from map(Requirement, project["dependencies"])
    for part in COMPILED_OF[name]:
        kind, _, wanted = part.rpartition(":")
        asked: Iterable[str]
        match kind:
            case "group":
                asked = of_group(wanted)
            case "app":
                asked = application["project"]["optional-dependencies"][wanted]
            case _:
                asked = project["optional-dependencies"][wanted]
        yield from (each for each in map(Requirement, asked) if applies(each, THIS_ENVIRONMENT))
