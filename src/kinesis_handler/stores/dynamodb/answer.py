"""What DynamoDB's errors mean for a write: whether it was done, and whether it is worth another attempt.

Sources: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html and
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementError.html
"""

from enum import Enum, auto

import msgspec
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
from msgspec import Struct, field

from kinesis_handler.errors import RepositoryError, UnstorableError

SERVER_ERROR = 500

MAX_DETAIL = 500
"""Bytes that are quoted of an answer that is not DynamoDB's."""


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
    error: BotoCoreError | None = None
    """The SDK's, if it could not even send the request, or get an answer."""

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
_NEVER_SENT = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError)
_ANSWER_LOST = (HTTPClientError, SSLError, IncompleteReadError, ChecksumError)


class StatementError(Struct):
    """The error of one statement of a batch."""

    code: str = field(name="Code", default="")
    message: str = field(name="Message", default="")


class _Error(Struct):
    """The body of an answer that is an error. DynamoDB writes two of the names in two ways."""

    type: str = field(name="__type", default="")
    message: str = ""
    message_too: str = field(name="Message", default="")
    reasons: list[dict[str, str]] = field(name="throttlingReasons", default_factory=list)
    reasons_too: list[dict[str, str]] = field(name="ThrottlingReasons", default_factory=list)


_decode_error = msgspec.json.Decoder(_Error).decode


def problem_of_statement(error: StatementError) -> Problem:
    """Return what the error of one statement of a batch means."""
    return _problem(error.code, error.message)


def problem_of_status(status: int, content: bytes) -> Problem:
    """Return what an answer means that is an error of the whole request."""
    try:
        error = _decode_error(content)
    except (msgspec.MsgspecError, UnicodeDecodeError):  # not DynamoDB's: a proxy's, say
        error = _Error(message=content[:MAX_DETAIL].decode(errors="replace"))
    code = error.type.rpartition("#")[2] or str(status)
    reasons = _reasons(error.reasons or error.reasons_too)
    return _problem(code, (error.message or error.message_too) + reasons, status)


def problem_of_exception(error: ClientError | BotoCoreError) -> Problem:
    """Return what an error means that the SDK has raised."""
    if isinstance(error, ClientError):  # of the requests that go by its client, for a table
        details = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return _problem(details.get("Code", ""), details.get("Message", ""), status)
    if isinstance(error, _NEVER_SENT):
        meaning = Meaning.NOT_NOW
    elif isinstance(error, _ANSWER_LOST):
        meaning = Meaning.UNSURE
    else:
        meaning = Meaning.REFUSED
    return Problem(meaning, type(error).__name__, str(error), error)


def _reasons(reasons: list[dict[str, str]]) -> str:
    """Say what throttled a request and which table or index, where DynamoDB does. It does of no statement.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ThrottlingReason.html
    """
    texts = [" of ".join(filter(None, (each.get("reason"), each.get("resource")))) for each in reasons]
    return f" ({', '.join(texts)})" if texts else ""


def _problem(code: str, detail: str, status: int = 0) -> Problem:
    kind = code.removesuffix("Exception").removesuffix("Error")
    refused = Meaning.UNSURE if status >= SERVER_ERROR else Meaning.REFUSED
    return Problem(_BY_CODE.get(kind, refused), code, detail)
