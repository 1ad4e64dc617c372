"""The tests of `make check`: those that one process of Python runs with what requirements/check.txt pins.

    python -m pytest -p testkit.check

Tests are left out by the fixtures they use, by the libraries their files import, and by the mark
`other_programs`. A test that is not left out and starts a program (our own as well: each start takes most of
a second), or connects to another machine, fails: a new test cannot make `make check` slow, or need an
installation, without anybody noticing.
"""

import os
import re
import shutil
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import settings

FIXTURES = frozenset({"browser", "dynamodb_endpoint", "kinesis_endpoint", "moto_endpoint", "served", "sqs"})
"""Fixtures that start an emulator or a browser for the tests behind them."""

IMPORTS = re.compile(
    r"^(?:from|import) "
    r"(?:benchmarks\.report|cyclonedx|hcl2|moto|playwright|samtranslator|schemathesis|deploy|deployed)\b",
    re.MULTILINE,
)
"""Packages that requirements/check.txt lacks, and those of ours that import them or install with pip."""

PROGRAMS = frozenset({"make", "sh", "bash"})
"""Programs that `make check` itself takes."""


MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes a folder of its own in it, for this user alone
"""A file system in memory, where Linux has one. A SQLite file waits for the disk at each save."""

ROOM = 1 << 30
"""Bytes that must be free there: a container may have few. The three runs that pytest keeps take a tenth."""


class NotAloneError(Exception):
    """A test of `make check` needs more than `make check` installs."""


def pytest_configure() -> None:
    """Search less long than `make test` does, and wait for no disk."""
    settings.register_profile("check", max_examples=10)
    settings.load_profile("check")
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the snippets of the documentation, and files that import more than is installed."""
    if collection_path.is_dir():
        conftest = collection_path / "conftest.py"
        return True if conftest.exists() and not _is_importable(conftest) else None
    if collection_path.suffix == ".md" or not _is_importable(collection_path):
        return True
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what starts another program."""
    left_out = [each for each in items if _needs_others(each)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [each for each in items if not _needs_others(each)]


def pytest_collection_finish() -> None:
    """Watch from here on: what pytest itself starts is none of the tests'."""
    sys.addaudithook(_audit)


def _needs_others(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    return not FIXTURES.isdisjoint(fixtures) or item.get_closest_marker("other_programs") is not None


def _is_importable(path: Path) -> bool:
    return path.suffix != ".py" or IMPORTS.search(path.read_text()) is None


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if event == "subprocess.Popen":
        program, command = arguments[:2]
        name = program or (command[0] if isinstance(command, (list, tuple)) else command)
        _check_program(str(name))
    elif event == "socket.connect":
        _check_address(arguments[1])


def _check_program(name: str) -> None:
    if Path(name).name not in PROGRAMS:
        raise NotAloneError(f"it starts {name}: mark the test as other_programs, or let it do without")


def _check_address(address: object) -> None:
    if not isinstance(address, tuple):  # a socket of this machine
        return
    host = str(address[0])
    try:
        is_here = ip_address(host).is_loopback
    except ValueError:
        is_here = host == "localhost"
    if not is_here:
        raise NotAloneError(f"it connects to {host}, another machine: mark the test as other_programs")
