"""A template held against what `describe` says that its function needs."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from typer.testing import CliRunner

from kinesis_handler.cli.commands import app

Resources = Mapping[str, Any]
Permissions = dict[str, set[str]]
"""Resource → actions."""


def described(application: str, table: str) -> dict[str, Any]:
    """Return what `describe --json` prints of an application with a table of this name."""
    done = CliRunner().invoke(
        app,
        ["describe", "--json", "--app", application, "--store", f"dynamodb://{table}?region=eu-north-1"],
    )
    assert done.exit_code == 0, done.output
    needs: dict[str, Any] = json.loads(done.output.splitlines()[-1])
    return needs


def needed(permissions: Iterable[Mapping[str, Any]], arns: Mapping[str, str]) -> Permissions:
    """Return what is needed, with the ARNs of a deployment in place of what only it knows."""
    found: Permissions = {}
    for each in permissions:
        resource = each["resource"]
        for name, value in arns.items():
            resource = resource.replace(f"${{{name}}}", value)
        found.setdefault(resource, set()).update(each["actions"])
    return found


def allowed(role: Mapping[str, Any]) -> Permissions:
    """Return what the policies of a role allow."""
    found: Permissions = {}
    for policy in role["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            resources, actions = statement["Resource"], statement["Action"]
            for resource in resources if isinstance(resources, list) else [resources]:
                found.setdefault(resource, set()).update(actions if isinstance(actions, list) else [actions])
    return found


def arns(resources: Resources, *, stack: str, log_group: str) -> dict[str, str]:
    """Return the ARNs that `expand` has given to the resources of a stack."""
    account, region = "123456789012", "eu-north-1"
    assert {"Stream", "FailedRecords"} <= resources.keys()
    return {
        "Partition": "aws",
        "Region": region,
        "Account": account,
        "StreamArn": f"arn:aws:kinesis:{region}:{account}:stream/{stack}-stream",
        "BucketArn": f"arn:aws:s3:::{stack}-failedrecords",
        "LogGroupArn": f"arn:aws:logs:{region}:{account}:log-group:{log_group}",
    }


def assert_table(properties: Mapping[str, Any], needs: Mapping[str, Any], name: str = "") -> None:
    """Check that a table is the one that is needed, by its name if there are several."""
    [table] = [each for each in needs["tables"] if name in {"", each["name"]}]
    assert [(each["AttributeName"], each["KeyType"]) for each in properties["KeySchema"]] == [
        (table["partitionKey"], "HASH"),
        (table["sortKey"], "RANGE"),
    ]
    assert {each["AttributeType"] for each in properties["AttributeDefinitions"]} == {"S"}
    assert properties["TimeToLiveSpecification"] == {"AttributeName": table["timeToLive"], "Enabled": True}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"


def assert_settings(
    function: Mapping[str, Any], mapping: Mapping[str, Any], needs: Mapping[str, Any], bucket: str
) -> None:
    """Check that the function and its event source mapping are set as is said."""
    for each in needs["function"]:
        assert function[each["name"]] == each["value"], each
    defaults = {"ParallelizationFactor": 1}
    for each in needs["mapping"]:
        value = json.loads(json.dumps(each["value"]).replace("${BucketArn}", bucket))
        assert {**defaults, **mapping}[each["name"]] == value, each
    assert "FilterCriteria" not in mapping
    assert "TumblingWindowInSeconds" not in mapping


def assert_watched(resources: Resources, needs: Mapping[str, Any], function: str, mapping: str) -> None:
    """Check that the alarms and the graphs of the dashboard are the ones that are needed.

    Args:
        resources: of the template, resolved.
        needs: what `describe --json` prints.
        function: the name that Ref gives for the function.
        mapping: the name that Ref gives for its event source mapping.
    """
    known = {"${FunctionName}": function, "${MappingId}": mapping}
    alarms = {
        name: each["Properties"]
        for name, each in resources.items()
        if each["Type"] == "AWS::CloudWatch::Alarm"
    }
    assert alarms.keys() == {each["name"] for each in needs["alarms"]}
    for each in needs["alarms"]:
        metric, alarm = each["metric"], alarms[each["name"]]
        assert alarm["Namespace"] == metric["namespace"]
        assert alarm["MetricName"] == metric["name"]
        assert alarm["Statistic"] == metric["statistic"]
        assert alarm["Dimensions"] == [{"Name": metric["dimension"], "Value": known[metric["value"]]}]
        assert alarm["Threshold"] == each["threshold"]
        assert alarm["EvaluationPeriods"] == each["evaluationPeriods"]
        assert alarm["DatapointsToAlarm"] == each["datapointsToAlarm"]
        assert alarm["AlarmDescription"] == each["reason"]
        assert alarm["Period"] == 60
        assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
        assert alarm["TreatMissingData"] == "notBreaching"
    [dashboard] = [each for each in resources.values() if each["Type"] == "AWS::CloudWatch::Dashboard"]
    assert list(_graphs(dashboard["Properties"]["DashboardBody"])) == [
        (each["title"], [{**metric, "value": known[metric["value"]]} for metric in each["metrics"]])
        for each in needs["dashboard"]
    ]


def _graphs(body: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Yield the title and the metrics of each widget; a point repeats what stands above it.

    Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
    """
    for widget in json.loads(body)["widgets"]:
        assert widget["type"] == "metric"
        properties = widget["properties"]
        assert (properties["period"], properties["region"]) == (60, "eu-north-1")
        metrics: list[dict[str, str]] = []
        above: list[str] = []
        for row in properties["metrics"]:
            options = row[-1] if isinstance(row[-1], dict) else {}
            texts = [each for each in row if isinstance(each, str)]
            above = [above[index] if each == "." else each for index, each in enumerate(texts)]
            statistic = options.get("stat", properties["stat"])
            names = ("namespace", "name", "dimension", "value", "statistic")
            metrics.append(dict(zip(names, [*above, statistic], strict=True)))
        yield properties["title"], metrics
