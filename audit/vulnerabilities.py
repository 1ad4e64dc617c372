"""Whether a known vulnerability is in what is pinned, by pip-audit and `npm audit`, which ask a database.

A database that does not answer, or a mirror of an index that has none, looks like "nothing found". So each is
first asked about a release that is known to be vulnerable: if it does not say so, nothing has been checked.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from audit.artifacts import ROOT
from audit.licences import TOOLCHAINS

SECONDS = 30
"""How long to wait for one answer of a database."""

KNOWN = "jinja2", "2.10"
"""A release with vulnerabilities that every database has had since 2019."""

KNOWN_NPM = {
    "name": "known",
    "lockfileVersion": 3,
    "packages": {
        "": {"dependencies": {"minimist": "0.0.8"}},
        "node_modules/minimist": {"version": "0.0.8"},
    },
}
"""A lock file with such a release of an npm package."""


class NotCheckedError(Exception):
    """No database has answered: nothing is known, neither good nor bad."""


def in_python(files: Iterable[Path], service: tuple[str, ...] = ()) -> list[str]:
    """Return the vulnerabilities that are known of the releases in files of requirements.

    Args:
        files: of requirements; all of their lines count, whatever their markers.
        service: options of pip-audit that name another database than that of the Python Package Index.
    """
    if not _ask_pip_audit([KNOWN], service):
        raise NotCheckedError(f"the database knows no vulnerability of {' '.join(KNOWN)}: it has none")
    waiting = {each for file in files for each in _releases(file)}
    found: list[str] = []
    while waiting:
        # pip-audit takes each name once: two versions, for different versions of Python, make two rounds.
        together = dict(sorted(waiting))
        waiting -= set(together.items())
        found += _ask_pip_audit(sorted(together.items()), service)
    return sorted(found)


def in_npm() -> list[str]:
    """Return the vulnerabilities that are known of the npm packages in the lock files of the repository."""
    if not (npm := shutil.which("npm")):
        raise NotCheckedError("there is no npm on the PATH")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "package.json").write_text(json.dumps({"dependencies": {"minimist": "0.0.8"}}))
        (Path(folder) / "package-lock.json").write_text(json.dumps(KNOWN_NPM))
        if not _ask_npm(npm, Path(folder)):
            raise NotCheckedError("the registry knows no vulnerability of minimist 0.0.8: it has none")
    return [each for file in TOOLCHAINS.values() for each in _ask_npm(npm, file.parent)]


def _releases(file: Path) -> set[tuple[str, str]]:
    lines = [line.split()[0] for line in file.read_text().splitlines() if line[:1].isalnum()]
    return {(name, version) for name, _, version in (line.partition("==") for line in lines)}


def _ask_pip_audit(releases: Iterable[tuple[str, str]], service: tuple[str, ...]) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text("".join(f"{name}=={version}\n" for name, version in releases))
        options = ["--requirement", str(file), "--no-deps", "--disable-pip", "--progress-spinner", "off"]
        answer, said = _json(
            [
                *(sys.executable, "-m", "pip_audit", *options, "--format", "json", "--desc", "off"),
                *("--timeout", str(SECONDS), "--cache-dir", str(Path(folder) / "cache"), *service),
            ]
        )
    packages = answer.get("dependencies", [])
    if not packages:
        raise NotCheckedError(said)
    if skipped := [each["skip_reason"] for each in packages if "skip_reason" in each]:
        raise NotCheckedError(f"{len(skipped)} of {len(packages)} packages: {skipped[0]}")
    return [
        f"{each['name']} {each['version']}: {one['id']}, {_fixed_in(one)}"
        for each in packages
        for one in each["vulns"]
    ]


def _fixed_in(vulnerability: Mapping[str, Any]) -> str:
    versions = vulnerability["fix_versions"]
    return f"fixed in {', '.join(versions)}" if versions else "not fixed yet"


def _ask_npm(npm: str, folder: Path) -> list[str]:
    answer, said = _json([npm, "audit", "--package-lock-only", "--json"], folder)
    if "vulnerabilities" not in answer:
        raise NotCheckedError(str(answer.get("message", said)))
    advisories = {
        (name, one["severity"], one["url"])
        for name, each in answer["vulnerabilities"].items()
        for one in each["via"]
        if isinstance(one, dict)  # the name of a package stands for the advisories of that one
    }
    return [f"{name}: {severity}, {url}" for name, severity, url in sorted(advisories)]


def _json(command: list[str], folder: Path = ROOT) -> tuple[dict[str, Any], str]:
    """Run a program, and return what it prints as JSON, and the last line of what else it says."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"}
    )
    lines = done.stderr.strip().splitlines() or [f"{command[0]} ended with {done.returncode}"]
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = {}
    return answer if isinstance(answer, dict) else {}, lines[-1]
