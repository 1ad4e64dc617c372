"""What the client sends is what botocore's own would send, though it is encoded another way."""

import json
from typing import TYPE_CHECKING, Any, cast

import botocore.session
import pytest
from botocore.awsrequest import AWSPreparedRequest

from kinesis_handler.stores.dynamodb import dynamodb_client

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


def sent(client: "DynamoDBClient", statements: list[Any]) -> AWSPreparedRequest:
    """Return the request by which a client sends statements."""
    requests: list[AWSPreparedRequest] = []
    client.meta.events.register("before-send.dynamodb", lambda request, **_: requests.append(request))
    client.batch_execute_statement(Statements=statements)
    return requests[0]


def content(request: AWSPreparedRequest) -> dict[str, Any]:
    assert isinstance(request.body, bytes)
    return dict(json.loads(request.body))


@pytest.mark.parametrize("text", ["plain", "é € 😀", 'quoted " \\ \x00', "a lone surrogate \ud800"])
def test_statements_are_sent_as_botocore_sends_them(text: str, dynamodb_endpoint: str) -> None:
    parameters = [{"S": text}, {"N": "1.50"}, {"L": [{"M": {text: {"NULL": True}}}, {"BOOL": False}]}]
    statements = [
        {"Statement": f"INSERT INTO \"none\" VALUE {{'a': ?, '{text}': ?}}", "Parameters": parameters}
    ]
    own = sent(dynamodb_client("us-east-1", dynamodb_endpoint), statements)
    plain_client = botocore.session.get_session().create_client(
        "dynamodb", region_name="us-east-1", endpoint_url=dynamodb_endpoint
    )
    plain = sent(cast("DynamoDBClient", plain_client), statements)
    assert content(own) == content(plain)
    for header in ("X-Amz-Target", "Content-Type"):
        assert own.headers[header] == plain.headers[header]


def test_what_a_listener_adds_to_a_request_is_sent_too(dynamodb_endpoint: str) -> None:
    client = dynamodb_client("us-east-1", dynamodb_endpoint)

    def add(params: dict[str, Any], **_: object) -> None:
        params["ReturnConsumedCapacity"] = "TOTAL"

    client.meta.events.register("before-parameter-build.dynamodb", add)
    request = sent(client, [{"Statement": "SELECT * FROM \"none\" WHERE a='1'"}])
    assert content(request)["ReturnConsumedCapacity"] == "TOTAL"
