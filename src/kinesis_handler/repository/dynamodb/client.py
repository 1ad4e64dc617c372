"""The client of DynamoDB: botocore's, with timeouts for a Lambda batch. One serves a whole process."""

import gzip
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import botocore.session
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.loaders import JSONFileLoader, Loader

from kinesis_handler.errors import ConfigurationError
from kinesis_handler.repository.dynamodb.requests import CONNECTIONS

if TYPE_CHECKING:
    from botocore.model import OperationModel
    from types_boto3_dynamodb import DynamoDBClient

DEFAULT_REGION = "us-east-1"
CONNECT_TIMEOUT = 1.0
READ_TIMEOUT = 3.0
"""Seconds. The table answers within 0.05 as a rule: a request that takes a hundred times as long is lost."""

_STATEMENTS = "BatchExecuteStatement"
_ENCODED = "encoded_statements"


class _Files(JSONFileLoader):
    """Reads botocore's models with msgspec: a third of the time."""

    def load_file(self, file_path: str) -> Any:
        """Return what is in a file, whose name is given without its ending; None if there is none."""
        for name, open_file in ((f"{file_path}.json", open), (f"{file_path}.json.gz", gzip.open)):
            with suppress(FileNotFoundError), open_file(name, "rb") as file:
                return msgspec.json.decode(file.read())
        return None


class _OneService(Loader):
    """Knows of DynamoDB alone. To find one service, botocore lists the folders of all of them, twice."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore's signature
        """Return the only service there is a client for."""
        return ["dynamodb"]


def dynamodb_client(region: str | None = None, endpoint: str | None = None) -> "DynamoDBClient":
    """Return a client. What is not given here comes from where the SDK always looks.

    These are the environment, profiles and roles; a region that is nowhere to be found is us-east-1. It does
    not try again by itself: after a lost answer that would hide whether a write had been done.

    Raises ConfigurationError if the settings that the SDK finds are no good.
    """
    session = botocore.session.get_session()
    session.register_component("data_loader", _OneService(file_loader=_Files()))
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"total_max_attempts": 1, "mode": "standard"},
        max_pool_connections=CONNECTIONS,
        tcp_keepalive=True,
        parameter_validation=False,  # a tenth of the time of a request; the parameters are ours
    )
    try:
        found = region or session.get_config_variable("region") or DEFAULT_REGION
        client = session.create_client("dynamodb", region_name=found, endpoint_url=endpoint, config=config)
    except (BotoCoreError, ValueError) as error:
        raise ConfigurationError(f"the AWS SDK cannot be set up: {error}") from error
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
