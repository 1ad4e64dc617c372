"""microburst in front of an emulator: connections that really break, answers that are late or cut off."""

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any, Self

START_SECONDS = 20


class FaultProxy:
    """microburst, a proxy in a separate process that knows the AWS protocols, and its rules."""

    def __init__(self, port: int) -> None:
        # By host name, it would search the hosts of every AWS service: a second per hundred of them.
        self.endpoint = f"http://localhost:{port}"
        self._port = port
        self._faults = 0

    def fail_once(self, operation: str, **fault: Any) -> None:
        """Make the next request of this operation fail. The documentation of its rules explains `how`."""
        self.control("PATCH", "rules", [{"service": "dynamodb", "operation": operation, "times": 1, **fault}])
        self._faults += 1

    @contextmanager
    def watched(self) -> Iterator[Self]:
        """Start without rules, and check at the end that each fault has occurred."""
        self.control("DELETE", "rules")
        self.control("DELETE", "fired")
        self._faults = 0
        yield self
        if len(self.control("GET", "fired")) != self._faults:
            raise AssertionError("not every fault has happened")

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Send a request to the proxy itself."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=START_SECONDS)
        try:
            connection.request(method, f"/_microburst/{path}", None if body is None else json.dumps(body))
            return json.load(connection.getresponse())
        finally:
            connection.close()


@contextmanager
def fault_proxy(upstream: str) -> Iterator[FaultProxy]:
    """Run a proxy in front of an endpoint, on loopback only."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "microburst", "--host", "127.0.0.1", "--port", str(port)]
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(  # noqa: S603
            [*command, "--upstream", upstream], stdout=log, stderr=log
        ) as process,
    ):
        try:
            proxy = FaultProxy(port)
            started = time.monotonic()
            while True:
                try:
                    proxy.control("GET", "health")
                    break
                except OSError as error:
                    if process.poll() is not None or time.monotonic() > started + START_SECONDS:
                        log.seek(0)
                        raise AssertionError(f"microburst did not start: {log.read()}") from error
                    time.sleep(0.02)
            yield proxy
        finally:
            process.terminate()
