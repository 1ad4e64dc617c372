"""A wheel of the library, and what a newcomer makes with it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from kinesis_handler.project.new import make_project

ROOT = Path(__file__).parent.parent.parent
RESULT = "6 records: 4 applied, 1 duplicate, 1 rejected · remarks: 1 overdrawn\n"
"""How the events of a new project end."""

SOURCES = ("src", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="package")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the library's wheel, built from a copy: a build leaves traces."""
    copy, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheels")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("*.egg-info", "*_cache", "__pycache__")
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, copy)
    build = f"from setuptools.build_meta import build_wheel; build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=copy, check=True, capture_output=True)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a new project."""
    folder = tmp_path / "parcels"
    make_project("parcels", folder)
    return folder


@pytest.fixture
def installed(project: Path, programs_of_a_run: Path) -> Path:
    """Return a new project with an environment that has what its pyproject.toml asks for."""
    (project / ".venv").symlink_to(programs_of_a_run.parent)
    (programs_of_a_run / ".installed").touch()  # newer than its pyproject.toml
    return project


def run(folder: Path, *command: str, variables: Mapping[str, str] | None = None) -> str:
    """Run a command in a folder, with few variables of this machine; return what it prints on stdout."""
    kept = {name: os.environ[name] for name in ("HOME", "PATH", "TMPDIR") if name in os.environ}
    done = subprocess.run(
        command, cwd=folder, env={**kept, **(variables or {})}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def contents(folder: Path) -> dict[str, str]:
    """Return the files below a folder, path → content."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and "cache" not in str(path.relative_to(folder))
    }
