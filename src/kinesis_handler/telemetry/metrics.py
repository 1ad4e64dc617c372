"""Writes metrics: one line for each batch, in CloudWatch's embedded metric format.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Protocol

import msgspec

from kinesis_handler.environment import own_service
from kinesis_handler.outcome import BatchResult, Status

__all__ = ["EmbeddedMetrics", "Metrics", "count"]

NAMESPACE = "KinesisHandler"
DIMENSION = "service"
READER = "reader"
"""Second dimension of the outcomes of one processor, where there are several."""

CONFLICTS = "conflicts"
"""Conflicts with other writers: after each, a key is loaded, folded and saved again."""

RECORDS = "Records"
END_TO_END_AGE = "EndToEndAge"
"""Milliseconds from an event's `createdAt` until it was applied; a sample of a hundred for a large batch."""

MAX_VALUES = 100
"""Most values of a metric that the format allows in one line."""

_counted: ContextVar[dict[str, int] | None] = ContextVar("counted", default=None)


def metric_of(name: str) -> str:
    """Return a metric's name from its name in the log: `Applied` from `applied`, without underscores."""
    return name.replace("_", " ").title().replace(" ", "")


def count(name: str, number: int = 1) -> None:
    """Add to a counter of the current batch or request; without one, do nothing."""
    counted = _counted.get()
    if counted is not None and number:
        counted[name] = counted.get(name, 0) + number


class counting:  # noqa: N801 - a context manager, and without a generator half as dear for each batch
    """Collect the counters of `count` while the context lasts."""

    __slots__ = ("_token",)

    def __enter__(self) -> dict[str, int]:
        counted: dict[str, int] = {}
        self._token = _counted.set(counted)
        return counted

    def __exit__(self, *_: object) -> None:
        _counted.reset(self._token)


class Metrics(Protocol):
    """Receives the handler's figures."""

    def batch(self, result: BatchResult, counted: Mapping[str, int]) -> None:
        """Report a batch: the outcomes of its records, and the counters of `count`."""


class EmbeddedMetrics:
    """Writes metrics as lines of JSON among those of the log, which Lambda sends to CloudWatch.

    Args:
        service: the value of their dimension `service`; by default the Lambda function's name. Where a
            handler has several processors, the outcomes of each follow on a line of their own, with `reader`
            as a second dimension.
        write: takes a line; None for standard error.
        clock: seconds since epoch.
    """

    def __init__(
        self,
        service: str = "",
        write: Callable[[str], object] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._service = service or own_service(os.environ)
        self._write = write
        self._clock = clock

    def batch(self, result: BatchResult, counted: Mapping[str, int]) -> None:
        """See `Metrics.batch`."""
        now = self._now()
        ages = [max(0, now - event.created_at) for event in _spread(result.applied())]
        self._line(now, _counts(result, counted), ages)
        for reader, counts in result.readers.items():
            self._line(now, _metrics_of(counts), reader=reader)

    def counts(self, counted: Mapping[str, int]) -> None:
        """Report counters outside of a batch; without any, write no line."""
        if counted:
            self._line(self._now(), _metrics_of(counted))

    def _now(self) -> int:
        return int(self._clock() * 1_000)

    def _line(self, now: int, counts: Mapping[str, int], ages: Sequence[int] = (), reader: str = "") -> None:
        units = [{"Name": name, "Unit": "Count"} for name in counts]
        values: dict[str, Any] = {**counts}
        if ages:
            units.append({"Name": END_TO_END_AGE, "Unit": "Milliseconds"})
            values[END_TO_END_AGE] = ages
        dimensions = {DIMENSION: self._service} | ({READER: reader} if reader else {})
        directive = {"Namespace": NAMESPACE, "Dimensions": [[*dimensions]], "Metrics": units}
        line = {"_aws": {"Timestamp": now, "CloudWatchMetrics": [directive]}, **dimensions, **values}
        text = msgspec.json.encode(line).decode() + "\n"
        # Standard error as it is now: it may have been redirected since.
        (self._write or sys.stderr.write)(text)


def _counts(result: BatchResult, counted: Mapping[str, int]) -> dict[str, int]:
    """Return every figure of a batch; the standard ones win over others of the same name."""
    always = {
        RECORDS: len(result),
        **_metrics_of(result.counts()),
        **_metrics_of({CONFLICTS: counted.get(CONFLICTS, 0)}),
    }
    further = _metrics_of(result.remarks()) | _metrics_of(counted)
    return always | {name: number for name, number in further.items() if name not in always}


def _metrics_of(counts: Mapping[Status, int] | Mapping[str, int]) -> dict[str, int]:
    return {metric_of(name): number for name, number in counts.items()}


def _spread(events: Sequence[Any]) -> Sequence[Any]:
    """Return at most MAX_VALUES events, evenly from the first to the last."""
    return events[:: -(-len(events) // MAX_VALUES) or 1]
