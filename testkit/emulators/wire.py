"""Faults between a connection and DynamoDB Local, which affect single requests and answers.

For connections that really break see `fault_proxy`.
"""

import io
import json
import socket
import sys
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from functools import cached_property
from http import HTTPStatus
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError
from botocore.httpsession import URLLib3Session
from urllib3 import HTTPResponse

if TYPE_CHECKING:
    from kinesis_handler.stores.dynamodb import Connection
    from kinesis_handler.stores.dynamodb.http import Answer as HttpAnswer
    from kinesis_handler.stores.dynamodb.http import HttpPool

Answer = dict[str, Any]


class Call:
    """A request on its way to DynamoDB."""

    def __init__(self, operation: str, request: AWSPreparedRequest, session: URLLib3Session) -> None:
        self.operation = operation
        self._request = request
        self._session = session

    @cached_property
    def text(self) -> str:
        """Body of the request, as text."""
        return cast("bytes", self._request.body).decode()

    @cached_property
    def body(self) -> dict[str, Any]:
        """Body of the request, decoded from JSON."""
        return cast("dict[str, Any]", json.loads(self.text))

    def forward(self) -> AWSResponse:
        """Send it unchanged, and wait longer for the answer than the client: the machine may be busy."""
        return self._session.send(self._request)

    def send(self, body: dict[str, Any] | None = None) -> Answer:
        """Send it, or another request instead of it, and return DynamoDB's answer."""
        data = json.dumps(self.body if body is None else body).encode()
        headers = self._request.headers
        del headers["Content-Length"]
        headers["Content-Length"] = str(len(data))
        answer = self._session.send(
            AWSPreparedRequest("POST", self._request.url, headers, data, stream_output=False)
        )
        decoded: Answer = json.loads(answer.content)
        if answer.status_code != HTTPStatus.OK:
            raise AssertionError(f"only DynamoDB's own answers are to be tampered with: {decoded}")
        return decoded


Fault = Callable[[Call], "Answer | AWSResponse"]
"""What happens to a request: a function that returns an answer, or raises as botocore would."""


class Tap(AbstractContextManager["Tap"]):
    """Passes the requests of a connection to a function, which answers instead of DynamoDB or lets them pass.

    Those of its botocore client, too.

    Args:
        connection: the connection whose requests are passed.
        meet: returns an answer, or None if the request is to be sent as usual.
    """

    def __init__(self, connection: "Connection", meet: Callable[[Call], Answer | AWSResponse | None]) -> None:
        self.connection = connection
        self._meet = meet
        # Without Nagle's algorithm, as botocore does: otherwise each request would wait 40 ms.
        no_delay: Any = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]  # its stubs require strings
        self._session = URLLib3Session(max_pool_connections=16, socket_options=no_delay)
        self._http = connection.http
        connection.http = cast("HttpPool", self)
        self._hooks = cast("Any", connection.client.meta.events)  # its types have no hook that answers
        self._hooks.register("before-send.dynamodb", self._before_send)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._hooks.unregister("before-send.dynamodb", self._before_send)
        self.connection.http = self._http
        self._session.close()

    def send(self, request: AWSPreparedRequest) -> "AWSResponse | HttpAnswer":
        """Stand for the connection's `http`."""
        return self._before_send(request) or self._http.send(request)

    def _before_send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        operation = as_text(request.headers["X-Amz-Target"]).rpartition(".")[2]
        answer = self._meet(Call(operation, request, self._session))
        return response(HTTPStatus.OK, answer) if isinstance(answer, dict) else answer


def as_text(header: str | bytes) -> str:
    """Return a header's value: botocore's serializer makes it text, its signer bytes."""
    return header if isinstance(header, str) else header.decode()


class Wire(Tap):
    """Makes the requests of a connection visible, and injects the faults of a test.

    At its end it checks that each expected fault has occurred.
    """

    def __init__(self, connection: "Connection") -> None:
        self.sent: list[Call] = []
        self._faults: list[tuple[str, Fault, str]] = []
        self._left: Counter[int] = Counter()
        self._unused: set[int] = set()
        self._lock = Lock()
        super().__init__(connection, self._perhaps_fail)

    def __enter__(self) -> Self:
        return self

    def on(
        self, operation: str, fault: Fault, *, times: int = 1, about: str = "", expected: bool = True
    ) -> None:
        """Inject a fault into the next requests of an operation whose body contains `about`."""
        number = len(self._faults)
        self._faults.append((operation, fault, about))
        self._left[number] = times
        if expected:
            self._unused.add(number)

    def count(self, operation: str) -> int:
        """Return how many requests of an operation were sent."""
        return sum(call.operation == operation for call in self.sent)

    def bodies(self, operation: str) -> list[dict[str, Any]]:
        """Return the bodies of an operation's requests, in order."""
        return [call.body for call in self.sent if call.operation == operation]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, traceback)
        if error is None and self._unused:
            raise AssertionError("not every fault has happened")

    def _perhaps_fail(self, call: Call) -> Answer | AWSResponse | None:
        with self._lock:
            self.sent.append(call)
            fault = self._next_fault(call)
        return fault(call) if fault else None

    def _next_fault(self, call: Call) -> Fault | None:
        for number, (operation, fault, about) in enumerate(self._faults):
            if operation == call.operation and about in call.text and self._left[number]:
                self._left[number] -= 1
                self._unused.discard(number)
                return fault
        return None


