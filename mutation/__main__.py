"""The command: `python -m mutation`."""

import argparse
import os
import sys
import time
import tomllib
from pathlib import Path

import pytest
from mutmut import __main__ as mutmut
from mutmut.configuration import config
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.utils.file_utils import copy_also_copy_files, copy_src_dir, setup_source_paths

from mutation import figures
from mutation.folder import FOLDER, lay_out
from mutation.mutants import Mutant, mutants_of
from mutation.report import print_report, report_of
from mutation.session import Mutants
from testkit.arguments import positive


def main() -> None:
    """Change the code that decides in small ways, and show which changes no test notices."""
    parser = argparse.ArgumentParser(prog="python -m mutation", description=main.__doc__)
    parser.add_argument("modules", nargs="*", help="such as fold, ingest or user_limits.limit; default: all")
    parser.add_argument("--processes", type=positive, default=2, help="default: %(default)s")
    parser.add_argument("--report", action="store_true", help="write mutation/results.json, and the docs")
    given = parser.parse_args()
    began = time.monotonic()
    lay_out()
    os.chdir(FOLDER)
    _make_mutants(given.processes)
    mutants = mutants_of(given.modules)
    if not mutants:
        parser.error(f"no module of these is changed: {', '.join(given.modules)}; see [tool.mutmut]")
    tests_seconds = _try(mutants, given.processes)
    report, seconds = report_of(mutants), time.monotonic() - began
    print_report(report, tests_seconds, seconds)
    if given.report:
        figures.write_results(report.modules, tests_seconds)
        figures.PAGE.write_text(figures.page())
    sys.exit(0 if report.is_good else 1)


def _make_mutants(processes: int) -> None:
    """Let mutmut write the mutants of each file that has changed since the last time."""
    set_mutant_under_test("mutant_generation")
    with mutmut.CatchOutput():
        copy_src_dir()
        copy_also_copy_files()
        setup_source_paths()
        mutmut.create_mutants(processes)


def _try(mutants: list[Mutant], processes: int) -> float:
    """Try all of them; return the CPU time of the tests, called once."""
    own_tests = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["mutation"]["own-tests"]
    plugin = Mutants(mutants, processes, own_tests)
    os.chdir("mutants")
    tests = config().pytest_add_cli_args_test_selection
    options = ["--quiet", "--rootdir=.", "-p", "no:cacheprovider", *config().pytest_add_cli_args]
    ended = pytest.main([*options, *tests], plugins=[plugin])
    os.chdir(FOLDER)
    if ended != pytest.ExitCode.OK:
        sys.exit(f"the tests ended with {ended!r}, and said nothing about a mutant")
    return plugin.tests_seconds


if __name__ == "__main__":
    main()
