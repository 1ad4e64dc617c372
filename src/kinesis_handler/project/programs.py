"""Runs pip, and the Python that compiles the bytecode."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from kinesis_handler.errors import ConfigurationError
from kinesis_handler.project import bytecode


class ArtifactError(ConfigurationError):
    """The artifact cannot be built. The message gives the reason, and what to do."""


def pip(arguments: Sequence[str]) -> None:
    """Run pip of this Python. Raises ArtifactError with what it says, if it fails or is missing."""
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    _run([*command, *arguments], "pip could not install what it needs")


def compile_with(python: str, folder: Path, mounted_at: str) -> None:
    """Write the bytecode of a folder's sources, by a Python of the version that reads it."""
    # Without site: modules that a machine loads at each start change reference counts, and so the bytes.
    _run([python, "-I", "-S", bytecode.__file__, str(folder), mounted_at], "the bytecode was not made")


def python_of(version: str, python: str | None = None) -> str:
    """Return a Python whose bytecode a runtime of this version reads.

    Without one, nothing is built: every start would compile all its sources, since the folder of the function
    is read-only, and take three times as long.

    Args:
        version: of the runtime, such as 3.13.
        python: a program; None for the one that runs this, or else the first of that version on the PATH.

    Raises ArtifactError if there is none.
    """
    if python is None and version == "{}.{}".format(*sys.version_info):
        return sys.executable
    python = python or f"python{version}"
    program = "import sys; print('{}.{}'.format(*sys.version_info), sys.executable)"
    # pyenv, if it is used, offers a Python of this version.
    environment = {**os.environ, "PYENV_VERSION": version}
    try:
        done = subprocess.run(  # noqa: S603 - the Python that was asked for
            [python, "-I", "-c", program], capture_output=True, text=True, check=True, env=environment
        )
    except (OSError, subprocess.CalledProcessError):
        found, executable = "not there", ""
    else:
        found, _, executable = done.stdout.strip().partition(" ")
    if found != version:
        raise ArtifactError(
            f"Python {version} makes the bytecode for Lambda, and {python} is {found}. Install it, or say "
            "where one is: --python /path/to/python"
        )
    return executable


def _run(command: Sequence[str], otherwise: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - pip and our own code
    if done.returncode:
        raise ArtifactError(f"{otherwise}: {' '.join(done.stderr.split())}")
