"""Amazon's DynamoDB Local for tests, benchmarks and people: on loopback, in memory, gone with its starter.

    python -m emulators.dynamodb_local --port 8001

Its licence forbids redistribution. It is therefore no part of this repository, nor of anything built from
it: npm fetches it once, from the package in which AWS Amplify publishes it, into the cache of the user
(`$XDG_CACHE_HOME` or `~/.cache`) and nowhere else. It takes a JDK of version 17 or later, and npm at first.
"""

import argparse
import base64
import hashlib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

PACKAGE, VERSION = "amplify-dynamodb-simulator", "2.9.30"
INTEGRITY = "sha512-xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ=="
"""Of the package's tarball, in the form that npm gives."""
JAVA_VERSION = 17

_EMULATOR = "package/emulator"
_LAUNCHER = Path(__file__).with_name("LoopbackDynamoDB.java")
_START_SECONDS = 30
_LAST_LINES = 15
_FLAGS = (
    # It lives for seconds: the second compiler costs more than it brings, and so does setting up Log4j.
    "-XX:TieredStopAtLevel=1",
    "-Dlog4j2.loggerContextFactory=org.apache.logging.log4j.simple.SimpleLoggerContextFactory",
    "-Xmx256m",
    # Its standard output is the launcher's alone.
    "-XX:+DisplayVMOutputToStderr",
    "-Xlog:disable",
)


class EmulatorError(Exception):
    """The emulator cannot be run. The message says what is missing, and what to do."""


def fetch() -> Path:
    """Return the folder with DynamoDBLocal.jar. The first time it is fetched into the cache.

    Raises EmulatorError if npm is missing or fails, or if what it fetched is not the package expected.
    """
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return _made_once(caches / "kinesis-handler" / f"dynamodb-local-{VERSION}", _fetched)


@contextmanager
def dynamodb_local(port: int = 0) -> Iterator[str]:
    """Run DynamoDB Local, empty, and yield its endpoint. A port of 0 stands for any that is free.

    Raises EmulatorError if it cannot be fetched, or does not start.
    """
    java = _on_path("java", f"DynamoDB Local runs on it: install a JDK, version {JAVA_VERSION} or later.")
    emulator = fetch()
    launcher = emulator / f"launcher-{hashlib.sha256(_LAUNCHER.read_bytes()).hexdigest()[:16]}"
    _made_once(launcher, partial(_compiled, java, emulator))
    class_path = f"{launcher}{os.pathsep}{emulator / 'DynamoDBLocal.jar'}"
    command = [java, *_FLAGS, f"-Djava.library.path={emulator / 'DynamoDBLocal_lib'}", "-cp", class_path]
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(  # noqa: S603
            [*command, _LAUNCHER.stem, str(port)],
            # The only way to turn telemetry off: its option -disableTelemetry is read by nothing.
            env=os.environ | {"DDB_LOCAL_TELEMETRY": "0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        ) as process,
    ):
        try:
            answer = _first_line(process.stdout)
            if not answer:
                log.seek(0)
                raise _not_started(java, log.read())
            yield f"http://127.0.0.1:{int(answer)}"
        finally:
            process.kill()


def main() -> None:
    """Run DynamoDB Local until Ctrl-C or SIGTERM. Prints the line for a shell that wants to use it."""
    parser = argparse.ArgumentParser(prog="python -m emulators.dynamodb_local", description=main.__doc__)
    parser.add_argument("--port", type=int, default=8001, help="where it listens; 0 for any that is free")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with dynamodb_local(options.port) as endpoint:
            dummies = "AWS_DEFAULT_REGION=eu-west-1 AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local"
            print(f"export AWS_ENDPOINT_URL_DYNAMODB={endpoint} {dummies}", flush=True)  # noqa: T201
            signal.pause()
    except KeyboardInterrupt:
        pass
    except EmulatorError as error:
        sys.exit(str(error))


def _made_once(folder: Path, make: Callable[[Path], Path]) -> Path:
    """Return a folder; if it is not there, let it be made in a temporary one. It appears whole or not at all.

    Of two sessions that make it at once, both take that of the first.
    """
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside the folder to be, because a rename is atomic only within one file system.
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="making-") as temporary:
            made = make(Path(temporary))
            try:
                made.rename(folder)
            except OSError:
                if not folder.exists():
                    raise
    return folder


def _fetched(temporary: Path) -> Path:
    npm = _on_path("npm", "It fetches DynamoDB Local, once: install Node.js.")
    done = _run([npm, "pack", f"{PACKAGE}@{VERSION}", "--pack-destination", str(temporary)])
    if done.returncode:
        raise EmulatorError(
            f"npm could not fetch {PACKAGE} {VERSION}; try again:\n{_last_lines(done.stdout)}"
        )
    file = temporary / f"{PACKAGE}-{VERSION}.tgz"
    integrity = f"sha512-{base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode()}"
    if integrity != INTEGRITY:
        raise EmulatorError(
            f"{PACKAGE} {VERSION} is not kept: its integrity is {integrity}, not {INTEGRITY}."
        )
    with tarfile.open(file) as tarball:
        members = [each for each in tarball if each.name.startswith(f"{_EMULATOR}/")]
        tarball.extractall(temporary, members, filter="data")
    return temporary / _EMULATOR


def _compiled(java: str, emulator: Path, temporary: Path) -> Path:
    """Compile the launcher. Java could run its source, but then each start would take twice the time."""
    compiler = [java, "-m", "jdk.compiler/com.sun.tools.javac.Main", "--release", str(JAVA_VERSION)]
    folder = temporary / "classes"
    jar = str(emulator / "DynamoDBLocal.jar")
    done = _run([*compiler, "-cp", jar, "-d", str(folder), str(_LAUNCHER)])
    if done.returncode:
        raise _not_started(java, done.stdout)
    return folder


def _first_line(stream: IO[bytes] | None) -> bytes:
    """Return what the launcher answers; nothing if it ended, or takes too long."""
    return stream.readline() if stream and select.select([stream], [], [], _START_SECONDS)[0] else b""


def _not_started(java: str, log: str) -> EmulatorError:
    version = _run([java, "-version"]).stdout
    found = re.search(r'version "(?:1\.)?(\d+)', version)
    if "jdk.compiler not found" in log or (found and int(found[1]) < JAVA_VERSION):
        wanted = f"{java} is no JDK of version {JAVA_VERSION} or later: install one."
        return EmulatorError(f"{wanted} It calls itself:\n{_last_lines(version)}")
    reason = _last_lines(log) or f"It gave no answer within {_START_SECONDS} seconds."
    return EmulatorError(f"DynamoDB Local did not start:\n{reason}")


def _on_path(name: str, complaint: str) -> str:
    if path := shutil.which(name):
        return path
    raise EmulatorError(f"There is no {name} on the PATH. {complaint}")


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-_LAST_LINES:])


if __name__ == "__main__":
    main()
