"""A stream on kinesis-local, and workers that share it."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from kinesis_handler.local.stream.client import kinesis_client
from stream.real_stream import Stream

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient


@pytest.fixture(scope="package")
def client(kinesis_endpoint: str) -> "Iterator[KinesisClient]":
    """Make a client: it takes long to make one."""
    with closing(kinesis_client(endpoint=kinesis_endpoint)) as made:
        yield made


@pytest.fixture
def make_stream(client: "KinesisClient") -> Callable[[int], Stream]:
    """Return what makes a stream of so many shards."""
    return lambda shards: Stream(client, shards, prefix="shared")
