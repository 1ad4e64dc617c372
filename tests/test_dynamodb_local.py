import os
import re
import signal
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local_emulators import (
    PATIENCE,
    another_session,
    connection,
    empty_cache,
    empty_path,
    files,
    needs_sockets,
    on_loopback,
    open_to,
    stub,
)
from testkit.emulators.dynamodb_local import PACKAGE, dynamodb_local
from testkit.emulators.npm_package import EmulatorError

MODULE = "testkit.emulators.dynamodb_local"

programs = pytest.fixture(empty_path)
cache = pytest.fixture(empty_cache)


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
@pytest.mark.other_programs
def test_with_another_java_than_a_jdk_17_a_sentence_says_so(
    version: str, complaint: str, programs: Path, cache: Path
) -> None:
    (cache / f"dynamodb-local-{PACKAGE.version}").mkdir(parents=True)
    told = f"""[ "$1" = -version ] && echo 'openjdk version "{version}"'"""
    stub(programs / "java", f"{told} >&2 && exit; echo '{complaint}' >&2; exit 1")
    sentence = rf"java is no JDK of version 17 or later: install one\.(?s:.)*{re.escape(version)}"
    with pytest.raises(EmulatorError, match=sentence), dynamodb_local():
        pass
    assert not files(cache)


@needs_sockets
def test_it_listens_on_loopback_only(dynamodb_endpoint: str) -> None:
    addresses = open_to(dynamodb_endpoint)
    assert addresses
    assert all(on_loopback(each) for each in addresses)


def test_a_port_that_is_taken_is_reported(dynamodb_endpoint: str) -> None:
    port = urlsplit(dynamodb_endpoint).port
    assert port
    with (
        pytest.raises(EmulatorError, match=rf"did not start:(?s:.)*Failed to bind to /127\.0\.0\.1:{port}"),
        dynamodb_local(port),
    ):
        pass


@pytest.mark.other_programs
def test_people_learn_how_to_use_it_and_stop_it_with_a_signal() -> None:
    with another_session(MODULE) as (process, told):
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


@pytest.mark.other_programs
def test_it_does_not_outlive_a_session_that_is_killed() -> None:
    with (
        another_session(MODULE) as (process, told),
        connection(told["AWS_ENDPOINT_URL_DYNAMODB"]) as connected,
    ):
        os.kill(process.pid, signal.SIGKILL)
        with suppress(ConnectionResetError):
            assert connected.recv(1) == b""
