"""The template of a new project: it is accepted, closed, and gives the function what it needs."""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.expansion import expand
from described import allowed, arns, assert_settings, assert_table, assert_watched, described, needed
from kinesis_handler.project.new import PACKAGE, SKELETON, Choices, make_project

TEMPLATE = SKELETON / "template.yaml"
STREAM = "arn:aws:kinesis:eu-north-1:123456789012:stream/facts"
TOPIC = "arn:aws:sns:eu-north-1:123456789012:on-call"


@cache
def resources(**parameters: str) -> dict[str, Any]:
    found: dict[str, Any] = expand(TEMPLATE, parameters)["Resources"]
    return found


def properties(name: str, **parameters: str) -> dict[str, Any]:
    found: dict[str, Any] = resources(**parameters)[name]["Properties"]
    return found


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SKELETON)
    monkeypatch.syspath_prepend(str(SKELETON))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


def needs() -> dict[str, Any]:
    return described(f"{PACKAGE}.application:application", "user-limits-table")


@pytest.mark.other_programs
def test_cfn_lint_has_nothing_to_say(tmp_path: Path) -> None:
    make_project("parcels", tmp_path, Choices(api=True))
    lint = [str(Path(sys.executable).with_name("cfn-lint")), str(tmp_path / "template.yaml")]
    done = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


def test_what_is_merged_does_not_overlap() -> None:
    def keys(node: yaml.MappingNode) -> set[str]:
        return {name.value for name, _ in node.value}

    def merges(node: yaml.Node) -> Iterator[list[yaml.MappingNode]]:
        for child in node.value if isinstance(node.value, list) else ():
            for each in child if isinstance(child, tuple) else (child,):
                yield from merges(each)
        for name, value in node.value if isinstance(node, yaml.MappingNode) else ():
            if name.value == "<<":
                yield value.value if isinstance(value, yaml.SequenceNode) else [value]

    # Programs that read YAML disagree about which of two merged values counts: `sam deploy` takes the last.
    found = list(merges(yaml.compose(TEMPLATE.read_text())))
    assert len(found) > 7
    for merged in found:
        names = [name for each in merged for name in keys(each)]
        assert len(names) == len(set(names)), names


def test_what_holds_data_outlives_the_stack() -> None:
    for name in ("Stream", "Table", "FailedRecords"):
        assert resources()[name]["DeletionPolicy"] == "RetainExceptOnCreate"
        assert resources()[name]["UpdateReplacePolicy"] == "Retain"


def test_its_table_is_the_one_that_the_application_opens() -> None:
    assert_table(properties("Table"), needs())


def test_the_function_may_do_what_it_needs_and_nothing_else() -> None:
    known = arns(resources(), stack="user-limits", log_group="user-limits-logs")
    assert allowed(properties("Role")) == needed(needs()["permissions"], known)
    assert "ManagedPolicyArns" not in properties("Role")


def test_the_api_reads_and_does_nothing_else() -> None:
    known = arns(resources(), stack="user-limits", log_group="user-limits-logs")
    assert allowed(properties("ApiRole")) == needed(needs()["apiPermissions"], known)


def test_nobody_reads_the_api_without_a_signature() -> None:
    urls = [each["Properties"] for each in resources().values() if each["Type"] == "AWS::Lambda::Url"]
    assert [each["AuthType"] for each in urls] == ["AWS_IAM"]
    assert not [each for each in resources().values() if each["Type"] == "AWS::Lambda::Permission"]


def test_the_function_and_its_mapping_are_set_as_is_said() -> None:
    bucket = "arn:aws:s3:::user-limits-failedrecords"
    assert_settings(properties("Consumer"), properties("ConsumerRecords"), needs(), bucket)


@pytest.mark.parametrize("function", ["Consumer", "Api"])
def test_every_variable_that_is_set_is_one_that_the_application_reads(function: str) -> None:
    read = {each["name"] for each in needs()["environment"]}
    assert properties(function)["Environment"]["Variables"].keys() <= read


def test_a_stream_that_exists_is_read_and_none_is_made() -> None:
    assert "Stream" not in resources(StreamArn=STREAM)
    assert properties("ConsumerRecords", StreamArn=STREAM)["EventSourceArn"] == STREAM
    assert STREAM in allowed(properties("Role", StreamArn=STREAM))


def test_its_alarms_and_its_dashboard_are_the_ones_that_are_needed() -> None:
    assert_watched(resources(), needs(), "user-limits-consumer", "user-limits-consumerrecords")


def test_each_alarm_goes_to_the_topic() -> None:
    alarms = [
        each["Properties"]["AlarmActions"]
        for each in resources(AlarmTopicArn=TOPIC).values()
        if each["Type"] == "AWS::CloudWatch::Alarm"
    ]
    assert alarms == [[TOPIC]] * 7


def test_the_bucket_is_closed() -> None:
    assert set(properties("FailedRecords")["PublicAccessBlockConfiguration"].values()) == {True}
