"""The client of DynamoDB: botocore's, with timeouts for a Lambda batch. One serves a whole process."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import msgspec
from botocore.config import Config

from kinesis_handler.aws import aws_client
from kinesis_handler.stores.dynamodb.requests import CONNECTIONS

if TYPE_CHECKING:
    from botocore.model import OperationModel
    from types_boto3_dynamodb import DynamoDBClient

CONNECT_TIMEOUT = 1.0
READ_TIMEOUT = 3.0
"""Seconds. The table answers within 0.05 as a rule: a request that takes a hundred times as long is lost."""

_STATEMENTS = "BatchExecuteStatement"
_ENCODED = "encoded_statements"


def dynamodb_client(
    region: str | None = None, endpoint: str | None = None, *, default_region: str | None = None
) -> "DynamoDBClient":
    """Return a client. What is not given here comes from where the SDK always looks: see `aws_client`.

    It does not try again by itself: after a lost answer that would hide whether a write had been done.

    Raises ConfigurationError if there is no region, or the settings that the SDK finds are no good.
    """
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"total_max_attempts": 1, "mode": "standard"},
        max_pool_connections=CONNECTIONS,
        tcp_keepalive=True,
        parameter_validation=False,  # a tenth of the time of a request; the parameters are ours
    )
    client = aws_client("dynamodb", config, region=region, endpoint=endpoint, default_region=default_region)
    # By the bare names of the events: what listens to more than that comes first, and may add parameters.
    client.meta.events.register_last("before-parameter-build", _encode_statements)
    client.meta.events.register_last("before-call", _send_encoded)
    return cast("DynamoDBClient", client)


def _encode_statements(
    params: dict[str, Any], model: "OperationModel", context: dict[str, Any], **_: object
) -> None:
    """Encode statements here, and leave botocore none to walk through: they are JSON as they are."""
    if model.name != _STATEMENTS:
        return
    with suppress(UnicodeError):  # a lone surrogate, which botocore escapes
        context[_ENCODED] = msgspec.json.encode(params)
        params.clear()


def _send_encoded(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    """Put what was encoded into the request. It is signed behind this."""
    if _ENCODED in context:
        params["body"] = context[_ENCODED]