FOR_EVER = sys.maxsize


def response(status: int, body: object) -> AWSResponse:
    """Make an answer as it comes from the wire. A `str` is sent unchanged."""
    text = body if isinstance(body, str) else json.dumps(body)
    raw = HTTPResponse(io.BytesIO(text.encode()), preload_content=False)
    return AWSResponse("http://localhost", status, HTTPHeaders(), raw)


def error(code: str, status: int = 400, message: str = "injected") -> Fault:
    """Answer with an error; the request is not sent."""
    return lambda _: response(status, {"__type": f"com.amazonaws.dynamodb#{code}", "message": message})


def unreachable(call: Call) -> Answer:
    """Fail as if nothing listened at the endpoint."""
    raise EndpointConnectionError(endpoint_url=call.operation)


def undelivered(call: Call) -> Answer:
    """Cut the connection before the request has arrived."""
    raise ConnectionClosedError(endpoint_url=call.operation)


def cut(call: Call) -> Answer:
    """Cut the connection after the request has taken effect."""
    call.send()
    raise ConnectionClosedError(endpoint_url=call.operation)


def timeout(call: Call) -> Answer:
    """Send the request, and delay the answer beyond the time-out."""
    call.send()
    raise ReadTimeoutError(endpoint_url=call.operation)


def server_error(call: Call) -> AWSResponse:
    """Send the request, and answer with an error of the service."""
    call.send()
    return response(500, {"__type": "com.amazonaws.dynamodb#InternalServerError", "message": "injected"})


def after(action: Callable[[], object], fault: Fault) -> Fault:
    """Run an action between two requests, then the fault."""

    def both(call: Call) -> Answer | AWSResponse:
        action()
        return fault(call)

    return both


def then(fault: Fault, action: Callable[[], object]) -> Fault:
    """Run an action between the effect of a request and the report of its fault."""

    def both(call: Call) -> Answer | AWSResponse:
        try:
            return fault(call)
        finally:
            action()

    return both


def statement_error(code: str, about: str, *, done: bool = False) -> Fault:
    """Fail the one statement that contains `about`, with or without its effect; all others succeed."""

    def fault(call: Call) -> Answer:
        [index] = [at for at, each in enumerate(call.body["Statements"]) if about in json.dumps(each)]
        return failing_statements(call, code, {index}, done=done)

    return fault


def failing_statements(call: Call, code: str, indexes: Collection[int], *, done: bool = False) -> Answer:
    """Fail the statements at some indexes, with or without their effect; all others succeed."""
    statements = call.body["Statements"]
    passed = [each for at, each in enumerate(statements) if done or at not in indexes]
    answers = iter(call.send({"Statements": passed})["Responses"] if passed else [])
    responses = [next(answers) if done or at not in indexes else None for at in range(len(statements))]
    failed = {"Error": {"Code": code, "Message": "injected"}}
    return {"Responses": [failed if at in indexes else each for at, each in enumerate(responses)]}


def left_unprocessed(about: str) -> Fault:
    """Read or delete only a part, and leave the keys that contain `about` unprocessed."""
    return lambda call: leaving_unprocessed(call, lambda _index, key: about in json.dumps(key))


def leaving_unprocessed(call: Call, is_left: Callable[[int, Any], bool]) -> Answer:
    """Read or delete only a part; `is_left` decides by index and key which keys are left unprocessed."""
    [(table, asked)] = call.body["RequestItems"].items()
    reads = isinstance(asked, dict)
    things = asked["Keys"] if reads else asked
    left = [each for index, each in enumerate(things) if is_left(index, each)]
    rest = [each for each in things if each not in left]

    def part(some: list[Any]) -> dict[str, Any]:
        return {table: {**asked, "Keys": some} if reads else some} if some else {}

    answer = call.send({"RequestItems": part(rest)}) if rest else {"Responses": {}}
    return answer | {"UnprocessedKeys" if reads else "UnprocessedItems": part(left)}
