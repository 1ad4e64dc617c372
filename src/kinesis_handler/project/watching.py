"""The alarms and the dashboard of a function that reads a stream, for any application. Pure.

The template of a new project, the construct for the CDK and the page for Terraform have these, by tests.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from kinesis_handler.outcome import Status
from kinesis_handler.telemetry.metrics import DIMENSION, END_TO_END_AGE, NAMESPACE, metric_of


class Metric(Struct, frozen=True):
    """A metric of CloudWatch.

    Args:
        namespace: AWS's own, or that of this library.
        name: its name.
        dimension: name of its one dimension.
        value: of the dimension. `${…}` stands for what only a deployment knows.
        statistic: how the values of a period are put together.
    """

    namespace: str
    name: str
    dimension: str
    value: str
    statistic: str = "Sum"


class Alarm(Struct, frozen=True, rename="camel"):
    """An alarm of CloudWatch, by its properties there. A period is a minute; no data is no alarm.

    Args:
        name: its name in a template.
        metric: what it watches.
        threshold: the lowest value that is too high.
        evaluation_periods: how many periods it looks at.
        datapoints_to_alarm: in how many of them the value must be too high.
        reason: what has happened.
    """

    name: str
    metric: Metric
    threshold: int
    evaluation_periods: int
    datapoints_to_alarm: int
    reason: str


class Graph(Struct, frozen=True):
    """A graph of the dashboard: a title, and metrics over time."""

    title: str
    metrics: Sequence[Metric]


def _function(name: str, statistic: str = "Sum") -> Metric:
    return Metric("AWS/Lambda", name, "FunctionName", "${FunctionName}", statistic)


def _mapping(name: str) -> Metric:
    return Metric("AWS/Lambda", name, "EventSourceMappingUUID", "${MappingId}")


def _handler(name: str, statistic: str = "Sum") -> Metric:
    """Return a metric that the function writes: its service is the name of the function."""
    return Metric(NAMESPACE, name, DIMENSION, "${FunctionName}", statistic)


def _lasting(name: str, metric: Metric, reason: str, threshold: int = 1) -> Alarm:
    """Return an alarm about what may pass by itself: in three minutes of five."""
    return Alarm(name, metric, threshold, 5, 3, reason)


def _at_once(name: str, metric: Metric, reason: str) -> Alarm:
    return Alarm(name, metric, 1, 1, 1, reason)


_GIVEN_UP = _mapping("OnFailureDestinationDeliveredEventCount")
_LOST = _mapping("DroppedEventCount")
_ERRORS = _function("Errors")
_BEHIND = _function("IteratorAge", "Maximum")

ALARMS = (
    _lasting("Errors", _ERRORS, "whole invocations fail: a wrong setting, a missing permission, a time-out"),
    _lasting("Behind", _BEHIND, "the state is five minutes out of date", threshold=300_000),
    _lasting(
        "Failing", _handler(metric_of(Status.FAILED)), "records fail again and again, and later ones wait"
    ),
    _at_once(
        "Rejected",
        _handler(metric_of(Status.REJECTED)),
        "records that can never be applied are in the quarantine",
    ),
    _at_once(
        "Parked", _handler(metric_of(Status.PARKED)), "events of a key wait for `kinesis-handler redrive`"
    ),
    _at_once("GivenUp", _GIVEN_UP, "records are in the bucket after all retries"),
    _at_once("Lost", _LOST, "records were given up, and the bucket did not take them"),
)
"""docs/how-to/operate.md says what to do about each."""

GRAPHS = (
    Graph("Records by outcome", tuple(_handler(metric_of(each)) for each in Status)),
    Graph("How old, in ms", (_handler(END_TO_END_AGE, "p99"), _BEHIND)),
    Graph("Given up", (_GIVEN_UP, _LOST)),
    Graph("Invocations", (_function("Invocations"), _ERRORS, _function("Throttles"))),
)


def dashboard(graphs: Sequence[Graph], known: Mapping[str, str]) -> str:
    """Return the body of a dashboard in CloudWatch's JSON, two graphs beside each other.

    Args:
        graphs: what it shows.
        known: what stands for `${…}` in the values of dimensions, and `Region`.
    """
    widgets = [
        {
            "type": "metric",
            "width": 12,
            "properties": {
                "title": each.title,
                "region": known["Region"],
                "period": 60,
                "stat": "Sum",
                "metrics": [_row(metric, known) for metric in each.metrics],
            },
        }
        for each in graphs
    ]
    return json.dumps({"widgets": widgets})


def _row(metric: Metric, known: Mapping[str, str]) -> list[Any]:
    value = known[metric.value.removeprefix("${").removesuffix("}")]
    options = [] if metric.statistic == "Sum" else [{"stat": metric.statistic}]
    return [metric.namespace, metric.name, metric.dimension, value, *options]
