"""The Node peer: how it is installed, and how it is run beside the others. See handler.cjs.

Its dependencies are pinned by package-lock.json, which names no registry: npm downloads each package from its
configured source, and refuses one with another integrity. They go into the user's cache, once.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from kinesis_handler.lambda_types import LambdaRecord
from testkit.emulators.npm_package import EmulatorError, on_path
from testkit.npm_lock import installed

NODE_VERSION = 20

_FOLDER = Path(__file__).parent


class NodePeer:
    """A Node process with the stream in its memory. It runs during the whole benchmark, to be warm."""

    def __init__(self, requests: IO[str], answers: IO[str]) -> None:
        self._requests = requests
        self._answers = answers

    def seconds(self, batch_size: int) -> float:
        """Let a new handler process the stream, and return the seconds that all its batches took."""
        return float(self._run(batch_size, with_limits=False)["seconds"])

    def limits(self, batch_size: int) -> list[list[Any]]:
        """Do the same, and return (user id, limit id, progress, value, version) of each limit."""
        limits: list[list[Any]] = self._run(batch_size, with_limits=True)["limits"]
        return limits

    def _run(self, batch_size: int, *, with_limits: bool) -> dict[str, Any]:
        self._requests.write(json.dumps({"size": batch_size, "withLimits": with_limits}) + "\n")
        self._requests.flush()
        if not (line := self._answers.readline()):
            raise EmulatorError("the Node peer ended; what it said is above")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def node_peer(records: Sequence[LambdaRecord]) -> Iterator[NodePeer]:
    """Run the peer. Raises EmulatorError if it cannot be downloaded."""
    node = on_path("node", f"The peer runs on it: install Node.js, version {NODE_VERSION} or later.")
    modules = installed(_FOLDER, "node-peer", purpose="what the Node peer stands on") / "node_modules"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "records.json")
        file.write_text(json.dumps(records))
        command = [node, "--expose-gc", str(_FOLDER / "main.cjs"), str(file)]
        with subprocess.Popen(  # noqa: S603 - our own code
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "NODE_PATH": str(modules), "NODE_ENV": "production"},
        ) as process:
            try:
                yield NodePeer(cast("IO[str]", process.stdin), cast("IO[str]", process.stdout))
            finally:
                process.kill()
