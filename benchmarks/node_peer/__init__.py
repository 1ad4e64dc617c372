"""The Node peer: how it is run, beside the others, on the packages of its lock file. See handler.cjs."""

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from types import SimpleNamespace
from typing import IO, Any, cast

from benchmarks.records import StoredLimit
from kinesis_handler.lambda_types import LambdaRecord
from testkit.emulators.npm_package import EmulatorError, on_path
from testkit.npm_lock import installed

NODE_VERSION = 20

_FOLDER = Path(__file__).parent


class NodePeer:
    """A Node process with the stream in its memory. It runs during the whole benchmark, to be warm."""

    def __init__(self, process: "Popen[str]") -> None:
        self._process = process

    def run(self, batch_size: int, *, with_limits: bool = False) -> dict[str, Any]:
        """Let a new handler process the stream: see main.cjs for what is answered."""
        requests, answers = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)
        requests.write(json.dumps({"size": batch_size, "withLimits": with_limits}) + "\n")
        requests.flush()
        if not (line := answers.readline()):
            raise EmulatorError("the Node peer ended; what it said is above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def limits(self, batch_size: int) -> Iterator[StoredLimit]:
        """Do so, and return what it has stored."""
        for user, limit, progress, value, version in self.run(batch_size, with_limits=True)["limits"]:
            yield (user, limit), SimpleNamespace(progress=float(progress), value=float(value)), version


@contextmanager
def node_peer(records: Sequence[LambdaRecord]) -> Iterator[NodePeer]:
    """Run the peer. Raises EmulatorError if it cannot be downloaded."""
    node = on_path("node", f"The peer runs on it: install Node.js, version {NODE_VERSION} or later.")
    modules = installed(_FOLDER, "node-peer", purpose="what the Node peer stands on") / "node_modules"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "records.json")
        file.write_text(json.dumps(records))
        command = [node, "--expose-gc", str(_FOLDER / "main.cjs"), str(file)]
        environment = {**os.environ, "NODE_PATH": str(modules), "NODE_ENV": "production"}
        with Popen(command, stdin=PIPE, stdout=PIPE, text=True, env=environment) as process:  # noqa: S603 - our own
            try:
                yield NodePeer(process)
            finally:
                process.kill()
