"""A stream on kinesis-local, and workers that share it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from stream.real_stream import Stream

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient


@pytest.fixture
def make_stream(kinesis: "KinesisClient") -> Callable[[int], Stream]:
    """Return what makes a stream of so many shards."""
    return lambda shards: Stream(kinesis, shards, prefix="shared")
