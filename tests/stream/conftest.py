"""A stream on kinesis-local, and a wire to it on which requests fail."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from stream.real_stream import Stream
from stream.wire import Wire

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient


@pytest.fixture
def make_stream(kinesis: "KinesisClient") -> Callable[[int], Stream]:
    """Return what makes a stream of so many shards."""
    return lambda shards: Stream(kinesis, shards)


@pytest.fixture
def stream(kinesis: "KinesisClient") -> Stream:
    """Return a stream of one shard."""
    return Stream(kinesis)


@pytest.fixture
def wire(kinesis: "KinesisClient") -> Iterator[Wire]:
    """Return a wire that fails as a test says; at the end every planned failure must have happened."""
    with Wire(kinesis) as made:
        yield made
    assert made.faults_left == 0
