"""A Lambda function on this machine: its artifact under AWS's own runtime client, as Lambda would run it.

An execution environment is a process of `python -m awslambdaric`, and handles one invocation at a time. It
has the variables that Lambda sets and those of the function, and none of the machine's owner. Its path is the
artifact, the layers, and a runtime that has the AWS SDK and the runtime client as Lambda's has, and nothing
else.

Differences from AWS: the interpreter and the libraries of the system are this machine's, the file system is
writable, an environment is not frozen between invocations, and its memory is measured twenty times per
second: a function that has used more is killed, as on Lambda, but a little later.

Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

import json
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from threading import Lock, Semaphore, Thread
from typing import IO, Any, Self
from uuid import uuid4

from testkit.emulators.lambda_environment import Configuration, make_runtime, variables
from testkit.emulators.runtime_api import FunctionError, Invocation, RuntimeApi

__all__ = ["Configuration", "FunctionError", "LambdaRuntime"]

INIT_SECONDS = 10.0
"""Seconds for the start of an environment. A slower one starts again, within the time of its invocation."""

_POLL = 0.05
_KILLED = -9


class LambdaRuntime:
    """Runs one function. It can be the function of an event source mapping.

    If no environment is idle, an invocation starts another one, or waits if their maximum number is reached:
    the caller never sees throttling.
    """

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.log: list[str] = []
        """Lines that the function and Lambda wrote, complete after everything is closed."""
        self.max_memory = 0
        """Peak memory of an environment, in megabytes; 0 if the system does not report it."""
        self.cold_starts = 0
        self._closing = ExitStack()
        self._free = Semaphore(configuration.concurrency)
        self._idle: list[_Environment] = []
        self._lock = Lock()

    def __enter__(self) -> Self:
        folder = self._closing.enter_context(tempfile.TemporaryDirectory(prefix="lambda-"))
        self._python = make_runtime(Path(folder))
        return self

    def __exit__(self, *_: object) -> None:
        while self._idle:
            self._idle.pop().close()
        self._closing.close()

    def __call__(self, event: object, _context: object = None) -> Any:
        """Invoke the function, and return its answer. The context is the environment's own.

        Raises FunctionError for any other result.
        """
        answer = self.invoke(json.dumps(event).encode())
        return json.loads(answer)

    def invoke(self, payload: bytes) -> bytes:
        """Invoke the function with an event as JSON. Raises FunctionError if it does not answer."""
        with self._free:
            environment = self._take()
            try:
                return environment.invoke(payload)
            finally:
                self._give_back(environment)

    def _take(self) -> "_Environment":
        """Return an idle environment, or a new one."""
        with self._lock:
            while self._idle:
                environment = self._idle.pop()
                if not environment.ended:
                    return environment
                environment.close()
            self.cold_starts += 1
        return _Environment(self.configuration, self._python, self.log.append)

    def _give_back(self, environment: "_Environment") -> None:
        with self._lock:
            self.max_memory = max(self.max_memory, environment.max_memory)
            if not environment.ended:
                self._idle.append(environment)
                return
        environment.close()


class _Environment:
    """One process of the runtime, and the Runtime API that it calls."""

    def __init__(self, configuration: Configuration, python: Path, write: Callable[[str], object]) -> None:
        self.max_memory = 0
        self._ended = False
        self._configuration = configuration
        self._python = python
        self._write = write
        self._begun = False

    @property
    def ended(self) -> bool:
        """Whether it can handle no further invocation."""
        return self._ended or self._api.broken or self._process.poll() is not None

    def invoke(self, payload: bytes) -> bytes:
        """Handle an event; see `LambdaRuntime.invoke`."""
        function = self._configuration
        invocation = Invocation(str(uuid4()), payload, time.time() + function.timeout, function.arn)
        if not self._begun:
            self._start(invocation)
        if not invocation.answered.is_set():
            self._handle(invocation)
        return invocation.result()

    def close(self) -> None:
        """End the process, and read the rest of its output."""
        self._process.kill()
        self._process.wait()
        self._api.close()
        for reader in self._readers:
            reader.join()

    def _start(self, invocation: Invocation) -> None:
        self._begun = True
        self._spawn()
        if not self._initialised(INIT_SECONDS) and self._process.poll() is None:
            self.close()
            self._spawn()
            self._initialised(self._configuration.timeout)
        if self._api.init_error is not None:
            self._ended = True
            invocation.fail(self._api.init_error)
        elif self._api.initialised.is_set():
            invocation.deadline = time.time() + self._configuration.timeout
        elif self._process.poll() is not None:
            self._end(invocation)
        else:
            self._time_out(invocation)

    def _initialised(self, seconds: float) -> bool:
        """Wait until the runtime asks for an invocation, or has ended."""
        end = time.monotonic() + seconds
        while not self._api.initialised.wait(_POLL):
            if self._process.poll() is not None or time.monotonic() > end:
                return False
        return True

    def _spawn(self) -> None:
        self._api = RuntimeApi()
        self._process = subprocess.Popen(  # noqa: S603 - the function under test
            [self._python, "-m", "awslambdaric", self._configuration.handler],
            cwd=self._configuration.artifact,
            env=variables(self._configuration, self._api.address),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._readers = [
            Thread(target=_read, args=(stream, self._write), daemon=True)
            for stream in (self._process.stdout, self._process.stderr)
            if stream is not None
        ]
        for reader in self._readers:
            reader.start()

    def _handle(self, invocation: Invocation) -> None:
        self._write(f"START RequestId: {invocation.request_id} Version: $LATEST")
        begun = time.monotonic()
        self._api.hand_out(invocation)
        while not invocation.answered.wait(_POLL):
            self._look_at_memory()
            if self._process.poll() is not None:
                self._end(invocation)
            elif time.time() > invocation.deadline:
                self._time_out(invocation)
        self._look_at_memory()
        self._write(f"END RequestId: {invocation.request_id}")
        took = (time.monotonic() - begun) * 1_000
        self._write(
            f"REPORT RequestId: {invocation.request_id}\tDuration: {took:.2f} ms\t"
            f"Memory Size: {self._configuration.memory_size} MB\tMax Memory Used: {self.max_memory} MB"
        )
        if self._ended and invocation.error is not None:
            self._write(str(invocation.error["errorMessage"]))

    def _end(self, invocation: Invocation) -> None:
        """Return how the process has ended."""
        self._ended = True
        status = self._process.returncode
        if status == 0:
            how = "Runtime exited without providing a reason"
        else:
            ending = "signal: killed" if status == _KILLED else f"exit status {status}"
            how = f"Runtime exited with error: {ending}"
        invocation.fail_in_its_stead("Runtime.ExitError", how)

    def _time_out(self, invocation: Invocation) -> None:
        self._ended = True
        self._process.kill()
        invocation.fail_in_its_stead(
            "Sandbox.Timedout", f"Task timed out after {self._configuration.timeout:.2f} seconds"
        )

    def _look_at_memory(self) -> None:
        """Kill a process that uses more memory than the function may."""
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text()
        except OSError:  # the process has ended, or the system has no /proc
            return
        if found := re.search(r"VmHWM:\s+(\d+) kB", status):
            self.max_memory = int(found[1]) // 1_024
            if self.max_memory > self._configuration.memory_size:
                self._process.kill()


def _read(stream: IO[bytes], write: Callable[[str], object]) -> None:
    with stream:
        for line in stream:
            write(line.decode(errors="replace").rstrip("\n"))
