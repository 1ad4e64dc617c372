"""Lambda's Runtime API for one execution environment: hands out invocations, and receives their results.

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from socket import socket
from threading import Event, Thread
from typing import Any

RESPONSE_LIMIT = 6_291_556
"""Maximum size of a function's answer, in bytes."""

_ROOT = "/2018-06-01/runtime"
_ANSWER = re.compile(rf"{_ROOT}/invocation/([^/]+)/(response|error)")


class FunctionError(Exception):
    """The function did not answer. `document` is what Lambda returns to its caller instead of a response."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(f"{document.get('errorType')}: {document.get('errorMessage')}")
        self.document = document


@dataclass
class Invocation:
    """One invocation, waiting for the function or answered by it.

    Args:
        request_id: Lambda's id of it.
        payload: the event, as JSON.
        deadline: seconds since epoch.
        function_arn: ARN of the function.
    """

    request_id: str
    payload: bytes
    deadline: float
    function_arn: str
    response: bytes | None = None
    error: dict[str, Any] | None = None
    answered: Event = field(default_factory=Event)

    def fail(self, document: dict[str, Any]) -> None:
        """Set an error as the answer."""
        self.error = document
        self.answered.set()

    def fail_in_its_stead(self, error_type: str, message: str) -> None:
        """Set an error of Lambda itself as the answer, because the function cannot answer."""
        said = f"RequestId: {self.request_id} Error: {message}"
        self.fail({"errorType": error_type, "errorMessage": said})

    def result(self) -> bytes:
        """Return the function's answer. Raises FunctionError if there is none."""
        if self.response is None:
            raise FunctionError(self.error or {})
        return self.response


class RuntimeApi:
    """Serves one environment on 127.0.0.1."""

    def __init__(self) -> None:
        self.initialised = Event()
        """Set when the runtime asks for its first invocation, or reports why it cannot."""
        self.init_error: dict[str, Any] | None = None
        self.broken = False
        """Set when an answer of the runtime was refused, after which the runtime ends."""
        self._waiting: SimpleQueue[Invocation | None] = SimpleQueue()
        self._current: Invocation | None = None
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.api = self
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def address(self) -> str:
        """Value of AWS_LAMBDA_RUNTIME_API for the runtime."""
        return f"127.0.0.1:{self._server.server_port}"

    def hand_out(self, invocation: Invocation) -> None:
        """Give the runtime its next invocation."""
        self._current = invocation
        self._waiting.put(invocation)

    def close(self) -> None:
        """Stop serving. The runtime must have ended."""
        self._waiting.put(None)
        self._server.shutdown()
        self._server.server_close()

    def next(self) -> Invocation | None:
        """Wait for an invocation; return None if there will be none."""
        self.initialised.set()
        return self._waiting.get()

    def init_failed(self, error: dict[str, Any]) -> None:
        """Store the reason why the function could not be loaded."""
        self.init_error = error
        self.initialised.set()

    def answer(self, request_id: str, *, response: bytes | None = None, error: bytes | None = None) -> int:
        """Accept the answer to an invocation; return the status for the runtime."""
        invocation = self._current
        if invocation is None or invocation.request_id != request_id or invocation.answered.is_set():
            return HTTPStatus.FORBIDDEN
        if response is not None and len(response) > RESPONSE_LIMIT:
            said = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes)."
            self.broken = True
            invocation.fail({"errorType": "Function.ResponseSizeTooLarge", "errorMessage": said})
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if error is not None:
            invocation.fail(json.loads(error))
        else:
            invocation.response = response
            invocation.answered.set()
        return HTTPStatus.ACCEPTED


class _Server(ThreadingHTTPServer):
    api: RuntimeApi
    daemon_threads = True

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """Log nothing: a runtime that has been killed leaves in the middle of a request."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one segment: with Nagle's algorithm the second would wait 40 ms
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        if self.path != f"{_ROOT}/invocation/next":
            self._send(HTTPStatus.NOT_FOUND)
            return
        invocation = self.server.api.next()
        if invocation is None:
            self.close_connection = True
            return
        self._send(
            HTTPStatus.OK,
            invocation.payload,
            {
                "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1_000)),
                "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
                "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000;Sampled=0",
            },
        )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        api = self.server.api
        if self.path == f"{_ROOT}/init/error":
            api.init_failed(json.loads(body))
            self._send(HTTPStatus.ACCEPTED, b'{"status":"OK"}')
        elif match := _ANSWER.fullmatch(self.path):
            status = api.answer(match[1], **{match[2]: body})
            self._send(status, b'{"status":"OK"}' if status == HTTPStatus.ACCEPTED else b"{}")
        else:
            self._send(HTTPStatus.NOT_FOUND)

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _send(self, status: int, body: bytes = b"{}", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
