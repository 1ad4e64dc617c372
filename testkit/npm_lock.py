"""Installs the packages that a package-lock.json pins, once, into the user's cache.

The lock file names no registry: npm downloads each package from its configured source, and refuses one with
another integrity.
"""

import hashlib
import shutil
from pathlib import Path

from kinesis_handler.project.artifact import made_once
from testkit.emulators.npm_package import EmulatorError, in_cache, last_lines, on_path, run

_PINNED = ("package.json", "package-lock.json")


def installed(folder: Path, name: str, *, purpose: str) -> Path:
    """Return a folder of the user's cache with the `node_modules` of a package; the first time, make it.

    Args:
        folder: has the package.json, and the package-lock.json.
        name: of the folder in the cache; a digest of both files follows.
        purpose: what the packages are, for the error.

    Raises EmulatorError if npm is missing or fails.
    """
    digest = hashlib.sha256(b"".join((folder / each).read_bytes() for each in _PINNED)).hexdigest()[:16]

    def make(made: Path) -> None:
        npm = on_path("npm", f"It fetches {purpose}, once: install Node.js.")
        made.mkdir()
        for each in _PINNED:
            shutil.copy(folder / each, made)
        done = run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], made)
        if done.returncode:
            raise EmulatorError(f"npm could not fetch {purpose}; try again:\n{last_lines(done.stdout)}")

    return made_once(in_cache(f"{name}-{digest}"), make)
