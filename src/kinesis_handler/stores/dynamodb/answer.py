"""What DynamoDB's errors mean for a write: whether it was done, and whether it is worth another attempt.

Sources: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html and
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementError.html
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ChecksumError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    ProxyConnectionError,
    SSLError,
)
from botocore.parsers import ResponseParserError
from msgspec import Struct

from kinesis_handler.errors import RepositoryError, UnstorableError

SERVER_ERROR = 500


class Meaning(Enum):
    """What an error says about the request, or about one statement of it."""

    CONFLICT = auto()
    """Not done: the item is not as the condition says."""
    NOT_NOW = auto()
    """Not done: throttled, or it never got there. Worth another attempt."""
    UNSURE = auto()
    """Perhaps done: the answer was lost, or is an error of the service. Worth a look."""
    NEVER = auto()
    """Not done, and never will be: what was sent is not valid."""
    REFUSED = auto()
    """Not done: access, credentials, no such table. It takes a person to mend."""


class Problem(Struct, frozen=True):
    """An error, what it means, and its text."""

    meaning: Meaning
    code: str
    detail: str

    @property
    def may_pass(self) -> bool:
        """Whether it is worth another attempt."""
        return self.meaning in {Meaning.NOT_NOW, Meaning.UNSURE}

    def __str__(self) -> str:
        return f"DynamoDB: {self.code}: {self.detail}" if self.detail else f"DynamoDB: {self.code}"

    def of_reading(self) -> RepositoryError:
        """Return the error for what could not be read."""
        return RepositoryError(str(self))

    def of_writing(self) -> RepositoryError | UnstorableError:
        """Return the error for what could not be written, now or ever."""
        return UnstorableError(str(self)) if self.meaning is Meaning.NEVER else RepositoryError(str(self))


TOO_LATE = Problem(Meaning.NOT_NOW, "TooLate", "the deadline of the invocation came near")
"""Nobody's answer: it was not sent."""

DUPLICATE_ITEM = "DuplicateItem"

# Without the `Exception` and `Error` at their end, of which requests and statements differ.
_BY_CODE = {
    DUPLICATE_ITEM: Meaning.CONFLICT,
    "ConditionalCheckFailed": Meaning.CONFLICT,
    "ProvisionedThroughputExceeded": Meaning.NOT_NOW,
    "Throttling": Meaning.NOT_NOW,
    "RequestLimitExceeded": Meaning.NOT_NOW,
    "LimitExceeded": Meaning.NOT_NOW,
    "TransactionConflict": Meaning.NOT_NOW,
    "InternalServer": Meaning.UNSURE,
    "ServiceUnavailable": Meaning.UNSURE,
    "Validation": Meaning.NEVER,
    "ItemCollectionSizeLimitExceeded": Meaning.NEVER,
}
_MEMBERS = {
    "batch_execute_statement": "Responses",
    "batch_get_item": "Responses",
    "batch_write_item": "UnprocessedItems",
    "query": "Items",
    "scan": "Items",
}
"""What each answer has, if nothing else."""
_NEVER_SENT = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError)
_ANSWER_LOST = (HTTPClientError, SSLError, IncompleteReadError, ChecksumError, ResponseParserError)


def problem_of_answer(operation: str, answer: Mapping[str, Any]) -> Problem | None:
    """Return the problem of an answer that has lost its end: the SDK takes it for an empty one."""
    if _MEMBERS[operation] in answer:
        return None
    return Problem(Meaning.UNSURE, "IncompleteAnswer", f"it has no {_MEMBERS[operation]}")


def problem_of_statement(error: Mapping[str, Any]) -> Problem:
    """Return what the error of one statement of a batch means."""
    return _problem(error.get("Code", ""), error.get("Message", ""))


def problem_of_request(error: ClientError | BotoCoreError | ResponseParserError) -> Problem:
    """Return what an error means that the SDK has raised."""
    if isinstance(error, ClientError):
        answer = error.response
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        details = answer.get("Error", {})
        problem = _problem(details.get("Code", ""), details.get("Message", "") + _throttling_reasons(answer))
        if status >= SERVER_ERROR and problem.meaning is Meaning.REFUSED:
            return Problem(Meaning.UNSURE, problem.code, problem.detail)
        return problem
    if isinstance(error, _NEVER_SENT):
        meaning = Meaning.NOT_NOW
    elif isinstance(error, _ANSWER_LOST):
        meaning = Meaning.UNSURE
    else:
        meaning = Meaning.REFUSED
    return Problem(meaning, type(error).__name__, str(error))


def _throttling_reasons(answer: Mapping[str, Any]) -> str:
    """Say what throttled a request and which table or index, where DynamoDB does.

    Two of its errors write the member one way, and one the other. The error of a statement has none.
    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ThrottlingReason.html
    """
    reasons = answer.get("ThrottlingReasons") or answer.get("throttlingReasons") or []
    texts = [" of ".join(filter(None, (each.get("reason"), each.get("resource")))) for each in reasons]
    return f" ({', '.join(texts)})" if texts else ""


def _problem(code: str, detail: str) -> Problem:
    kind = code.removesuffix("Exception").removesuffix("Error")
    return Problem(_BY_CODE.get(kind, Meaning.REFUSED), code, detail)
