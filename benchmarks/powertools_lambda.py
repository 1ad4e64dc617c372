"""The peer as a whole Lambda function, written as its documentation recommends: for its cold start.

Powertools' logger, metrics, batch processor and parser, and a table in which boto3 reads and writes the limit
of each event: see powertools_peer.py.
"""

import os
from typing import TYPE_CHECKING, Any

import boto3  # type: ignore[import-untyped] # it has none
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from benchmarks.powertools_peer import GetAndPut

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

logger = Logger(service="user-limits")
metrics = Metrics(namespace="UserLimits", service="user-limits")
projection = GetAndPut(boto3.client("dynamodb"), os.environ["USER_LIMIT_TABLE_NAME"])


@metrics.log_metrics
def handler(invocation: dict[str, Any], context: Any) -> "PartialItemFailureResponse":
    """Handle a batch, log it and count it."""
    response = projection(invocation, context)
    metrics.add_metric("Records", MetricUnit.Count, len(invocation["Records"]))
    logger.info("batch handled", records=len(invocation["Records"]))
    return response
