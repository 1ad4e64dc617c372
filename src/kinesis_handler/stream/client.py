"""The client of Kinesis: botocore's, and what its errors mean."""

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
_PASSING = {
    "ExpiredIteratorException",
    "ExpiredNextTokenException",
    "KMSThrottlingException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
}
_CUT_OFF = (UnreachableError, HTTPClientError, IncompleteReadError, ResponseParserError)
"""What comes of a line that does not hold, and of an answer that ends too early."""

_UNREADABLE = (ArithmeticError, AttributeError, KeyError, RuntimeError, TypeError, ValueError)
"""What botocore raises when it parses an answer whose members are of other types than its model says.

RuntimeError is for a time that no calendar has.
"""

_ADVICE = {
    "ResourceInUseException": "it is there already, or is just being made or removed",
    "ResourceNotFoundException": "it does not exist: are its name and the region right?",
}


def kinesis_client(
    region: str | None = None, endpoint: str | None = None, *, default_region: str | None = None
) -> "KinesisClient":
    """Return a client. What is not given here comes from where the SDK always looks: see `aws_client`.

    Raises ConfigurationError if there is no region, or the settings that the SDK finds are no good.
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
def told(stream: str) -> Iterator[None]:
    """Raise StreamUnavailableError for an error that may pass, StreamError for any other."""
    try:
        yield
    except ClientError as error:
        answer = error.response
        code = answer.get("Error", {}).get("Code", "")
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        may_pass = code in _PASSING or status >= _SERVER_ERROR
        text = _ADVICE.get(code) or answer.get("Error", {}).get("Message") or code
        raise _error(stream, text, may_pass=may_pass) from error
    except (BotoCoreError, ResponseParserError) as error:
        raise _error(stream, explain(error, "kinesis"), may_pass=isinstance(error, _CUT_OFF)) from error


def ask(stream: str, call: Callable[..., Any], *members: str, **parameters: Any) -> dict[str, Any]:
    """Send a request to Kinesis; return its answer, which has these members.

    botocore takes an answer that is empty, cut, or a page of HTML for one without members. It says nothing
    about the stream, and asking again is harmless: an unfit answer is none.

    Args:
        stream: the name in the error.
        call: the client's method.
        members: names without which the answer is of no use.
        parameters: of the request.

    Raises StreamUnavailableError for an unfit answer or an error that may pass, StreamError for any other.
    """
    with told(stream):
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
            raise _error(stream, f"{what} has no {member}", may_pass=True)


def _error(stream: str, text: str, *, may_pass: bool) -> StreamError:
    message = f"the stream {stream!r}: {text}"
    return StreamUnavailableError(message) if may_pass else StreamError(message)
