"""What the project needs is pinned, all of it: a release of tomorrow changes no machine of today."""

import ensurepip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from audit.artifacts import pinned
from audit.locks import COMPILED_OF, FILES, THIS_ENVIRONMENT, missing, unhashed

ROOT = Path(__file__).parent.parent


def name_of(path: Path) -> str:
    return path.stem


def pins(file: str) -> dict[str, str]:
    """Return name → version of all that a file pins for this machine and this Python."""
    return pinned(ROOT / "requirements" / f"{file}.txt", THIS_ENVIRONMENT)


# Not all of it is there in an environment for `make check`.
COMPLETE = [
    pytest.param("dev", marks=pytest.mark.other_programs),
    pytest.param("worker", marks=pytest.mark.other_programs),
    *(each for each in COMPILED_OF if each not in {"dev", "worker"}),
]


@pytest.mark.parametrize("file", COMPLETE)
def test_a_pinned_file_names_all_that_is_asked_for_extras_included(file: str) -> None:
    assert missing(file) == []


@pytest.mark.parametrize("leaves_out", ["botocore", "rich", "typing-extensions"])
def test_a_file_that_leaves_something_out_is_found(
    leaves_out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    for name in ("", "apps/user_limits"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name / "pyproject.toml", tmp_path / name)
    file = tmp_path / "requirements" / "run.txt"
    file.write_text(re.sub(rf"^{leaves_out}==.*\n(?: .*\n)+", "", file.read_text(), flags=re.MULTILINE))
    monkeypatch.setattr("audit.locks.ROOT", tmp_path)
    found = missing("run")
    assert found
    assert all(f" asks for {leaves_out}" in each and "run.txt has None" in each for each in found)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_each_pin_has_a_hash_and_no_file_names_an_index(path: Path) -> None:
    assert unhashed(path) == []
    assert "://" not in path.read_text()


@pytest.mark.parametrize(
    "line", ["msgspec==0.22.0", "msgspec>=0.22 \\\n    --hash=sha256:" + "0" * 64, "msgspec"]
)
def test_a_line_without_version_or_hash_is_found(line: str, tmp_path: Path) -> None:
    file = tmp_path / "some.txt"
    file.write_text((ROOT / "requirements" / "consumer.txt").read_text() + line + "\n")
    assert unhashed(file) == [line.partition("\n")[0]]


def test_what_runs_and_what_is_deployed_has_the_versions_that_are_tested() -> None:
    tested = pins("dev")
    for file in ("check", "run", "serve", "consumer", "api"):
        assert pins(file).items() <= tested.items(), file


@pytest.mark.parametrize("file", ["pip", "check", COMPLETE[0]])
def test_this_environment_is_what_is_pinned(file: str) -> None:
    for name, version in pins(file).items():
        try:
            assert distribution(name).version == version
        except PackageNotFoundError:
            pytest.fail(f"{name} is pinned, and not installed")


# With a small index of our own, on which all has made a new release.

BACKEND = """
import pathlib
import zipfile

WHEEL = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"

def build_editable(folder, config_settings=None, metadata_directory=None):
    mine = pathlib.Path.cwd().name
    info = f"{mine}-1.0.dist-info"
    with zipfile.ZipFile(f"{folder}/{mine}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: {mine}\\nVersion: 1.0\\n")
        wheel.writestr(f"{info}/WHEEL", WHEEL)
        wheel.writestr(f"{info}/RECORD", "")
    return f"{mine}-1.0-py3-none-any.whl"

def build_wheel(folder, config_settings=None, metadata_directory=None):
    return build_editable(folder)
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "{name}"
version = "1.0"
"""


class Index:
    """A folder that pip reads as an index, with packages that do nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def release(self, name: str, version: str, *requires: str, extras: tuple[str, ...] = ()) -> str:
        """Publish a release, and return the line that pins it."""
        metadata = [
            "Metadata-Version: 2.1",
            f"Name: {name}",
            f"Version: {version}",
            *(f"Provides-Extra: {extra}" for extra in extras),
            *(f"Requires-Dist: {each}" for each in requires),
        ]
        info = f"{name}-{version}.dist-info"
        file = self.folder / name / f"{name}-{version}-py3-none-any.whl"
        file.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(file, "w") as wheel:
            wheel.writestr(f"{name}.py", f"version = {version!r}\n")
            wheel.writestr(f"{info}/METADATA", "\n".join(metadata) + "\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
        return self.add(name, version, file)

    def add(self, name: str, version: str, file: Path) -> str:
        """Publish a file, and return the line that pins it."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        if file.parent != folder:
            shutil.copy(file, folder)
        links = "".join(f'<a href="{each.name}">{each.name}</a>\n' for each in folder.glob("*.whl"))
        (folder / "index.html").write_text(links)
        return f"{name}=={version} --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project with our Makefile; all that it depends on has made a new release since it was pinned."""
    index, folder = Index(tmp_path / "index"), tmp_path / "project"
    (folder / "requirements").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    for part in (folder, folder / "apps" / "user_limits"):
        part.mkdir(parents=True, exist_ok=True)
        (part / "pyproject.toml").write_text(PYPROJECT.format(name=part.name))
        (part / "backend.py").write_text(BACKEND)
    # Debian's Python has its wheels in a folder of their own.
    wheels = sysconfig.get_config_var("WHEEL_PKG_DIR") or Path(ensurepip.__file__).parent / "_bundled"
    [pip] = Path(wheels).glob(f"pip-{ensurepip.version()}-*.whl")
    pinned_pip = index.add("pip", ensurepip.version(), pip)
    (folder / "requirements" / "pip.txt").write_text(pinned_pip)
    asks = ("part[more]>=1",)
    more = 'rest>=1; extra == "more"'
    pinned = [
        index.release("whole", "1.0", *asks),
        index.release("part", "1.0", more, extras=("more",)),
        index.release("rest", "1.0"),
    ]
    index.release("whole", "2.0", *asks)
    index.release("part", "2.0", more, "surprise", extras=("more",))
    index.release("rest", "2.0")
    (folder / "requirements" / "run.txt").write_text("".join(pinned))
    return folder


def make(project: Path) -> subprocess.CompletedProcess[str]:
    hidden = re.compile("PIP_|MAKE|MFLAGS|PYTHON|COV")
    settings = {
        **{name: value for name, value in os.environ.items() if not hidden.match(name)},
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": (project.parent / "index").as_uri(),
        "PIP_NO_CACHE_DIR": "1",
    }
    command = ["make", f"PYTHON={sys.executable}", ".venv/.run"]
    return subprocess.run(
        command, cwd=project, env=settings, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.other_programs
def test_an_installation_is_as_pinned_when_all_has_made_a_new_release(project: Path) -> None:
    done = make(project)
    assert done.returncode == 0, done.stdout + done.stderr
    program = "import whole, part, rest; print(whole.version, part.version, rest.version)"
    shown = subprocess.run(
        [project / ".venv" / "bin" / "python", "-c", program], capture_output=True, text=True, check=True
    )
    assert shown.stdout == "1.0 1.0 1.0\n"


@pytest.mark.other_programs
def test_an_installation_stops_where_something_is_left_out(project: Path) -> None:
    file = project / "requirements" / "run.txt"
    pinned = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in pinned if not line.startswith("part")))
    done = make(project)
    assert done.returncode != 0
    assert "whole 1.0 requires part" in done.stdout + done.stderr
    assert not (project / ".venv" / ".run").exists()


@pytest.mark.other_programs
def test_what_is_installed_here_fits_together() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "check", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
