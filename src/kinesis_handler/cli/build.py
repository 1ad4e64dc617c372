"""Implements `build`: builds the function of any application for Lambda."""

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from kinesis_handler.cli.application import ApplicationName
from kinesis_handler.cli.console import echo, echo_json
from kinesis_handler.cli.project import named_application
from kinesis_handler.errors import ConfigurationError
from kinesis_handler.project.artifact import Artifact, Contents, build_with_layer, write_dockerfile
from kinesis_handler.project.artifact import build as build_artifact
from kinesis_handler.project.dependencies import project_requirements, requirements_of
from kinesis_handler.project.pyproject import PYPROJECT, read_table
from kinesis_handler.project.runtime import Architecture, PythonVersion, Runtime, own_runtime

CACHE = ".dependencies"
"""Folder of installed dependencies, below that of the artifacts."""


def build(  # noqa: PLR0913, PLR0917 - a command has as many options as it has
    application_name: ApplicationName = None,
    into: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the artifacts are written.")] = Path(
        "build"
    ),
    runtime: Annotated[
        PythonVersion | None, typer.Option(help="The runtime's Python. Default: this one, or else 3.13.")
    ] = None,
    architecture: Annotated[Architecture, typer.Option(help="The runtime's processor.")] = "arm64",
    requirements: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Pinned dependencies, with hashes if you like. Default: those of pyproject.toml, as they are"
            " installed here.",
        ),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A further package or module of your own. May be repeated."),
    ] = None,
    python: Annotated[
        str | None,
        typer.Option(metavar="PROGRAM", help="A Python of the runtime's version, to compile the bytecode."),
    ] = None,
    layer: Annotated[bool, typer.Option("--layer", help="Put the dependencies into a layer.")] = False,  # noqa: FBT002
    image: Annotated[
        str | None,
        typer.Option(metavar="HANDLER", help="Write a Dockerfile that starts package.module.name, too."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,  # noqa: FBT002
) -> None:
    """Build the function for Lambda: its package, this library, what they need, and the bytecode of it all.

    The same input gives the same bytes. Nothing of the application is run.
    """
    if layer and image:
        raise ConfigurationError("--layer and --image exclude each other: an image has no layers")
    name = named_application(application_name)
    built_for = Runtime(runtime or own_runtime(), architecture)
    sources = [_source(each) for each in [name.partition(":")[0].partition(".")[0], *(include or [])]]
    contents = Contents(_project_name(sources[0].stem), _pinned(requirements, built_for), sources)
    options: dict[str, Any] = {"cache": into / CACHE, "python": python}
    artifacts: Sequence[Artifact]
    if layer:
        artifacts = build_with_layer(contents, built_for, into, **options)
    else:
        artifacts = [build_artifact(contents, built_for, into, **options)]
    file = write_dockerfile(artifacts[0].folder, built_for, image) if image is not None else None
    if as_json:
        echo_json(_described(contents, built_for, artifacts))
        return
    echo(f"for Python {built_for.python} on {built_for.architecture}, with")
    for pinned in contents.pinned:
        echo(f"  {pinned}", "dim")
    for each in artifacts:
        size, unpacked = each.zip.stat().st_size / 1e6, each.unpacked / 1e6
        echo(f"{each.zip}: {size:.2f} MB, {unpacked:.2f} MB unpacked, sha256 {each.digest}")
        echo(f"{each.bill_of_materials}: what is in it", "dim")
    if file is not None:
        echo(f"{file}: docker build --file {file} {into}")


def _source(name: str) -> Path:
    """Return the folder of a package, or the file of a module, without importing it."""
    if (folder := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    if spec is not None and spec.submodule_search_locations:
        return Path(spec.submodule_search_locations[0])
    if spec is None or spec.origin is None or not spec.has_location:
        raise ConfigurationError(f"there is no package or module {name!r} in {folder}, and none is installed")
    return Path(spec.origin)


def _project_name(package: str) -> str:
    """Return the name of the project in the current folder, or else that of the package."""
    return str(read_table(Path(PYPROJECT), "project").get("name", package))


def _pinned(requirements: Path | None, runtime: Runtime) -> str:
    if requirements is None:
        return requirements_of(project_requirements(Path(PYPROJECT)), runtime)
    try:
        return requirements.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"--requirements is {str(requirements)!r}; it cannot be read: {error}"
        ) from error


def _described(contents: Contents, runtime: Runtime, artifacts: Sequence[Artifact]) -> Mapping[str, object]:
    return {
        "runtime": f"python{runtime.python}",
        "architecture": runtime.architecture,
        "dependencies": contents.pinned,
        "artifacts": [
            {
                "zip": str(each.zip),
                "folder": str(each.folder),
                "bytes": each.zip.stat().st_size,
                "unpackedBytes": each.unpacked,
                "sha256": each.digest,
                "billOfMaterials": str(each.bill_of_materials),
            }
            for each in artifacts
        ],
    }
