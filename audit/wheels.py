"""Builds the wheels of the library and of the application, each with its bill of materials beside it.

python -m audit.wheels

A wheel holds no code but its own. Its bill lists what its installation brings, at the versions that are
tested here: what it always needs as required, what an extra adds as optional.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from audit.artifacts import PROJECTS, ROOT, Component, brought_by, extras_of
from audit.licences import licence_of
from kinesis_handler.project.sbom import ENDING, Json, bill, component

EPOCH = "315532800"
"""Date of every file in a wheel: 1980, the earliest that a zip can name. So a wheel is reproducible."""

SOURCES = ("src", "apps", "pyproject.toml", "README.md", "LICENSE")


def build(into: Path) -> dict[str, Path]:
    """Build both wheels into a folder, and return project → wheel."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"]
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary)
        # A build leaves traces: none in the sources, and none of an earlier one in the wheel.
        for name in SOURCES:
            _copy(ROOT / name, copy / name)
        folders = [str(copy / folder.relative_to(ROOT)) for folder in PROJECTS.values()]
        subprocess.run(
            [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(into), *folders],
            check=True,
            env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH},
        )
    return {name: next(into.glob(f"{name.replace('-', '_')}-*.whl")) for name in PROJECTS}


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.egg-info", "__pycache__", "build"))
    else:
        shutil.copy(source, target)


def bill_of_materials(project: str, wheel: Path) -> bytes:
    """Return the bill of materials of a wheel."""
    required = brought_by(project)
    everything = brought_by(project, *extras_of(project))
    described = {name: _described(each) for name, each in everything.items()}
    components = [
        {**each, "scope": "required" if name in required else "optional"}
        for name, each in described.items()
        if name != project
    ]
    depends_on = {
        described[name]["bom-ref"]: sorted(described[other]["bom-ref"] for other in each.asks_for)
        for name, each in everything.items()
    }
    return bill(described[project], wheel, components, depends_on)


def _described(package: Component) -> Json:
    licence = licence_of(package)
    return component(package.name, package.version, [{"expression": licence}] if licence else [])


def write(into: Path) -> Iterator[Path]:
    """Build the wheels and write their bills, and yield each file."""
    for project, wheel in build(into).items():
        beside = wheel.with_name(f"{wheel.name}{ENDING}")
        beside.write_bytes(bill_of_materials(project, wheel))
        yield from (wheel, beside)


def main() -> None:
    """Build the wheels of the library and of the application, each with its bill of materials."""
    parser = argparse.ArgumentParser(prog="python -m audit.wheels", description=main.__doc__)
    parser.add_argument("--into", type=Path, default=ROOT / "build" / "wheels", help="default: build/wheels")
    for file in write(parser.parse_args().into):
        print(f"{file.stat().st_size / 1e3:7.1f} kB  {file}")


if __name__ == "__main__":
    main()
