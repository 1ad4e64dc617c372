"""Makes clients of Kinesis, and maps their errors."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError
from botocore.exceptions import ConnectionError as UnreachableError
from botocore.parsers import ResponseParserError

from kinesis_handler.aws import aws_client, explain
from kinesis_handler.errors import StreamError, StreamUnavailableError

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient

_SERVER_ERROR = 500
_RETRYABLE = {
    "ExpiredIteratorException",
    "ExpiredNextTokenException",
    "KMSThrottlingException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
}
_CUT_OFF = (UnreachableError, HTTPClientError, IncompleteReadError, ResponseParserError)
"""Errors of a connection that fails, and of an answer that ends too early."""

_UNREADABLE = (ArithmeticError, AttributeError, KeyError, RuntimeError, TypeError, ValueError)
"""Errors of botocore when the members of an answer are not of the types in its model.

RuntimeError is for a time that no calendar has.
"""

_ADVICE = {
    "ResourceInUseException": "it is there already, or is just being made or removed",
    "ResourceNotFoundException": "it does not exist: are its name and the region right?",
}


def kinesis_client(
    region: str | None = None, endpoint: str | None = None, *, default_region: str | None = None
) -> "KinesisClient":
    """Return a client. Parameters that are not given come from the SDK's usual sources: see `aws_client`.

    Raises ConfigurationError if there is no region, or the SDK's settings are invalid.
    """
    config = Config(
        connect_timeout=5,
        read_timeout=20,
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=100,  # each shard's thread has its own
    )
    client = aws_client("kinesis", config, region=region, endpoint=endpoint, default_region=default_region)
    return cast("KinesisClient", client)


@contextmanager
def stream_errors(stream: str) -> Iterator[None]:
    """Raise StreamUnavailableError for a retryable error of the SDK, StreamError for any other."""
    try:
        yield
    except ClientError as error:
        answer = error.response
        code = answer.get("Error", {}).get("Code", "")
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        retryable = code in _RETRYABLE or status >= _SERVER_ERROR
        text = _ADVICE.get(code) or answer.get("Error", {}).get("Message") or code
        raise _error(stream, text, retryable=retryable) from error
    except (BotoCoreError, ResponseParserError) as error:
        raise _error(stream, explain(error, "kinesis"), retryable=isinstance(error, _CUT_OFF)) from error


def ask(stream: str, call: Callable[..., Any], *members: str, **parameters: Any) -> dict[str, Any]:
    """Send a request to Kinesis; return its answer, which has these members.

    botocore takes an answer that is empty, cut, or a page of HTML for one without members. Such an answer
    says nothing about the stream, and a new request is harmless: it counts as no answer.

    Args:
        stream: the name in the error.
        call: the client's method.
        members: names of members that the answer must have.
        parameters: the request's parameters.

    Raises StreamUnavailableError for an incomplete answer or a retryable error, StreamError for any other.
    """
    with stream_errors(stream):
        try:
            answer = call(**parameters)
        except BotoCoreError:  # some of them are ValueErrors too
            raise
        except _UNREADABLE as error:
            raise ResponseParserError(f"the answer to {call.__name__} cannot be read: {error}") from error
    require(stream, f"the answer to {call.__name__}", answer, *members)
    return dict(answer)


def require(stream: str, what: str, part: Mapping[str, Any], *members: str) -> None:
    """Raise StreamUnavailableError that names the first member which a part of an answer lacks."""
    for member in members:
        if part.get(member) is None:
            raise _error(stream, f"{what} has no {member}", retryable=True)


def _error(stream: str, text: str, *, retryable: bool) -> StreamError:
    message = f"the stream {stream!r}: {text}"
    return StreamUnavailableError(message) if retryable else StreamError(message)
