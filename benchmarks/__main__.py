"""Measure the speed of the handler compared with peers, and write the results.

    python -m benchmarks                     all parts but workers, in a few minutes
    python -m benchmarks --full              all parts at full length, in about half an hour
    python -m benchmarks hot_path api        some of them
    python -m benchmarks --docs              measure nothing, write README and docs from results.json

Prints the tables of each part; writes results.json, the tables in README and docs, and docs/pictures.
"""

import io
import pkgutil
import subprocess
import sys
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter

from benchmarks import results
from benchmarks.report import documents
from benchmarks.rounds import progress
from kinesis_handler import configure_logging
from testkit.emulators.local_settings import use_local_settings
from testkit.emulators.npm_package import EmulatorError

PARTS = {
    "hot_path": "hot_path:measure",
    "dynamodb": "dynamodb:measure",
    "start": "start:measure",
    "memory": "start:measure_memory",
    "api": "api:measure",
    "growth": "sqlite:measure_growth",
    "sqlite": "sqlite:measure",
    "load": "load:measure",
    "gathering": "gathering:measure",
    "coroutines": "coroutines:measure",
    "parking": "parking:measure",
    "workers": "workers:measure",
}
"""What measures each part."""

LONG = {"workers"}
"""Those that are measured at full length only, or by name."""


def main() -> None:
    """Measure the requested parts."""
    parser = ArgumentParser(
        "python -m benchmarks", description=__doc__, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--full", action="store_true", help="more rounds, larger stores, a longer soak")
    parser.add_argument("--docs", action="store_true", help="measure nothing, write what stands on pages")
    options = parser.parse_args()
    if unknown := set(options.parts) - PARTS.keys():
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if options.docs:
        documents.update(results.read())
        return
    parts = options.parts or [each for each in PARTS if options.full or each not in LONG]
    if len(parts) == 1:
        measure(parts[0], full=options.full)
        return
    for part in parts:
        # Each in a separate process, so that none inherits another's memory or threads.
        command = [sys.executable, "-m", "benchmarks", part, *(["--full"] if options.full else [])]
        if failed := subprocess.run(command, check=False).returncode:  # noqa: S603 - our own
            sys.exit(failed)


def measure(part: str, *, full: bool) -> None:
    """Measure one part, print its results, and write them."""
    use_local_settings()
    configure_logging("benchmark", "info", io.StringIO())
    begun = time.monotonic()
    try:
        figures = pkgutil.resolve_name(f"benchmarks.{PARTS[part]}")(full=full)
    except EmulatorError as error:
        sys.exit(str(error))
    results.write(part, figures, full=full)
    progress("")
    known = results.read()
    print(f"\n## {part} ({time.monotonic() - begun:,.0f} s)\n")
    print(documents.filled(documents.TABLES, part, known))
    documents.update(known)


if __name__ == "__main__":
    main()
