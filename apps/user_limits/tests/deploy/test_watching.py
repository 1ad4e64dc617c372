"""Dashboard and alarms: of metrics that there are, with reasons, told to somebody."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from deployed import JOINED, MOVING, REDRIVING, ROOT, TEMPLATE, environment, expanded, of_type, properties
from described import described
from kinesis_handler import errors
from kinesis_handler.moving.switch import NOT_READABLE
from kinesis_handler.outcome import Status
from kinesis_handler.telemetry.metrics import (
    CONFLICTS,
    DIMENSION,
    END_TO_END_AGE,
    NAMESPACE,
    RECORDS,
    metric_of,
)
from user_limits import limit
from user_limits.scheduled_redrive import RELEASED, WAITING
from user_limits.settings import read_settings

REMARKS = [limit.DRIFT.name, limit.EXCEEDED.name, limit.REBUILT.name]
OURS = {RECORDS, END_TO_END_AGE, *map(metric_of, [*Status, CONFLICTS, *REMARKS])}

# What AWS emits, of which it tells in the documentation of each service; and by which dimensions.
AWS_METRICS = {
    ("AWS/ApiGateway", ("ApiId", "Stage")): {"4xx", "5xx", "Count", "IntegrationLatency", "Latency"},
    ("AWS/DynamoDB", ("TableName",)): {
        "ConsumedReadCapacityUnits",
        "ConsumedWriteCapacityUnits",
        "ReadThrottleEvents",
        "WriteThrottleEvents",
    },
    ("AWS/DynamoDB", ("Operation", "TableName")): {"SuccessfulRequestLatency", "SystemErrors"},
    ("AWS/Kinesis", ("StreamName",)): {
        "IncomingRecords",
        "ReadProvisionedThroughputExceeded",
        "WriteProvisionedThroughputExceeded",
    },
    ("AWS/Lambda", ("FunctionName",)): {
        "ConcurrentExecutions",
        "DestinationDeliveryFailures",
        "Duration",
        "Errors",
        "Invocations",
        "IteratorAge",
        "Throttles",
    },
    # Only with MetricsConfig: EventCount.
    ("AWS/Lambda", ("EventSourceMappingUUID",)): {
        "DroppedEventCount",
        "FilteredOutEventCount",
        "OnFailureDestinationDeliveredEventCount",
        "PolledEventCount",
    },
}
OF_A_MOVE = metric_of(NOT_READABLE)
OF_THE_REDRIVE = {metric_of(RELEASED), metric_of(WAITING)}
ALL_WATCHED = {**MOVING, **REDRIVING}
EXIST = {**AWS_METRICS, (NAMESPACE, (DIMENSION,)): {*OURS, OF_A_MOVE, *OF_THE_REDRIVE}}
VALUES = {
    "ApiId": "user-limits-httpapi",
    "EventSourceMappingUUID": "user-limits-consumerrecords",
    "Stage": "$default",
    "StreamName": "user-limits-stream",
    "TableName": "user-limits-table",
    DIMENSION: "user-limits",
}
"""What each dimension has to be; FunctionName is one of two."""


SEARCH = r'\{([^}]+)\} TableName="([^"]+)" MetricName="([^"]+)"'


class Metric(NamedTuple):
    namespace: str
    name: str
    dimensions: dict[str, str]


def in_the_dashboard(**parameters: str) -> Iterator[Metric]:
    body = json.loads(properties("Dashboard", **parameters)["DashboardBody"])
    for widget in body["widgets"]:
        for row in widget["properties"].get("metrics", []):
            match row:
                case [str(namespace), str(name), *rest]:
                    pairs = [each for each in rest if isinstance(each, str)]
                    yield Metric(namespace, name, dict(zip(pairs[::2], pairs[1::2], strict=True)))
                case [{"expression": str(search)}]:
                    found = re.search(SEARCH, search)
                    assert found
                    namespace, *dimensions = found[1].split(",")
                    yield Metric(namespace, found[3], dict.fromkeys(dimensions, "") | {"TableName": found[2]})
                case _:
                    raise AssertionError(row)


def in_alarms(**parameters: str) -> Iterator[Metric]:
    for alarm in of_type("AWS::CloudWatch::Alarm", **parameters).values():
        stats = [each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each]
        for metric in stats or [alarm]:
            dimensions = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
            yield Metric(metric["Namespace"], metric["MetricName"], dimensions)


@pytest.mark.parametrize(
    "metric", [*in_the_dashboard(**ALL_WATCHED), *in_alarms(**ALL_WATCHED)], ids=lambda metric: metric.name
)
def test_each_metric_exists_with_these_dimensions(metric: Metric) -> None:
    assert metric.name in EXIST[metric.namespace, tuple(sorted(metric.dimensions))]
    for dimension, value in metric.dimensions.items():
        if dimension == "FunctionName":
            assert value in {"user-limits-consumer", "user-limits-api", "user-limits-redrive"}
        elif metric.name in OF_THE_REDRIVE:
            assert value == read_settings(environment("Redrive", **REDRIVING)).service_name
        elif dimension != "Operation":
            assert value.removesuffix("-activity" if dimension == "TableName" else "") == VALUES[dimension]


def test_our_metrics_are_those_of_this_stack() -> None:
    environment = properties("Consumer")["Environment"]["Variables"]
    assert read_settings(environment).service_name == VALUES[DIMENSION]
    pattern = r'"service", "([^"]+)"|Name: service, Value: (!Ref [^}]+|!Sub "[^"]+")'
    named = {json_name or name for json_name, name in re.findall(pattern, TEMPLATE.read_text())}
    of_the_redrive = {"${AWS::StackName}-redrive", '!Sub "${AWS::StackName}-redrive"'}
    assert named - of_the_redrive == {"${AWS::StackName}", "!Ref AWS::StackName"}


@pytest.mark.parametrize(
    ("parameters", "ours"),
    [({}, OURS), (MOVING, {*OURS, OF_A_MOVE}), (REDRIVING, {*OURS, *OF_THE_REDRIVE})],
    ids=["at rest", "moving", "redriving"],
)
def test_each_of_our_metrics_is_to_be_seen(parameters: dict[str, str], ours: set[str]) -> None:
    seen = {metric.name for metric in in_the_dashboard(**parameters) if metric.namespace == NAMESPACE}
    assert seen == ours


def test_what_describe_says_must_be_watched_is_watched() -> None:
    needs = described("user_limits.wiring:application", VALUES["TableName"])
    watched = {(each.namespace, each.name) for each in in_alarms()}
    shown = {(each.namespace, each.name) for each in in_the_dashboard()}
    assert {(each["metric"]["namespace"], each["metric"]["name"]) for each in needs["alarms"]} <= watched
    graphs = [metric for graph in needs["dashboard"] for metric in graph["metrics"]]
    assert {(each["namespace"], each["name"]) for each in graphs} <= shown


def test_a_stream_and_a_table_that_exist_are_watched_like_ones_own() -> None:
    found = [*in_the_dashboard(**JOINED), *in_alarms(**JOINED)]
    assert {each.dimensions["StreamName"] for each in found if "StreamName" in each.dimensions} == {"facts"}
    assert {each.dimensions["TableName"] for each in found if "TableName" in each.dimensions} == {
        "Limits",
        "Limits-activity",
    }


@pytest.mark.parametrize(
    "parameters", [{}, MOVING, REDRIVING, ALL_WATCHED], ids=["at rest", "moving", "redriving", "both"]
)
def test_the_dashboard_shows_every_alarm(parameters: dict[str, str]) -> None:
    [shown] = [
        widget["properties"]["alarms"]
        for widget in json.loads(properties("Dashboard", **parameters)["DashboardBody"])["widgets"]
        if widget["type"] == "alarm"
    ]
    names = {each["AlarmName"] for each in of_type("AWS::CloudWatch::Alarm", **parameters).values()}
    assert {arn.rpartition(":")[2] for arn in shown} == names


def test_no_two_widgets_lie_on_one_another() -> None:
    taken = [
        (x, y)
        for widget in json.loads(properties("Dashboard")["DashboardBody"])["widgets"]
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24


ALARMS = of_type("AWS::CloudWatch::Alarm", **ALL_WATCHED)


def test_an_alarm_about_a_move_or_the_redrive_is_there_while_there_is_one() -> None:
    always = of_type("AWS::CloudWatch::Alarm").keys()
    assert of_type("AWS::CloudWatch::Alarm", **MOVING).keys() - always == {"PhaseNotReadable"}
    assert of_type("AWS::CloudWatch::Alarm", **REDRIVING).keys() - always == {"RedriveStuck"}


@pytest.mark.parametrize("name", ALARMS)
class TestAlarm:
    def test_it_has_a_reason(self, name: str) -> None:
        assert len(ALARMS[name]["AlarmDescription"].split()) > 10

    def test_it_informs_somebody_when_it_begins_and_when_it_ends(self, name: str) -> None:
        topic = ["arn:aws:sns:eu-north-1:123456789012:user-limits-alarms"]
        assert ALARMS[name]["AlarmActions"] == topic
        assert ALARMS[name]["OKActions"] == topic

    def test_silence_is_no_alarm(self, name: str) -> None:
        assert ALARMS[name]["TreatMissingData"] == "notBreaching"

    def test_its_expression_uses_each_of_its_metrics(self, name: str) -> None:
        metrics = ALARMS[name].get("Metrics", [])
        used = {
            word
            for each in metrics
            if "Expression" in each
            for word in re.findall(r"\b[a-z][A-Za-z]*\b", each["Expression"])
        }
        assert used == {each["Id"] for each in metrics if "MetricStat" in each}
        assert sum(each.get("ReturnData", True) for each in metrics) == bool(metrics)

    def test_what_to_do_is_written_down(self, name: str) -> None:
        page = (ROOT / "docs" / "how-to" / "operate.md").read_text()
        heading = ALARMS[name]["AlarmName"].removeprefix("user-limits-")
        assert f"\n## {heading}\n" in page


def test_the_costs_count_the_metrics_that_alarms_are_on() -> None:
    alarms = of_type("AWS::CloudWatch::Alarm").values()
    watched = sum("Expression" not in each for alarm in alarms for each in alarm.get("Metrics", [alarm]))
    page = (ROOT / "docs" / "how-to" / "deploy.md").read_text()
    assert set(re.findall(r"alarms on (\d+)", page)) == {str(watched)}


def test_the_page_has_no_alarm_that_there_is_not() -> None:
    page = (ROOT / "docs" / "how-to" / "operate.md").read_text()
    headings = set(re.findall(r"^## ([a-z-]+)$", page, re.MULTILINE))
    assert headings == {each["AlarmName"].removeprefix("user-limits-") for each in ALARMS.values()}


def test_the_page_names_errors_that_there_are() -> None:
    page = (ROOT / "docs" / "how-to" / "operate.md").read_text()
    assert all(hasattr(errors, name) for name in re.findall(r"`(\w+Error)`", page))


def test_what_cannot_be_undone_later_is_reported_at_once() -> None:
    for name in ("RecordsRejected", "RecordsParked", "RecordsGivenUp", "RecordsLost"):
        assert (ALARMS[name]["Threshold"], ALARMS[name]["DatapointsToAlarm"]) == (1, 1)


def test_cloudwatch_may_publish_to_the_topic_and_no_other_account() -> None:
    policy: list[dict[str, Any]] = properties("AlarmsPolicy")["PolicyDocument"]["Statement"]
    [allowed] = [each for each in policy if each["Effect"] == "Allow"]
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def test_an_address_is_reported_if_there_is_one() -> None:
    assert not of_type("AWS::SNS::Subscription")
    [subscription] = of_type("AWS::SNS::Subscription", AlarmEmail="on-call@example").values()
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "on-call@example")


def test_the_outputs_say_where_everything_is() -> None:
    outputs = {name: each["Value"] for name, each in expanded()["Outputs"].items()}
    assert outputs["StreamName"] == "user-limits-stream"
    assert outputs["ApiUrl"] == "https://user-limits-httpapi.execute-api.eu-north-1.amazonaws.com"
    assert outputs["Mapping"] == "user-limits-consumerrecords"
    assert all(each["Description"] for each in expanded()["Outputs"].values())
