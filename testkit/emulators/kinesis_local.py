"""kinesis-local, an emulator of the Kinesis API, for tests and benchmarks: on loopback, in memory.

    python -m testkit.emulators.kinesis_local --port 4567

npm downloads it once, into the user's cache (`$XDG_CACHE_HOME` or `~/.cache`). It needs Node.js of version 20
or later. Streams, splits and merges are ready at once, and it ends with its starter.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from testkit.emulators.npm_package import (
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
    name="kinesis-local",
    version="0.6.2",
    integrity="sha512-mFlmksPMQP/A3nT22N2E8WzUbJcbEdxkCnhNCx2lHj20CW4vzuVH8zn5ByRg5LS5es8tvnx2mY1DpbZ5kw9PPQ==",
    folder="package",
    emulator="kinesis-local",
)
NODE_VERSION = 20

_LOOPBACK = Path(__file__).with_name("loopback.cjs")
_SETTINGS = {
    # By default each of these takes half a second.
    **dict.fromkeys(
        [
            "CREATE_STREAM_DURATION",
            "DELETE_STREAM_DURATION",
            "SPLIT_SHARD_DURATION",
            "MERGE_SHARDS_DURATION",
            "UPDATE_SHARD_COUNT_DURATION",
            "UPDATE_STREAM_MODE_DURATION",
            "REGISTER_STREAM_CONSUMER_DURATION",
            "DEREGISTER_STREAM_CONSUMER_DURATION",
            "START_STREAM_ENCRYPTION_DURATION",
            "STOP_STREAM_ENCRYPTION_DURATION",
        ],
        "0ms",
    ),
    # Of all streams together, including closed shards. The default is 50: fewer than one test run creates.
    "SHARD_LIMIT": "10000",
    "LOAD_DATA_IF_EXISTS": "false",
    "LOG_LEVEL": "ERROR",
}


@contextmanager
def kinesis_local(port: int = 0) -> Iterator[str]:
    """Run kinesis-local, empty, and yield its endpoint. Port 0 stands for any free one.

    Raises EmulatorError if it cannot be downloaded, or does not start.
    """
    node = on_path("node", f"kinesis-local runs on it: install Node.js, version {NODE_VERSION} or later.")
    emulator = PACKAGE.fetch()
    # It reads variables with names as common as LOG_LEVEL: those of the machine's owner must not reach it.
    owners = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with running(
        [node, "--require", str(_LOOPBACK), str(emulator / "main.js"), str(port)],
        environment=owners | _SETTINGS | {"KINESIS_MOCK_CERT_PATH": str(emulator / "server.json")},
        not_started=partial(_not_started, node),
    ) as endpoint:
        yield endpoint


def _not_started(node: str, log: str) -> EmulatorError:
    version = run([node, "--version"]).stdout
    found = re.match(r"v(\d+)", version)
    if found and int(found[1]) < NODE_VERSION:
        wanted = f"{node} is no Node.js of version {NODE_VERSION} or later: install one."
        return EmulatorError(f"{wanted} It calls itself:\n{last_lines(version)}")
    return did_not_start(PACKAGE.emulator, log)


if __name__ == "__main__":
    run_for_people(kinesis_local, emulator=PACKAGE.emulator, service="KINESIS", port=4567)
