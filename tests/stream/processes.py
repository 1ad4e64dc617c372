"""`kinesis-handler consume` as a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stream.real_stream import Stream

COMMAND = Path(sys.executable).with_name("kinesis-handler")
PATIENCE = 60
"""Seconds within which a process must have done what it is started for."""


class Command:
    """The command line, as it is called on one stream, with one store.

    Args:
        stream: what it reads.
        endpoint: where Kinesis is.
        store: the URL of what it keeps.
        settings: further variables of the environment.
    """

    def __init__(self, stream: Stream, endpoint: str, store: str, **settings: str) -> None:
        self.arguments = [str(COMMAND), "consume", "--stream", stream.name, "--store", store]
        self.environment = {
            **os.environ,
            "AWS_ENDPOINT_URL_KINESIS": endpoint,
            "STORAGE_TTL": "0",
            "LOG_LEVEL": "error",
            "TERM": "dumb",
            **settings,
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Read until it ends by itself."""
        return subprocess.run(
            [*self.arguments, *arguments],
            capture_output=True,
            check=False,
            text=True,
            env=self.environment,
            timeout=PATIENCE,
        )

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Read until the block ends; what runs then is killed."""
        with subprocess.Popen(
            [*self.arguments, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        ) as process:
            try:
                yield process
            finally:
                process.kill()


def until(condition: Callable[[], object], process: "subprocess.Popen[str] | None" = None) -> None:
    """Wait for what a process does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it has not happened"
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.05)
