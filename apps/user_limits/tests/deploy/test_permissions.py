"""Each role may do what its function does, to what it does it to."""

from typing import Any

import pytest

from deployed import (
    ALL_ON,
    JOINED,
    KEY,
    MOVING,
    REDRIVING,
    TOKENS,
    attached,
    environment,
    expanded,
    of_type,
    properties,
    resources,
)
from user_limits.settings import Settings, read_settings

ROLES = ["ConsumerRole", "ApiRole", "RedriveRole"]
TABLE = "arn:aws:dynamodb:eu-north-1:123456789012:table/user-limits-table"
BUCKET = "arn:aws:s3:::user-limits-failedrecords"

WITH_A_REASON = {
    "*": {"xray:PutTraceSegments", "xray:PutTelemetryRecords"},  # X-Ray has no resources
    ":*": {"logs:CreateLogStream", "logs:PutLogEvents"},  # the streams of one log group
    # Each object has a name of its own. Only the redrive reads any.
    f"{BUCKET}/quarantine/*": {"s3:PutObject", "s3:GetObject"},
    f"{BUCKET}/aws/lambda/*": {"s3:PutObject", "s3:GetObject"},
}


def allowed(role: str, **parameters: str) -> dict[str, set[str]]:
    """Return resource → actions."""
    parameters = {**REDRIVING, **parameters}
    found: dict[str, set[str]] = {}
    for statement in statements(role, **parameters):
        for resource in listed(statement["Resource"]):
            found.setdefault(resource, set()).update(listed(statement["Action"]))
    return found


def statements(role: str, **parameters: str) -> list[dict[str, Any]]:
    parameters = {**REDRIVING, **parameters}
    policies = [*properties(role, **parameters)["Policies"], *attached(role, **parameters)]
    return [each for policy in policies for each in policy["PolicyDocument"]["Statement"]]


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@pytest.mark.parametrize("parameters", [{}, TOKENS, JOINED, ALL_ON], ids=["iam", "jwt", "joined", "all"])
@pytest.mark.parametrize("role", ROLES)
class TestEachRole:
    def test_every_action_is_named(self, role: str, parameters: dict[str, str]) -> None:
        assert not [
            each for actions in allowed(role, **parameters).values() for each in actions if "*" in each
        ]

    def test_every_resource_is_named_but_where_aws_allows_no_other(
        self, role: str, parameters: dict[str, str]
    ) -> None:
        for resource, actions in allowed(role, **parameters).items():
            if "*" in resource:
                reason = ":*" if resource.endswith(":*") else resource
                assert actions <= WITH_A_REASON[reason]

    def test_nothing_comes_with_a_policy_of_somebody_elses(
        self, role: str, parameters: dict[str, str]
    ) -> None:
        assert "ManagedPolicyArns" not in properties(role, **{**REDRIVING, **parameters})
        assert all(each["Effect"] == "Allow" for each in statements(role, **parameters))

    def test_lambda_alone_assumes_it(self, role: str, parameters: dict[str, str]) -> None:
        [trusted] = properties(role, **{**REDRIVING, **parameters})["AssumeRolePolicyDocument"]["Statement"]
        assert trusted["Principal"] == {"Service": "lambda.amazonaws.com"}


def test_the_consumer_reads_and_writes_limits_and_the_api_reads_them() -> None:
    assert allowed("ConsumerRole")[TABLE] == {
        "dynamodb:BatchGetItem",
        "dynamodb:PartiQLInsert",
        "dynamodb:PartiQLUpdate",
    }
    assert allowed("ApiRole")[TABLE] == {"dynamodb:BatchGetItem", "dynamodb:Query"}


def test_lambda_reads_the_stream_with_the_consumers_role() -> None:
    assert allowed("ConsumerRole")["arn:aws:kinesis:eu-north-1:123456789012:stream/user-limits-stream"] == {
        "kinesis:DescribeStream",
        "kinesis:DescribeStreamSummary",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
    }


def test_what_failed_is_put_into_the_bucket_under_the_prefixes_that_are_read_again() -> None:
    found = allowed("ConsumerRole")
    assert found[BUCKET] == {"s3:ListBucket"}  # Lambda asks for it of each bucket that it is to deliver to
    urls = environment("Consumer")["QUARANTINE_URL"], environment("Consumer")["ON_FAILURE_URL"]
    for url in urls:
        assert found[f"arn:aws:s3:::{url.removeprefix('s3://')}/*"] == {"s3:PutObject"}


def test_the_redrive_reads_what_waits_marks_it_and_writes_limits() -> None:
    found = allowed("RedriveRole")
    assert found[TABLE] == allowed("ConsumerRole")[TABLE]
    assert found[BUCKET] == {"s3:ListBucket"}
    redrive = environment("Redrive", **REDRIVING)
    for url in (redrive["QUARANTINE_URL"], redrive["ON_FAILURE_URL"]):
        assert found[f"arn:aws:s3:::{url.removeprefix('s3://')}/*"] == {"s3:GetObject", "s3:PutObject"}
    assert not [each for each in found if ":kinesis:" in each]


