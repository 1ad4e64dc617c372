"""Check what the artifacts are made of: their versions, their licences, and what is known against them.

python -m audit
python -m audit --offline
python -m audit --osv-url http://mirror.example/v1/query

The exit status is 1 if a check finds something, and also if no database answers. With `--offline` known
vulnerabilities are not looked for: the last line says so, and that is no failure.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence

from audit import licences, locks, vulnerabilities
from audit.artifacts import in_each_artifact
from audit.vulnerabilities import NotCheckedError

Check = Callable[[], Sequence[str]]


def conflicts() -> list[str]:
    """Return what does not fit together of all that is installed, as pip finds it."""
    command = [sys.executable, "-m", "pip", "check", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode else []


def incomplete() -> list[str]:
    """Return what the files of requirements leave out."""
    without_hash = [f"{file.name}: {line}" for file in locks.FILES for line in locks.unhashed(file)]
    return [*without_hash, *(each for name in locks.COMPILED_OF for each in locks.missing(name))]


def not_allowed() -> list[str]:
    """Return the packages whose licence is not allowed."""
    return licences.not_allowed([*licences.of_artifacts(), *licences.of_toolchains()])


def main() -> int:
    """Make all checks, print a line for each, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m audit",
        description="Check versions, licences and known vulnerabilities of all that is pinned; print a line"
        " for each check.",
    )
    parser.add_argument("--offline", action="store_true", help="do not look for known vulnerabilities")
    parser.add_argument("--osv-url", metavar="URL", help="ask this OSV database about the Python packages")
    given = parser.parse_args()
    service = ("--vulnerability-service", "osv", "--osv-url", given.osv_url) if given.osv_url else ()
    checks: dict[str, Check] = {
        "what is installed fits together": conflicts,
        f"{len(locks.FILES)} files of requirements are complete, with hashes": incomplete,
        f"the licences of {len(in_each_artifact())} artifacts are allowed": not_allowed,
    }
    databases: dict[str, Check] = {
        "no vulnerability is known of a Python package": lambda: vulnerabilities.in_python(
            locks.FILES, service
        ),
        "no vulnerability is known of an npm package": vulnerabilities.in_npm,
    }
    bad = [statement for statement, check in checks.items() if not holds(statement, check)]
    if given.offline:
        print("\nNot checked: known vulnerabilities. They need a database, and this run is offline.")
    else:
        bad += [statement for statement, check in databases.items() if not holds(statement, check)]
    return 1 if bad else 0


def holds(statement: str, check: Check) -> bool:
    """Make a check, and print what came of it."""
    try:
        found = check()
    except NotCheckedError as error:
        print(f"NOT CHECKED  {statement}\n             {error}", flush=True)
        return False
    print(
        f"{'FAILED' if found else 'ok':<12} {statement}",
        *(f"\n{'':12} {each}" for each in found),
        sep="",
        flush=True,
    )
    return not found


if __name__ == "__main__":
    sys.exit(main())
