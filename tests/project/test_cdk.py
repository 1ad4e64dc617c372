"""The construct for the CDK, synthesized: it gives the function what it needs, and is closed."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.expansion import PSEUDO_PARAMETERS
from deploy.intrinsics import Resolver
from described import allowed, assert_settings, assert_table, assert_watched, described, needed
from kinesis_handler.project.new import PACKAGE, SKELETON

pytestmark = pytest.mark.other_programs

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "cdk.md"
TOPIC = "arn:aws:sns:eu-north-1:123456789012:on-call"


@pytest.fixture(scope="module")
def needs() -> Iterator[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(SKELETON)
        patch.syspath_prepend(str(SKELETON))
        patch.setattr(sys, "dont_write_bytecode", True)
        yield described(f"{PACKAGE}.application:application", "parcels")


@pytest.fixture(scope="module")
def template(needs: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the resources of the stack that the page for the CDK makes."""
    [program] = re.findall(r'```py title="app.py"\n(.*?)```', PAGE.read_text(), re.DOTALL)
    folder = tmp_path_factory.mktemp("cdk")
    (folder / "needs.json").write_text(json.dumps(needs))
    (folder / "build").mkdir()
    (folder / "build" / "parcels.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "1")
        made: dict[str, Any] = {}
        exec(program, made)  # noqa: S102 - our own page
    synthesized: dict[str, Any] = made["app"].synth().get_stack_by_name("parcels").template
    (folder / "template.json").write_text(json.dumps(synthesized))
    # W3005: the CDK adds that the function depends on its role, which it refers to.
    program = str(Path(sys.executable).with_name("cfn-lint"))
    lint = [program, "--ignore-checks", "W3005", "--", str(folder / "template.json")]
    done = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    resolver = Resolver({"Resources": synthesized["Resources"]}, PSEUDO_PARAMETERS)
    return {
        name.removeprefix("Parcels")[:-8]: resolver.resolve(each)
        for name, each in synthesized["Resources"].items()
        if name.startswith("Parcels")
    }


def arn(kind: str, name: str) -> str:
    return f"arn:aws:{kind}:eu-north-1:123456789012:{name}"


def test_its_table_is_the_one_that_the_application_opens(
    template: dict[str, Any], needs: dict[str, Any]
) -> None:
    table = template["Tableparcels"]["Properties"]
    assert_table(table, needs)
    assert table["TableName"] == "parcels"


def test_the_function_may_do_what_it_needs_and_nothing_else(
    template: dict[str, Any], needs: dict[str, Any]
) -> None:
    mapping = template["Records"]["Properties"]
    bucket = mapping["DestinationConfig"]["OnFailure"]["Destination"]
    logs = template["Function"]["Properties"]["LoggingConfig"]["LogGroup"]
    known = {
        "Partition": "aws",
        "Region": "eu-north-1",
        "Account": "123456789012",
        "StreamArn": mapping["EventSourceArn"],
        "BucketArn": bucket,
        "LogGroupArn": arn("logs", f"log-group:{logs}"),
    }
    assert allowed({"Policies": [template["Policy"]["Properties"]]}) == needed(needs["permissions"], known)
    assert template["Role"]["Properties"].keys() == {"AssumeRolePolicyDocument"}


def test_the_function_and_its_mapping_are_set_as_is_said(
    template: dict[str, Any], needs: dict[str, Any]
) -> None:
    function, mapping = template["Function"]["Properties"], template["Records"]["Properties"]
    bucket = mapping["DestinationConfig"]["OnFailure"]["Destination"]
    assert_settings(function, mapping, needs, bucket)
    assert function["Runtime"] == "python3.13"
    assert function["Environment"]["Variables"] == {
        "QUARANTINE_URL": f"s3://{bucket.rpartition(':')[2]}/quarantine",
        "STORE_URL": "dynamodb://parcels",
    }


def test_what_holds_data_is_closed_and_outlives_the_stack(template: dict[str, Any]) -> None:
    for name in ("Stream", "Tableparcels", "FailedRecords"):
        assert template[name]["DeletionPolicy"] == "Retain"
    assert set(template["FailedRecords"]["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    assert template["Stream"]["Properties"]["RecordDistributionStrategy"] == "USER_PARTITION_KEY"
    assert template["Tableparcels"]["Properties"]["DeletionProtectionEnabled"]


def test_its_alarms_and_its_dashboard_are_the_ones_that_are_needed(
    template: dict[str, Any], needs: dict[str, Any]
) -> None:
    [function] = {
        each["Value"]
        for alarm in ("Errors", "Failing")
        for each in template[alarm]["Properties"]["Dimensions"]
    }
    assert_watched(template, needs, function, template["Lost"]["Properties"]["Dimensions"][0]["Value"])
    alarms = [each for each in template.values() if each["Type"] == "AWS::CloudWatch::Alarm"]
    assert all(each["Properties"]["AlarmActions"] == [TOPIC] for each in alarms)


def test_it_has_two_hundred_lines_at_most() -> None:
    from kinesis_handler.project import cdk

    assert len(Path(cdk.__file__).read_text().splitlines()) <= 200
