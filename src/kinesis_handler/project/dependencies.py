"""Finds what an application depends on, in the versions that are installed here: those that were tested."""

import json
from collections.abc import Collection, Iterator, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from kinesis_handler.project.programs import ArtifactError
from kinesis_handler.project.pyproject import read_table
from kinesis_handler.project.runtime import Runtime

OF_THE_RUNTIME = {"boto3", "botocore"}
"""Distributions that Lambda's runtime has, with all that they depend on.

Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
"""

LIBRARY = "kinesis-handler"
"""This library, which is copied and not installed again."""


def project_requirements(pyproject: Path) -> list[str]:
    """Return the dependencies that a pyproject.toml lists; without one, this library alone.

    Raises ConfigurationError if it cannot be read.
    """
    if not pyproject.exists():
        return [LIBRARY]
    return [str(each) for each in read_table(pyproject, "project").get("dependencies", [])]


def requirements_of(roots: Sequence[str], runtime: Runtime) -> str:
    """Return a file of requirements: all that the roots need on a runtime, as it is installed here.

    Args:
        roots: requirements, such as `kinesis-handler[aws]`.
        runtime: whose version and processor decide which of them apply.

    Raises ArtifactError if one is not installed, or was installed from a folder and so is in no index.
    """
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = list(_applying([LIBRARY, *roots], runtime))
    while waiting:
        each = waiting.pop()
        name = canonicalize_name(each.name)
        new = {(name, extra) for extra in ("", *each.extras)} - seen
        if name in OF_THE_RUNTIME or not new:
            continue
        seen |= new
        installed = _installed(each)
        if name != LIBRARY:
            found[name] = _pinned(name, installed)
        waiting += _applying(installed.requires or [], runtime, {extra for _, extra in new})
    return "".join(f"{found[name]}\n" for name in sorted(found))


def _applying(
    requirements: Sequence[str], runtime: Runtime, extras: Collection[str] = ("",)
) -> Iterator[Requirement]:
    """Yield those that apply on a runtime, where their distribution is asked for with one of these extras."""
    for each in requirements:
        try:
            requirement = Requirement(each)
        except InvalidRequirement as error:
            raise ArtifactError(f"the dependency {each!r} cannot be read: {error}") from error
        marker = requirement.marker
        if marker is None or any(marker.evaluate({**runtime.environment, "extra": one}) for one in extras):
            yield requirement


def _installed(requirement: Requirement) -> Distribution:
    try:
        return distribution(requirement.name)
    except PackageNotFoundError as error:
        raise ArtifactError(
            f"the dependency {str(requirement)!r} is not installed here, so no version of it was tested: "
            "install the project first, or name a file of pinned versions by --requirements"
        ) from error


def _pinned(name: str, installed: Distribution) -> str:
    """Return the requirement of exactly what is installed."""
    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    if "dir_info" in origin:
        raise ArtifactError(
            f"the dependency {name!r} was installed from a folder, {origin['url']}: build a wheel of it and "
            "install that"
        )
    return f"{name} @ {origin['url']}" if "archive_info" in origin else f"{name}=={installed.version}"
