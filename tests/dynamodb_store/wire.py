"""Faults on the way to DynamoDB Local and back: of connections, and of single requests and answers."""

import io
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.client import HTTPConnection
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError
from botocore.httpsession import URLLib3Session
from urllib3 import HTTPResponse

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

START_SECONDS = 20

Answer = dict[str, Any]


class FaultProxy:
    """microburst, a proxy in a process of its own that knows the AWS protocols, and its rules."""

    def __init__(self, port: int) -> None:
        # By its number it would take a second per hundred AWS services to look up whose host it is.
        self.endpoint = f"http://localhost:{port}"
        self._port = port
        self._faults = 0

    def fail_once(self, operation: str, **fault: Any) -> None:
        """Let the next request of this operation go wrong. See the documentation of its rules for how."""
        self.control("PATCH", "rules", [{"service": "dynamodb", "operation": operation, "times": 1, **fault}])
        self._faults += 1

    @contextmanager
    def watched(self) -> Iterator[Self]:
        """Begin without rules, and see at the end that each fault has happened."""
        self.control("DELETE", "rules")
        self.control("DELETE", "fired")
        self._faults = 0
        yield self
        assert len(self.control("GET", "fired")) == self._faults

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Ask something of the proxy itself."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=START_SECONDS)
        try:
            connection.request(method, f"/_microburst/{path}", None if body is None else json.dumps(body))
            return json.load(connection.getresponse())
        finally:
            connection.close()


