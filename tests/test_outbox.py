"""The stream of a table in DynamoDB Local has what `docs/how-to/outbox.md` says of it."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session
from moto.events.models import EventPattern
from msgspec import Struct

from kinesis_handler import DELETED, Deleted, Event, Key, KinesisHandler, Projection
from kinesis_handler.testing import invocation
from testkit.tables import PARTITION_KEY, SORT_KEY, Tables

PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "outbox.md"


class Bet(Struct):
    amount: int


class Limit(Struct, frozen=True):
    progress: int = 0
    exceeded_by: str | None = None


class Limits(Projection[Limit, Bet]):
    event_types = {"BET": Bet, "CLOSED": Bet}

    def key(self, event: Event[Bet]) -> Key:  # noqa: ARG002 - there is but one
        return "ada", "1"

    def apply(self, state: Limit | None, event: Event[Bet]) -> Limit | Deleted:
        if event.type == "CLOSED":
            return DELETED
        before = state or Limit()
        progress = before.progress + event.payload.amount
        exceeds = before.progress <= 100 < progress
        return Limit(progress, event.id if exceeds else before.exceeded_by)


def bet(number: int, event_type: str = "BET") -> dict[str, Any]:
    payload = {"amount": 60}
    return {"eventId": f"bet-{number}", "type": event_type, "createdAt": number, "sequenceNumber": number} | {
        "payload": payload
    }


@pytest.fixture
def streams(tables: Tables) -> Iterator[Any]:
    client = get_session().create_client("dynamodbstreams", endpoint_url=tables.endpoint)
    with closing(client) as made:
        yield made


def records_of(streams: Any, arn: str) -> list[Any]:
    """Read all that is on the stream of a table, which has one shard."""
    [shard] = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterator = streams.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    return list(streams.get_records(ShardIterator=iterator)["Records"])


def test_each_change_is_on_the_stream_once_with_both_images_and_its_version(
    tables: Tables, streams: Any
) -> None:
    limits = tables.repository(Limit)
    described = tables.client.update_table(
        TableName=limits._table,
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    handler = KinesisHandler([Limits(limits)])
    batches = [invocation([bet(1)]), invocation([bet(2), bet(3)]), invocation([bet(4, "CLOSED")])]
    for batch in [*batches, *batches]:
        handler(batch)
    records = records_of(streams, described["TableDescription"]["LatestStreamArn"])
    assert [each["eventName"] for each in records] == ["INSERT", "MODIFY", "MODIFY"]
    changes = [each["dynamodb"] for each in records]
    assert {json.dumps(each["Keys"], sort_keys=True) for each in changes} == {
        json.dumps({PARTITION_KEY: {"S": "ada"}, SORT_KEY: {"S": "1"}}, sort_keys=True)
    }
    assert [each["NewImage"]["version"]["N"] for each in changes] == ["1", "3", "4"]
    first, second, third = changes
    assert "OldImage" not in first
    assert (first["NewImage"]["progress"], first["NewImage"]["exceeded_by"]) == ({"N": "60"}, {"NULL": True})
    assert (second["OldImage"], second["NewImage"]["exceeded_by"]) == (first["NewImage"], {"S": "bet-2"})
    assert third["NewImage"]["vacant"] == {"BOOL": True}
    assert "progress" not in third["NewImage"]
    [pattern] = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    sent: list[Any] = [{"dynamodb": {name: each[name] for name in ("Keys", "NewImage")}} for each in changes]
    matches = [EventPattern.load(pattern).matches_event(each) for each in sent]
    assert matches == [False, True, False]