def test_without_a_schedule_there_is_no_redrive() -> None:
    assert not [name for name in resources() if name.startswith("Redrive")]


def test_the_api_has_nothing_to_do_with_the_stream_or_the_bucket() -> None:
    services = {action.partition(":")[0] for actions in allowed("ApiRole").values() for action in actions}
    assert services == {"dynamodb", "logs", "xray"}


def test_a_stream_and_a_table_that_exist_are_the_ones_allowed() -> None:
    found = allowed("ConsumerRole", **JOINED)
    assert JOINED["StreamArn"] in found
    assert "arn:aws:dynamodb:eu-north-1:123456789012:table/Limits" in found
    assert TABLE not in found


def test_keys_are_used_where_there_are_any() -> None:
    assert not [each for each in allowed("ConsumerRole") if ":kms:" in each]
    found = allowed("ConsumerRole", **ALL_ON)
    assert found[KEY] == {"kms:Decrypt", "kms:GenerateDataKey"}
    assert found[f"{KEY}1"] == found[f"{KEY}2"] == {"kms:Decrypt"}
    assert allowed("ApiRole", **ALL_ON)[KEY] == {"kms:Decrypt"}


@pytest.mark.parametrize("parameters", [{}, MOVING], ids=["at rest", "moving"])
def test_what_the_tools_get_is_what_the_consumer_has(parameters: dict[str, str]) -> None:
    told = expanded(StorageTtl="60", ParkAfter="never", **parameters)["Outputs"]["ToolSettings"]["Value"]
    variables = dict(each.partition("=")[::2] for each in told.split())
    assert {name for name in variables if name.lower() not in Settings.__struct_fields__} == set()
    consumer = read_settings(environment("Consumer", StorageTtl="60", ParkAfter="never", **parameters))
    assert read_settings({**variables, "AWS_REGION": ""}) == consumer


class TestMove:
    def test_nothing_is_allowed_for_one_that_there_is_not(self) -> None:
        assert not of_type("AWS::IAM::Policy")
        assert not [each for each in allowed("ConsumerRole") if ":appconfig:" in each]

    @pytest.mark.parametrize(
        ("parameters", "source"), [({}, "user-limits-table"), (JOINED, "Limits")], ids=["own", "joined"]
    )
    def test_its_tables_are_the_source_and_the_target(self, parameters: dict[str, str], source: str) -> None:
        # What is done with them is seen in tests/end_to_end/test_move.py.
        tables = {
            resource.rpartition("/")[2]
            for resource in allowed("ConsumerRole", **MOVING, **parameters)
            if ":dynamodb:" in resource
        }
        assert tables == {f"{each}{part}" for each in (source, "LimitsNew") for part in ("", "-activity")}

    @pytest.mark.parametrize("role", ROLES)
    @pytest.mark.parametrize("flag", ["", "?flag=move"], ids=["text", "flag"])
    def test_its_switch_is_the_one_configuration_that_is_read(self, role: str, flag: str) -> None:
        switch = MOVING["MigrationSwitch"]
        found = allowed(role, **{**MOVING, "MigrationSwitch": switch + flag})
        [configuration] = [each for each in found if ":appconfig:" in each]
        application, environment, profile = switch.split("/")
        assert configuration == (
            "arn:aws:appconfig:eu-north-1:123456789012:"
            f"application/{application}/environment/{environment}/configuration/{profile}"
        )
        assert found[configuration] == {
            "appconfig:StartConfigurationSession",
            "appconfig:GetLatestConfiguration",
        }

    def test_with_a_flag_of_its_own_the_api_reads_no_phase(self) -> None:
        read = {**MOVING, "MigrationRead": "jkl3456?flag=read"}
        profiles = {
            role: sorted(each.rpartition("/")[2] for each in allowed(role, **read) if ":appconfig:" in each)
            for role in ROLES
        }
        assert profiles == {
            "ConsumerRole": ["ghi9012"],
            "ApiRole": ["jkl3456"],
            "RedriveRole": ["ghi9012"],
        }

    @pytest.mark.parametrize(
        ("function", "policy_of"), [("Consumer", "consumer"), ("Api", "api"), ("Redrive", "consumer")]
    )
    def test_a_function_waits_for_its_permissions_and_keeps_them_until_it_has_other_settings(
        self, function: str, policy_of: str
    ) -> None:
        both = {**MOVING, **REDRIVING}
        assert resources(**both)[function]["Metadata"] == {"WaitsFor": f"user-limits-{policy_of}moves"}
        [policy] = attached(f"{function}Role", **both)
        # The old table too: the role itself is about the new one by then.
        assert TABLE in policy["PolicyDocument"]["Statement"][0]["Resource"]
