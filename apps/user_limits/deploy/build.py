"""The command: `python -m deploy.build`, and `make build`."""

import argparse
import sys
from pathlib import Path
from typing import get_args

from deploy.artifact import FUNCTIONS, ROOT, RUNTIME, Artifact, ArtifactError, Platform, build

AIM = 10_000_000
"""Target size of a zip, in bytes: a larger one starts later, and takes longer to deploy."""


def main() -> None:
    """Build the artifact of each function: a folder and a zip with its name."""
    parser = argparse.ArgumentParser(prog="python -m deploy.build", description=main.__doc__)
    parser.add_argument("functions", nargs="*", metavar="FUNCTION", help=f"default: {' '.join(FUNCTIONS)}")
    parser.add_argument(
        "--platform", choices=get_args(Platform), default="lambda", help="default: %(default)s"
    )
    parser.add_argument("--into", type=Path, default=ROOT / "build", help="default: build")
    parser.add_argument("--python", help=f"a Python {RUNTIME}; default: python{RUNTIME}")
    given = parser.parse_args()
    if unknown := set(given.functions) - FUNCTIONS.keys():
        parser.error(f"there is no function {', '.join(sorted(unknown))}; there are {', '.join(FUNCTIONS)}")
    try:
        for name in given.functions or FUNCTIONS:
            _report(name, build(FUNCTIONS[name], given.platform, given.into, given.python))
    except ArtifactError as error:
        sys.exit(str(error))


def _report(name: str, artifact: Artifact) -> None:
    size = artifact.zip.stat().st_size
    unpacked = artifact.unpacked / 1e6
    print(f"{name:<10}{size / 1e6:5.2f} MB zipped, {unpacked:5.2f} MB unpacked  sha256 {artifact.digest}")
    if size > AIM:
        print(f"{name:<10}is more than the {AIM / 1e6:.0f} MB aimed at", file=sys.stderr)


if __name__ == "__main__":
    main()
