"""The wire to Kinesis, on which requests fail as a test says: hooks of botocore.

What befalls a request here is what botocore makes of it in the end: its own retries are over.
"""

import json
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from http import HTTPStatus
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.httpsession import URLLib3Session

from testkit.emulators.wire import Call, response

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient

Answer = tuple[AWSResponse, dict[str, Any]]
Fault = Callable[[], Answer]

BEFORE_CALL, BEFORE_SEND = "before-call.kinesis", "before-send.kinesis.PutRecords"


class Wire(AbstractContextManager["Wire"]):
    """Makes the requests of a client visible, and lets them go wrong.

    Args:
        client: whose requests they are.
    """

    def __init__(self, client: "KinesisClient") -> None:
        self.client = client
        self.sent: list[tuple[str, dict[str, Any]]] = []
        """Of each request its operation and its body."""
        self._faults: list[tuple[str, Fault, str]] = []
        self._left: Counter[int] = Counter()
        self._refusals: Counter[bytes] = Counter()
        self._bodies: dict[str, list[str]] = {}
        self._lock = Lock()
        self._hooks = cast("Any", client.meta.events)  # its types know of no hook that answers
        self._open = ExitStack()

    def __enter__(self) -> Self:
        session = URLLib3Session()
        self._open.callback(session.close)
        self._hook(BEFORE_CALL, self._before_call)
        self._hook("before-send.kinesis", self._reply)
        self._hook(BEFORE_SEND, lambda request, **_: self._before_send(Call("PutRecords", request, session)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.close()

    def on(self, operation: str, *faults: Fault, about: str = "") -> None:
        """Let the next requests of an operation go wrong, those whose body has `about` in it."""
        for fault in faults:
            self._left[len(self._faults)] = 1
            self._faults.append((operation, fault, about))

    def reply(self, operation: str, *bodies: str) -> None:
        """Let the next requests of an operation be answered with these, as they come from the wire."""
        self._bodies.setdefault(operation, []).extend(bodies)

    def refuse(self, records: Iterable[bytes], times: int = 1) -> None:
        """Let Kinesis refuse records with these data so many times, and take the others of a request."""
        self._refusals.update(dict.fromkeys(records, times))

    def bodies(self, operation: str) -> list[dict[str, Any]]:
        """Return what was sent, request by request."""
        return [body for name, body in self.sent if name == operation]

    @property
    def faults_left(self) -> int:
        """How many have not happened."""
        return self._left.total() + self._refusals.total() + sum(map(len, self._bodies.values()))

    def _hook(self, event: str, function: Callable[..., object]) -> None:
        self._hooks.register(event, function)
        self._open.callback(self._hooks.unregister, event, function)

    def _before_call(self, params: dict[str, Any], event_name: str, **_: Any) -> Answer | None:
        operation, text = event_name.rpartition(".")[2], params["body"].decode()
        with self._lock:
            self.sent.append((operation, json.loads(text)))
            fault = self._next_fault(operation, text)
        return fault() if fault else None

    def _reply(self, event_name: str, **_: Any) -> AWSResponse | None:
        with self._lock:
            bodies = self._bodies.get(event_name.rpartition(".")[2])
            return response(HTTPStatus.OK, bodies.pop(0)) if bodies else None

    def _next_fault(self, operation: str, text: str) -> Fault | None:
        for number, (name, fault, about) in enumerate(self._faults):
            if name == operation and about in text and self._left[number]:
                self._left[number] -= 1
                return fault
        return None

    def _before_send(self, call: Call) -> AWSResponse | None:
        entries = call.body["Records"]
        with self._lock:
            refused = [self._refusals[b64decode(each["Data"])] > 0 for each in entries]
            self._refusals -= Counter(
                b64decode(each["Data"]) for each, no in zip(entries, refused, strict=True) if no
            )
        if not any(refused):
            return None
        rest = [each for each, no in zip(entries, refused, strict=True) if not no]
        done = iter(call.send(call.body | {"Records": rest})["Records"] if rest else ())
        said = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded"}
        answer = {
            "FailedRecordCount": sum(refused),
            "Records": [said if no else next(done) for no in refused],
        }
        return response(HTTPStatus.OK, answer)


def error(code: str, status: int = 400, message: str = "injected") -> Fault:
    """Answer with an error; the request gets no further."""
    answer = AWSResponse("http://localhost", status, HTTPHeaders(), None)
    metadata = {"HTTPStatusCode": status}
    return lambda: (answer, {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata})


def raising(problem: Exception) -> Fault:
    """Let botocore raise something."""

    def fault() -> Answer:
        raise problem

    return fault


THROTTLED = error("ProvisionedThroughputExceededException", message="Rate exceeded for shard")
