"""Turns a Kinesis stream of facts into current state: nothing lost, nothing counted twice, order kept."""

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import (
    BusinessError,
    ConfigurationError,
    KinesisHandlerError,
    RejectedError,
    RepositoryError,
    RetryableError,
)
from kinesis_handler.handler import KinesisHandler
from kinesis_handler.ingest.event import Event
from kinesis_handler.outcome import DELETED, Deleted, Remark, Remarked
from kinesis_handler.processor import EventProcessor, event_processor
from kinesis_handler.projection import Projection
from kinesis_handler.quarantine import open_quarantine
from kinesis_handler.stores import open_store
from kinesis_handler.telemetry.logs import configure_logging

__all__ = [
    "DELETED",
    "Aggregate",
    "BusinessError",
    "ConfigurationError",
    "Deleted",
    "Event",
    "EventProcessor",
    "Key",
    "KinesisHandler",
    "KinesisHandlerError",
    "Projection",
    "RejectedError",
    "Remark",
    "Remarked",
    "RepositoryError",
    "RetryableError",
    "configure_logging",
    "event_processor",
    "open_quarantine",
    "open_store",
]
