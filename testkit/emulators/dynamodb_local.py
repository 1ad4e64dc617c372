"""Amazon's DynamoDB Local for tests and benchmarks: on loopback, in memory, ends with its starter.

    python -m testkit.emulators.dynamodb_local --port 8001

Its licence forbids redistribution. Therefore it is not part of this repository, nor of anything built from
it: npm downloads it once, from the package in which AWS Amplify publishes it, into the user's cache
(`$XDG_CACHE_HOME` or `~/.cache`) and nowhere else. It needs a JDK of version 17 or later, and npm the first
time.
"""

import hashlib
import json
import os
import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.error import HTTPError

from kinesis_handler.project.artifact import made_once
from testkit.emulators.npm_package import (
    START_SECONDS,
    EmulatorError,
    NpmPackage,
    did_not_start,
    last_lines,
    on_path,
    run,
    run_for_people,
    running,
)

PACKAGE = NpmPackage(
    name="amplify-dynamodb-simulator",
    version="2.9.30",
    integrity="sha512-xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ==",
    folder="package/emulator",
    emulator="DynamoDB Local",
)
JAVA_VERSION = 17

_LAUNCHER = Path(__file__).with_name("LoopbackDynamoDB.java")
_FLAGS = (
    # Setting up Log4j takes a large part of the start.
    "-Dlog4j2.loggerContextFactory=org.apache.logging.log4j.simple.SimpleLoggerContextFactory",
    "-Xmx256m",
    # Its standard output is reserved for the launcher.
    "-XX:+DisplayVMOutputToStderr",
    "-Xlog:disable",
)

_TABLE = "warm-up"
_FIRST_REQUESTS: dict[str, dict[str, object]] = {
    "BatchExecuteStatement": {"Statements": [{"Statement": f"INSERT INTO \"{_TABLE}\" VALUE {{'a': 'b'}}"}]},
    "BatchGetItem": {"RequestItems": {_TABLE: {"Keys": [{"a": {"S": "b"}}]}}},
    "Query": {
        "TableName": _TABLE,
        "KeyConditionExpression": "a = :b",
        "ExpressionAttributeValues": {":b": {"S": "b"}},
    },
}
"""Requests sent before it counts as started. A JVM loads the classes for a kind of request at the first one:
on
a busy machine that takes longer than the clients of the tests wait for an answer."""

# For a short life the second compiler costs more than it saves; later it halves all times.
_BRIEFLY = ("-XX:TieredStopAtLevel=1",)


@contextmanager
def dynamodb_local(port: int = 0, *, briefly: bool = True) -> Iterator[str]:
    """Run DynamoDB Local, empty, and yield its endpoint once it has answered a request of each kind.

    Args:
        port: the port; 0 for any free one.
        briefly: True if it runs for seconds and should start fast; False if it has a lot of work.

    Raises EmulatorError if it cannot be downloaded, or does not start.
    """
    java = on_path("java", f"DynamoDB Local runs on it: install a JDK, version {JAVA_VERSION} or later.")
    emulator = PACKAGE.fetch()
    launcher = emulator / f"launcher-{hashlib.sha256(_LAUNCHER.read_bytes()).hexdigest()[:16]}"
    made_once(launcher, partial(_compiled, java, emulator))
    class_path = f"{launcher}{os.pathsep}{emulator / 'DynamoDBLocal.jar'}"
    flags = [*_FLAGS, *(_BRIEFLY if briefly else ())]
    command = [java, *flags, f"-Djava.library.path={emulator / 'DynamoDBLocal_lib'}", "-cp", class_path]
    with running(
        [*command, _LAUNCHER.stem, str(port)],
        # The only method that turns telemetry off: nothing reads its option -disableTelemetry.
        environment=os.environ | {"DDB_LOCAL_TELEMETRY": "0"},
        not_started=partial(_not_started, java),
    ) as endpoint:
        for operation, content in _FIRST_REQUESTS.items():
            _warm_up(endpoint, operation, content)
        yield endpoint


def _warm_up(endpoint: str, operation: str, content: dict[str, object]) -> None:
    """Send a request about a table that does not exist.

    Raises EmulatorError if the answer is any other error: such a request would warm up nothing.
    """
    headers = {
        "X-Amz-Target": f"DynamoDB_20120810.{operation}",
        "Content-Type": "application/x-amz-json-1.0",
        # It checks the form of a signature, not its value.
        "Authorization": "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, "
        "SignedHeaders=host, Signature=0",
    }
    request = urllib.request.Request(endpoint, json.dumps(content).encode(), headers)  # noqa: S310 - http
    try:
        with urllib.request.urlopen(request, timeout=START_SECONDS) as response:  # noqa: S310 - http
            answer = response.read()
    except HTTPError as error:
        with error:
            answer = error.read()
    if b"ResourceNotFound" not in answer:
        raise did_not_start(PACKAGE.emulator, f"{operation}: {answer.decode(errors='replace')}")


def _compiled(java: str, emulator: Path, folder: Path) -> None:
    """Compile the launcher. Java could run its source, but each start would then take twice the time."""
    compiler = [java, "-m", "jdk.compiler/com.sun.tools.javac.Main", "--release", str(JAVA_VERSION)]
    jar = str(emulator / "DynamoDBLocal.jar")
    done = run([*compiler, "-cp", jar, "-d", str(folder), str(_LAUNCHER)])
    if done.returncode:
        raise _not_started(java, done.stdout)


def _not_started(java: str, log: str) -> EmulatorError:
    version = run([java, "-version"]).stdout
    found = re.search(r'version "(?:1\.)?(\d+)', version)
    if "jdk.compiler not found" in log or (found and int(found[1]) < JAVA_VERSION):
        wanted = f"{java} is no JDK of version {JAVA_VERSION} or later: install one."
        return EmulatorError(f"{wanted} It calls itself:\n{last_lines(version)}")
    return did_not_start(PACKAGE.emulator, log)


if __name__ == "__main__":
    run_for_people(dynamodb_local, emulator=PACKAGE.emulator, service="DYNAMODB", port=8001)
