"""The common part of each emulator from npm: downloaded once, on loopback, ends with its starter."""

import argparse
import base64
import hashlib
import os
import select
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from kinesis_handler.project.artifact import made_once

START_SECONDS = 120
"""Seconds for the start of an emulator: a tenth is enough, except on a busy machine."""

_LAST_LINES = 15


class EmulatorError(Exception):
    """The emulator cannot be run. The message names what is missing, and what to do."""


@dataclass(frozen=True)
class NpmPackage:
    """A package of npm, one folder of which is an emulator."""

    name: str
    version: str
    integrity: str
    """Integrity of the package's tarball, in npm's format."""
    folder: str
    emulator: str
    """Name of the emulator for people."""

    def fetch(self) -> Path:
        """Return the emulator's folder in the user's cache. The first time, download it with npm.

        Raises EmulatorError if npm is missing or fails, or if it downloaded another package than the pinned
        one.
        """
        name = f"{self.emulator.lower().replace(' ', '-')}-{self.version}"
        return made_once(in_cache(name), self._fetched)

    def _fetched(self, folder: Path) -> None:
        temporary = folder.parent
        npm = on_path("npm", f"It fetches {self.emulator}, once: install Node.js.")
        done = run([npm, "pack", f"{self.name}@{self.version}", "--pack-destination", str(temporary)])
        if done.returncode:
            raise EmulatorError(
                f"npm could not fetch {self.name} {self.version}; try again:\n{last_lines(done.stdout)}"
            )
        file = temporary / f"{self.name}-{self.version}.tgz"
        integrity = f"sha512-{base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode()}"
        if integrity != self.integrity:
            raise EmulatorError(
                f"{self.name} {self.version} is not kept: its integrity is {integrity}, not {self.integrity}."
            )
        with tarfile.open(file) as tarball:
            members = [each for each in tarball if each.name.startswith(f"{self.folder}/")]
            # Pythons before 3.11.4 have no filters; what is unpacked has the expected digest.
            tarball.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
            tarball.extractall(temporary, members)  # noqa: S202 - see above
        (temporary / self.folder).rename(folder)


@contextmanager
def running(
    command: list[str], *, environment: Mapping[str, str], not_started: Callable[[str], EmulatorError]
) -> Iterator[str]:
    """Run an emulator and yield its endpoint.

    On its standard output it prints its port, and it ends when its standard input closes: a starter that is
    killed cannot end it otherwise. If it does not start, `not_started` builds the error from its log.
    """
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(  # noqa: S603
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        ) as process,
    ):
        try:
            answer = _first_line(process.stdout)
            if not answer:
                log.seek(0)
                raise not_started(log.read())
            yield f"http://127.0.0.1:{int(answer)}"
        finally:
            process.kill()


def run_for_people(
    start: Callable[[int], AbstractContextManager[str]], *, emulator: str, service: str, port: int
) -> None:
    """Act as the command line of an emulator: run it until Ctrl-C or SIGTERM, and print how to use it."""
    parser = argparse.ArgumentParser(
        prog=f"python -m testkit.emulators.{Path(sys.argv[0]).stem}",
        description=f"Run {emulator} until Ctrl-C or SIGTERM. Prints the line for a shell that uses it.",
    )
    parser.add_argument("--port", type=int, default=port, help="port to listen on; 0 for any free one")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with start(options.port) as endpoint:
            dummies = "AWS_DEFAULT_REGION=eu-west-1 AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local"
            print(f"export AWS_ENDPOINT_URL_{service}={endpoint} {dummies}", flush=True)  # noqa: T201
            signal.pause()
    except KeyboardInterrupt:
        pass
    except EmulatorError as error:
        sys.exit(str(error))


def in_cache(name: str) -> Path:
    """Return the path of a folder in the user's cache."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "kinesis-handler" / name


def did_not_start(emulator: str, log: str) -> EmulatorError:
    """Return the error of an emulator for which nothing is missing: the end of its log gives the reason."""
    reason = last_lines(log) or f"It gave no answer within {START_SECONDS} seconds."
    return EmulatorError(f"{emulator} did not start:\n{reason}")


def on_path(name: str, complaint: str) -> str:
    """Return the path of a program. Raises EmulatorError with the complaint if it is not found."""
    if path := shutil.which(name):
        return path
    raise EmulatorError(f"There is no {name} on the PATH. {complaint}")


def run(command: list[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, with standard error in its standard output.

    Args:
        command: the program, and its arguments.
        folder: where it runs. Npm is run in the folder of a package: with `--prefix` it would look for its
            global settings (registry, certificates) below that folder, and miss those of the machine.
    """
    return subprocess.run(  # noqa: S603
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


def last_lines(text: str) -> str:
    """Return as much of an output as a reader needs."""
    return "\n".join(text.strip().splitlines()[-_LAST_LINES:])


def _first_line(stream: IO[bytes] | None) -> bytes:
    """Return the first answer of the emulator; empty if it ended, or takes too long."""
    return stream.readline() if stream and select.select([stream], [], [], START_SECONDS)[0] else b""
