"""The door from the Kinesis Client Library: a record processor for `kcl_rs` and `amazon_kclpy`.

`kinesis-handler worker` runs it. A program of your own passes a `Work` as the library's factory.
"""

from kinesis_handler.kcl.processor import RecordProcessor, Work
from kinesis_handler.local.stream.shard_delivery import Shared

__all__ = ["RecordProcessor", "Shared", "Work"]