@contextmanager
def fault_proxy(upstream: str) -> Iterator[FaultProxy]:
    """Run a proxy in front of an endpoint, on loopback alone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "microburst", "--host", "127.0.0.1", "--port", str(port)]
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen([*command, "--upstream", upstream], stdout=log, stderr=log) as process,
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


class Call:
    """A request on its way to DynamoDB."""

    def __init__(self, operation: str, request: AWSPreparedRequest, session: URLLib3Session) -> None:
        assert isinstance(request.body, bytes)
        self.operation = operation
        self.text = request.body.decode()
        self.body: dict[str, Any] = json.loads(self.text)
        self._request = request
        self._session = session

    def send(self, body: dict[str, Any] | None = None) -> Answer:
        """Let it through, or another in its place, and return what DynamoDB answers."""
        data = json.dumps(self.body if body is None else body).encode()
        headers = self._request.headers
        del headers["Content-Length"]
        headers["Content-Length"] = str(len(data))
        answer = self._session.send(
            AWSPreparedRequest("POST", self._request.url, headers, data, stream_output=False)
        )
        decoded: Answer = json.loads(answer.content)
        assert answer.status_code == 200, decoded
        return decoded


Fault = Callable[[Call], "Answer | AWSResponse"]
"""What happens to a request: it returns an answer, or raises what botocore would."""


class Wire(AbstractContextManager["Wire"]):
    """Makes the requests of a client visible, and lets them go wrong as a test says.

    At its end it sees that each fault that is expected has happened.
    """

    def __init__(self, client: "DynamoDBClient") -> None:
        self.client = client
        self.sent: list[Call] = []
        # Without Nagle's algorithm, as botocore's own: else each request would wait 40 ms.
        no_delay: Any = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]  # its stubs want strings
        self._session = URLLib3Session(max_pool_connections=16, socket_options=no_delay)
        self._faults: list[tuple[str, Fault, str]] = []
        self._left: Counter[int] = Counter()
        self._unused: set[int] = set()
        self._lock = Lock()
        self._hooks = cast("Any", client.meta.events)  # its types know of no hook that answers
        self._hooks.register("before-send.dynamodb", self._before_send)

    def on(
        self, operation: str, fault: Fault, *, times: int = 1, about: str = "", expected: bool = True
    ) -> None:
        """Let a fault befall the next requests of an operation, those whose body has `about` in it."""
        number = len(self._faults)
        self._faults.append((operation, fault, about))
        self._left[number] = times
        if expected:
            self._unused.add(number)

    def count(self, operation: str) -> int:
        """Return how many requests of an operation were sent."""
        return sum(call.operation == operation for call in self.sent)

    def bodies(self, operation: str) -> list[dict[str, Any]]:
        """Return what was sent, request by request."""
        return [call.body for call in self.sent if call.operation == operation]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._hooks.unregister("before-send.dynamodb", self._before_send)
        self._session.close()
        assert error or not self._unused, "not every fault has happened"

    def _before_send(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse | None:
        call = Call(event_name.rpartition(".")[2], request, self._session)
        with self._lock:
            self.sent.append(call)
            fault = self._next_fault(call)
        if fault is None:
            return None
        answer = fault(call)
        return answer if isinstance(answer, AWSResponse) else response(200, answer)

    def _next_fault(self, call: Call) -> Fault | None:
        for number, (operation, fault, about) in enumerate(self._faults):
            if operation == call.operation and about in call.text and self._left[number]:
                self._left[number] -= 1
                self._unused.discard(number)
                return fault
        return None


FOR_EVER = sys.maxsize


def response(status: int, body: object) -> AWSResponse:
    """Make an answer as it comes from the wire. A `str` is sent as it is."""
    text = body if isinstance(body, str) else json.dumps(body)
    raw = HTTPResponse(io.BytesIO(text.encode()), preload_content=False)
    return AWSResponse("http://localhost", status, HTTPHeaders(), raw)


def error(code: str, status: int = 400, message: str = "injected") -> Fault:
    """Answer with an error; the request gets no further."""
    return lambda _: response(status, {"__type": f"com.amazonaws.dynamodb#{code}", "message": message})


def unreachable(call: Call) -> Answer:
    """Find nothing that listens."""
    raise EndpointConnectionError(endpoint_url=call.operation)


def undelivered(call: Call) -> Answer:
    """Cut the connection before the request has arrived."""
    raise ConnectionClosedError(endpoint_url=call.operation)


def cut(call: Call) -> Answer:
    """Cut the connection when the request has been done."""
    call.send()
    raise ConnectionClosedError(endpoint_url=call.operation)


def timeout(call: Call) -> Answer:
    """Do the request, and let the answer take too long."""
    call.send()
    raise ReadTimeoutError(endpoint_url=call.operation)


def server_error(call: Call) -> AWSResponse:
    """Do the request, and answer that something went wrong."""
    call.send()
    return response(500, {"__type": "com.amazonaws.dynamodb#InternalServerError", "message": "injected"})


def after(action: Callable[[], object], fault: Fault) -> Fault:
    """Let something happen between two requests, then the fault."""

    def both(call: Call) -> Answer | AWSResponse:
        action()
        return fault(call)

    return both


def then(fault: Fault, action: Callable[[], object]) -> Fault:
    """Let something happen between a request that is done and the news of its fault."""

    def both(call: Call) -> Answer | AWSResponse:
        try:
            return fault(call)
        finally:
            action()

    return both


def statement_error(code: str, about: str, *, done: bool = False) -> Fault:
    """Let the one statement with `about` in it fail, with its effect or without; all others are done."""

    def fault(call: Call) -> Answer:
        statements = call.body["Statements"]
        [place] = [at for at, each in enumerate(statements) if about in json.dumps(each)]
        passed = [each for at, each in enumerate(statements) if done or at != place]
        responses = call.send({"Statements": passed})["Responses"] if passed else []
        told = {"Error": {"Code": code, "Message": "injected"}}
        responses[place : place + done] = [told]
        return {"Responses": responses}

    return fault


def left_unprocessed(about: str) -> Fault:
    """Read or delete only a part, and leave the keys with `about` in them unprocessed."""

    def fault(call: Call) -> Answer:
        [(table, asked)] = call.body["RequestItems"].items()
        reads = isinstance(asked, dict)
        things = asked["Keys"] if reads else asked
        left = [each for each in things if about in json.dumps(each)]
        rest = [each for each in things if each not in left]

        def part(some: list[Any]) -> dict[str, Any]:
            return {table: {**asked, "Keys": some} if reads else some} if some else {}

        answer = call.send({"RequestItems": part(rest)}) if rest else {"Responses": {}}
        return answer | {"UnprocessedKeys" if reads else "UnprocessedItems": part(left)}

    return fault
