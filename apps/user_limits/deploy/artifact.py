"""Artifacts of functions: dependencies, our packages, and the bytecode of both, in one zip."""

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

APPLICATION = Path(__file__).parent.parent
ROOT = APPLICATION.parent.parent

CACHE = ROOT / "build" / ".dependencies"

Platform = Literal["lambda", "host"]

RUNTIME = "3.13"
"""Python version of the functions, as in the template."""

# Platforms that the runtime supports: Amazon Linux 2023 on Graviton. pip matches each name separately.
_TAGS = [*(f"manylinux_2_{minor}_aarch64" for minor in range(34, 16, -1)), "manylinux2014_aarch64"]

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Date of every file in a zip, the earliest that the format allows."""


class ArtifactError(Exception):
    """The artifact cannot be built. The message gives the reason, and what to do."""


class Function(NamedTuple):
    """A function, and the parts of our packages that it never imports."""

    name: str
    module: str
    left_out: Sequence[str]

    @property
    def requirements(self) -> Path:
        """File of its pinned dependencies."""
        return ROOT / "requirements" / f"{self.name}.txt"


_NOT_ON_LAMBDA = [
    "kinesis_handler/cli",
    "kinesis_handler/testing",
    "user_limits/demo_events.py",
]
FUNCTIONS = {
    each.name: each
    for each in (
        Function(
            "consumer",
            "user_limits.lambda_consumer",
            [
                *_NOT_ON_LAMBDA,
                "kinesis_handler/local/redrive/fetch.py",
                "kinesis_handler/local/redrive/queue.py",
                "kinesis_handler/local/redrive/through_stream.py",
                "user_limits/api",
                "user_limits/lambda_api.py",
            ],
        ),
        Function(
            "api",
            "user_limits.lambda_api",
            [
                *_NOT_ON_LAMBDA,
                "kinesis_handler/local/redrive",
                "user_limits/api/page",
                "user_limits/lambda_consumer.py",
                "user_limits/lambda_redrive.py",
                "user_limits/scheduled_redrive.py",
            ],
        ),
    )
}

# Files of dependencies that no function reads: tools, types, tests, extensions that nothing calls, and
# pip's own notes.
_UNUSED = [
    "bin",
    "**/*.pyi",
    "**/*.[ch]",
    "**/_tests",
    "**/_testcapi*.so",
    "cffi",  # cryptography needs only its backend, which is a module of its own
    "litestar/cli",
    "litestar/testing",
    "yaml/_yaml*.so",
    "*.dist-info/RECORD",
    "*.dist-info/REQUESTED",
    "*.dist-info/INSTALLER",
    "*.dist-info/direct_url.json",
]


class Artifact(NamedTuple):
    """A built function."""

    folder: Path
    zip: Path

    @property
    def digest(self) -> str:
        """SHA-256 of the zip."""
        return hashlib.sha256(self.zip.read_bytes()).hexdigest()

    @property
    def unpacked(self) -> int:
        """Size of all files, in bytes."""
        return sum(path.stat().st_size for path in _files(self.folder))


def build(
    function: Function, platform: Platform, into: Path, python: str | None = None, cache: Path = CACHE
) -> Artifact:
    """Build a function into a folder and a zip, both with its name. The same input gives the same bytes.

    Args:
        function: the function.
        platform: `lambda`, or `host` for this machine and this Python.
        into: the folder that both are written to.
        python: a Python of the runtime's version, which compiles the bytecode for `lambda`.
        cache: cache of installed dependencies: the next build needs no network, and no time.

    Raises ArtifactError if something that the build needs is missing.
    """
    compiler = sys.executable if platform == "host" else _runtime_python(python or f"python{RUNTIME}")
    installed = install(function, platform, cache)

    def with_bytecode(folder: Path) -> None:
        shutil.copytree(installed, folder)
        _compile(compiler, folder)

    dependencies = _made_once(installed.with_name(f"{installed.name}-bytecode"), with_bytecode)
    into.mkdir(parents=True, exist_ok=True)
    folder = into / function.name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(dependencies, folder)
    for source in (ROOT / "src" / "kinesis_handler", APPLICATION / "src" / "user_limits"):
        shutil.copytree(
            source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__", "py.typed")
        )
    _remove(folder, function.left_out)
    _compile(compiler, folder)
    return Artifact(folder, _zipped(folder, into / f"{function.name}.zip"))


def install(function: Function, platform: Platform, cache: Path = CACHE) -> Path:
    """Return a folder with a function's dependencies, installed once for each set of requirements.

    Raises ArtifactError if pip fails.
    """
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", "install"]
    options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-compile"]
    if platform == "lambda":
        options += ["--implementation", "cp", "--python-version", RUNTIME]
        options += [option for tag in _TAGS for option in ("--platform", tag)]
    inputs = "\n".join([*options, *_UNUSED, sys.version if platform == "host" else ""])
    digest = hashlib.sha256(function.requirements.read_bytes() + inputs.encode()).hexdigest()

    def installed(folder: Path) -> None:
        requirements = ["--target", str(folder), "--requirement", str(function.requirements)]
        _run([*pip, *options, *requirements], "pip could not install what it needs")
        _remove(folder, _UNUSED)

    return _made_once(cache / f"{function.name}-{platform}-{digest[:12]}", installed)


def _made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Return a folder; if it is missing, make it as a whole, safely against concurrent processes."""
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            made = Path(temporary) / folder.name
            make(made)
            try:
                made.rename(folder)
            except OSError:
                if not folder.exists():
                    raise
    return folder


def _compile(python: str, folder: Path) -> None:
    # Without site: modules that a machine loads at each start change reference counts, and so the bytes.
    _run(
        [python, "-I", "-S", str(APPLICATION / "deploy" / "bytecode.py"), str(folder)],
        "the bytecode was not made",
    )


def _remove(folder: Path, patterns: Sequence[str]) -> None:
    for path in [found for pattern in patterns for found in folder.glob(pattern)]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _runtime_python(python: str) -> str:
    """Return a Python whose bytecode the runtime reads.

    Without one, nothing is built: every start would compile all its sources, since the folder of the function
    is read-only, and take three times as long.
    """
    program = "import sys; print('{}.{}'.format(*sys.version_info))"
    try:
        version = subprocess.run(  # noqa: S603 - the Python that was asked for
            [python, "-I", "-c", program], capture_output=True, text=True, check=True, env=_environment()
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        version = "not there"
    if version != RUNTIME:
        raise ArtifactError(
            f"Python {RUNTIME} makes the bytecode for Lambda, and {python} is {version}. Install it, or say "
            "where one is: RUNTIME_PYTHON=/path/to/python"
        )
    return python


def _zipped(folder: Path, file: Path) -> Path:
    """Put a folder's files into a zip: sorted, with equal dates, readable by all."""
    with zipfile.ZipFile(file, "w") as archive:
        for path in _files(folder):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH)
            entry.create_system = 3  # Unix, on any machine
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return file


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _run(command: Sequence[str], otherwise: str) -> None:
    done = subprocess.run(  # noqa: S603 - pip and our own code
        command, capture_output=True, text=True, check=False, env=_environment()
    )
    if done.returncode:
        raise ArtifactError(f"{otherwise}:\n{done.stderr.strip()}")


def _environment() -> dict[str, str]:
    """Return an environment in which pyenv, if it is used, offers the runtime's Python."""
    return {**os.environ, "PYENV_VERSION": RUNTIME}
