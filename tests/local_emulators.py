"""What the tests of the emulators share: a machine that lacks things, and an emulator as people run it."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from testkit.emulators import dynamodb_local, kinesis_local

PACKAGES = [dynamodb_local.PACKAGE, kinesis_local.PACKAGE]
SOCKETS = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
PATIENCE = 20
"""Seconds. Less than the 30 after which an emulator closes a connection by itself."""

_LISTENING = "0A"

needs_sockets = pytest.mark.skipif(
    not all(each.exists() for each in SOCKETS), reason="the system has no /proc/net"
)


def empty_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder on the PATH: it is empty."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where things are kept, in a cache that is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "kinesis-handler"


def stub(program: Path, script: str) -> None:
    """Make a program out of a few lines for the shell."""
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def files(folder: Path) -> list[str]:
    """Return the paths of all files in a folder."""
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


def open_to(endpoint: str) -> list[str]:
    """Return where the process at an endpoint listens, in all: the addresses as the kernel has them."""
    rows = [line.split() for each in SOCKETS for line in each.read_text().splitlines()[1:]]
    listening = {f"socket:[{row[9]}]": row[1] for row in rows if row[3] == _LISTENING}
    for folder in Path("/proc").glob("[0-9]*/fd"):
        addresses = [listening[each] for each in _descriptors(folder) if each in listening]
        if any(each.endswith(f":{urlsplit(endpoint).port:04X}") for each in addresses):
            return addresses
    return []


def on_loopback(address: str) -> bool:
    """Say whether an address, as the kernel has it, is 127.0.0.1."""
    return address.partition(":")[0] in {"0100007F", "0000000000000000FFFF00000100007F"}


@contextmanager
def connection(endpoint: str) -> Iterator[socket.socket]:
    """Connect to an emulator, and send it nothing."""
    url = urlsplit(endpoint)
    assert url.port
    with socket.create_connection((url.hostname, url.port), PATIENCE) as connected:
        yield connected


@contextmanager
def another_session(module: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Run an emulator as people do. Yields the process, and the variables that it tells them to export."""
    with subprocess.Popen(
        [sys.executable, "-m", module, "--port", "0"],
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            yield process, dict(each.split("=") for each in line.removeprefix("export ").split())
        finally:
            process.kill()


def _descriptors(folder: Path) -> Iterator[str]:
    """Return what the descriptors of a process stand for; nothing if it has ended, or is another user's."""
    with suppress(OSError):
        for each in folder.iterdir():
            yield str(each.readlink())
