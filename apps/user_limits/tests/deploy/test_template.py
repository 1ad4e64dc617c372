"""The template: that it is one, and that what it makes is closed, kept and set on purpose."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import samtranslator.model.exceptions
from samtranslator.yaml_helper import yaml_parse

from deploy.artifact import RUNTIME
from deploy.expansion import expand
from deployed import (
    ALL_ON,
    JOINED,
    KEY,
    LAYER,
    MOVING,
    ROOT,
    TEMPLATE,
    TOKENS,
    default_route,
    environment,
    of_type,
    properties,
    resources,
)
from kinesis_handler.moving.switch import APPCONFIG_EVERY, TIMEOUT
from user_limits.processor import UserLimitEventProcessor
from user_limits.settings import Settings, read_settings
from user_limits.wiring import API_TIMEOUT, PARTITION_KEY, RESERVE_MS, SORT_KEY, api, consumer

DOCUMENT = yaml_parse(TEMPLATE.read_text())
PARAMETERS = DOCUMENT["Parameters"]
SETTINGS = {name.upper() for name in Settings.__struct_fields__}
OF_THE_LAYER = {"AWS_LAMBDA_EXEC_WRAPPER"}
OF_THE_AGENT = {"AWS_APPCONFIG_EXTENSION_POLL_INTERVAL_SECONDS"}
FUNCTIONS = ["Consumer", "Api"]


def test_cfn_lint_has_nothing_to_say() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), str(TEMPLATE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize("parameters", [{}, TOKENS, JOINED, ALL_ON], ids=["iam", "jwt", "joined", "all"])
def test_the_translator_takes_it_whatever_is_chosen(parameters: dict[str, str]) -> None:
    assert not [
        name for name, each in resources(**parameters).items() if each["Type"].startswith("AWS::Serverless")
    ]


def test_a_property_of_the_mapping_that_is_misspelt_is_not_taken(tmp_path: Any) -> None:
    misspelt = tmp_path / "template.yaml"
    misspelt.write_text(TEMPLATE.read_text().replace("BisectBatchOnFunctionError", "BisectBatchOnError"))
    with pytest.raises(samtranslator.model.exceptions.InvalidDocumentException):
        expand(misspelt, {"Auth": "iam"})


class TestKept:
    def test_what_holds_data_outlives_the_stack(self) -> None:
        for name in ("Stream", "Table", "FailedRecords"):
            resource = resources()[name]
            assert resource["DeletionPolicy"] in {"Retain", "RetainExceptOnCreate"}
            assert resource["UpdateReplacePolicy"] == "Retain"

    def test_the_table_is_that_of_the_store(self) -> None:
        table = properties("Table")
        assert table["KeySchema"] == [
            {"AttributeName": PARTITION_KEY, "KeyType": "HASH"},
            {"AttributeName": SORT_KEY, "KeyType": "RANGE"},
        ]
        assert table["TimeToLiveSpecification"] == {"AttributeName": "expiresAt", "Enabled": True}
        assert table["BillingMode"] == "PAY_PER_REQUEST"

    def test_the_table_is_protected(self) -> None:
        table = properties("Table")
        assert table["DeletionProtectionEnabled"]
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}

    def test_a_key_of_ones_own_is_that_of_all_that_is_made(self) -> None:
        assert properties("Stream", KmsKeyArn=KEY)["StreamEncryption"]["KeyId"] == KEY
        assert properties("Table", KmsKeyArn=KEY)["SSESpecification"]["KMSMasterKeyId"] == KEY
        [rule] = properties("FailedRecords", KmsKeyArn=KEY)["BucketEncryption"][
            "ServerSideEncryptionConfiguration"
        ]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
        logs = of_type("AWS::Logs::LogGroup", KmsKeyArn=KEY)
        assert {each["KmsKeyId"] for each in logs.values()} == {KEY}
        assert {properties(each, KmsKeyArn=KEY)["KmsKeyArn"] for each in FUNCTIONS} == {KEY}

    def test_logs_are_kept_for_as_long_as_is_said_and_each_function_writes_to_its_own(self) -> None:
        logs = of_type("AWS::Logs::LogGroup", LogRetentionDays="90")
        assert {each["RetentionInDays"] for each in logs.values()} == {90}
        written_to = {properties(name)["LoggingConfig"]["LogGroup"] for name in FUNCTIONS}
        assert written_to == {"/aws/lambda/user-limits-consumer", "/aws/lambda/user-limits-api"}


class TestJoined:
    def test_what_exists_is_not_made(self) -> None:
        made = {each["Type"] for each in resources(**JOINED).values()}
        assert not made & {"AWS::Kinesis::Stream", "AWS::DynamoDB::Table", "AWS::SNS::Topic"}

    def test_what_exists_is_used(self) -> None:
        assert properties("ConsumerRecords", **JOINED)["EventSourceArn"] == JOINED["StreamArn"]
        for function in FUNCTIONS:
            assert environment(function, **JOINED)["USER_LIMIT_TABLE_NAME"] == "Limits"
        [*_, dead] = properties("ConsumerDead", **JOINED)["AlarmActions"]
        assert dead == JOINED["AlarmTopicArn"]

    def test_a_stream_has_shards_or_is_on_demand(self) -> None:
        assert properties("Stream")["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}
        assert "ShardCount" not in properties("Stream")
        provisioned = properties("Stream", StreamShards="4")
        assert provisioned["StreamModeDetails"] == {"StreamMode": "PROVISIONED"}
        assert provisioned["ShardCount"] == 4


class TestMapping:
    def test_one_bad_record_does_not_block_its_shard_for_ever(self) -> None:
        mapping = properties("ConsumerRecords")
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["BisectBatchOnFunctionError"]
        assert 0 <= mapping["MaximumRetryAttempts"] <= 100
        assert 60 <= mapping["MaximumRecordAgeInSeconds"] <= 604_800

    def test_what_is_given_up_goes_to_the_bucket_with_its_records(self) -> None:
        destination = properties("ConsumerRecords")["DestinationConfig"]["OnFailure"]["Destination"]
        assert destination == "arn:aws:s3:::user-limits-failedrecords"

    def test_a_record_becomes_too_old_for_lambda_before_it_does_for_the_stream(self) -> None:
        retained = properties("Stream")["RetentionPeriodHours"] * 3_600
        assert properties("ConsumerRecords")["MaximumRecordAgeInSeconds"] < retained

    def test_nothing_is_filtered_unless_it_is_asked_for(self) -> None:
        assert "FilterCriteria" not in properties("ConsumerRecords")

    def test_the_filter_lets_through_what_the_processor_takes(self) -> None:
        mapping = properties("ConsumerRecords", EventTypeFilter="on")
        [pattern] = mapping["FilterCriteria"]["Filters"]
        assert json.loads(pattern["Pattern"]) == {
            "data": {"type": sorted(UserLimitEventProcessor.event_types)}
        }

    def test_it_can_be_switched_off(self) -> None:
        assert properties("ConsumerRecords")["Enabled"] is True
        assert properties("ConsumerRecords", ConsumerEnabled="false")["Enabled"] is False

    def test_it_counts_what_it_gives_up(self) -> None:
        assert properties("ConsumerRecords")["MetricsConfig"] == {"Metrics": ["EventCount"]}


class TestFunctions:
    @pytest.mark.parametrize("parameters", [{}, ALL_ON], ids=["iam", "all"])
    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_each_variable_is_a_setting_and_is_accepted(
        self, function: str, parameters: dict[str, str]
    ) -> None:
        variables = environment(function, **parameters)
        assert variables.keys() - OF_THE_LAYER - OF_THE_AGENT <= SETTINGS
        settings = read_settings(variables)
        assert settings.repository_type == "dynamodb"
        assert settings.user_limit_table_name == "user-limits-table"

    def test_the_consumer_keeps_limits_for_ever_and_what_is_rejected_in_the_bucket(self) -> None:
        settings = read_settings(environment("Consumer"))
        assert settings.storage_ttl == 0
        assert settings.quarantine_url == "s3://user-limits-failedrecords/quarantine"
        assert settings.on_failure_url == "s3://user-limits-failedrecords/aws/lambda"

    def test_the_handlers_are_there(self) -> None:
        handlers = [properties(each)["Handler"] for each in FUNCTIONS]
        assert handlers == ["user_limits.lambda_consumer.handler", "user_limits.lambda_api.handler"]
        assert callable(consumer)
        assert callable(api)

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_they_run_on_the_python_that_the_artifact_is_built_for(self, function: str) -> None:
        assert properties(function)["Runtime"] == f"python{RUNTIME}"
        assert properties(function)["Architectures"] == ["arm64"]
        assert properties(function)["TracingConfig"] == {"Mode": "Active"}

    def test_the_consumer_has_time_for_many_requests_beyond_what_it_keeps_in_reserve(self) -> None:
        assert properties("Consumer")["Timeout"] * 1_000 >= 6 * RESERVE_MS

    def test_the_api_answers_before_it_is_ended_and_is_ended_before_the_gateway_gives_it_up(self) -> None:
        integration = default_route()["x-amazon-apigateway-integration"]
        timeout = properties("Api")["Timeout"]
        assert API_TIMEOUT < timeout < integration["timeoutInMillis"] / 1_000 <= 30
        assert integration["payloadFormatVersion"] == "2.0"

    def test_nothing_is_reserved_unless_it_is_asked_for(self) -> None:
        for function, parameter in zip(FUNCTIONS, ["ConsumerConcurrency", "ApiConcurrency"], strict=True):
            assert "ReservedConcurrentExecutions" not in properties(function)
            assert properties(function, **{parameter: "8"})["ReservedConcurrentExecutions"] == "8"

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_spans_take_a_layer_and_say_so_to_the_code(self, function: str) -> None:
        assert "Layers" not in properties(function)
        assert not OF_THE_LAYER & environment(function).keys()
        assert read_settings(environment(function)).tracing == "none"
        traced = environment(function, TracingLayerArn=LAYER)
        assert properties(function, TracingLayerArn=LAYER)["Layers"] == [LAYER]
        assert traced["AWS_LAMBDA_EXEC_WRAPPER"] == "/opt/otel-instrument"
        assert read_settings(traced).tracing == "otel"


class TestMove:
    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_both_functions_take_the_agents_layer_and_are_configured_for_it(self, function: str) -> None:
        assert not {"MIGRATION_TARGET", "MIGRATION_PHASE", *OF_THE_AGENT} & environment(function).keys()
        assert properties(function, **MOVING)["Layers"] == [MOVING["AppConfigLayerArn"]]
        settings = read_settings(environment(function, **MOVING))
        assert settings.migration_target == "dynamodb://LimitsNew"
        assert settings.migration_phase == "appconfig://abc1234/def5678/ghi9012"

    def test_its_layer_is_beside_that_of_spans(self) -> None:
        both = properties("Consumer", TracingLayerArn=LAYER, **MOVING)
        assert both["Layers"] == [LAYER, MOVING["AppConfigLayerArn"]]

    def test_a_step_takes_effect_within_thirty_seconds(self) -> None:
        [agent] = OF_THE_AGENT
        assert int(environment("Consumer", **MOVING)[agent]) + APPCONFIG_EVERY + TIMEOUT <= 30

    def test_a_feature_flag_can_be_its_switch(self) -> None:
        switch = f"{MOVING['MigrationSwitch']}?flag=move"
        settings = read_settings(environment("Api", **{**MOVING, "MigrationSwitch": switch}))
        assert settings.migration_phase == f"appconfig://{switch}"

    def test_the_api_reads_the_side_that_a_flag_of_its_own_says(self) -> None:
        read = {**MOVING, "MigrationRead": "jkl3456?flag=read"}
        settings = read_settings(environment("Api", **read))
        assert settings.migration_read == "appconfig://abc1234/def5678/jkl3456?flag=read"
        assert read_settings(environment("Consumer", **read)).migration_read == ""
        assert read_settings(environment("Api", **MOVING)).migration_read == ""
        with pytest.raises(ValueError, match="MigrationRead is for a move, and there is none"):
            expand(TEMPLATE, {"Auth": "iam", "MigrationRead": "jkl3456"})

    @pytest.mark.parametrize("missing", MOVING)
    def test_half_of_one_is_refused(self, missing: str) -> None:
        with pytest.raises(ValueError, match=f"There is a move: {missing} must say"):
            expand(TEMPLATE, {"Auth": "iam", **MOVING, missing: ""})

    def test_the_table_itself_is_no_target(self) -> None:
        with pytest.raises(ValueError, match="MigrationTarget is TableName itself"):
            expand(TEMPLATE, {"Auth": "iam", **MOVING, "TableName": "LimitsNew"})

    def test_at_its_end_the_target_is_joined_and_the_old_table_stays(self) -> None:
        assert resources(**MOVING)["Table"]["DeletionPolicy"] == "Retain"
        joined = {"TableName": "LimitsNew"}
        assert "Table" not in resources(**joined)
        for function in FUNCTIONS:
            assert environment(function, **joined)["USER_LIMIT_TABLE_NAME"] == "LimitsNew"


class TestOrder:
    def test_a_factor_above_one_is_refused_where_producers_may_aggregate(self) -> None:
        with pytest.raises(ValueError, match="ParallelizationFactor is above 1"):
            expand(TEMPLATE, {"Auth": "iam", "ParallelizationFactor": "2"})

    def test_a_factor_above_one_is_taken_where_none_aggregates(self) -> None:
        mapping = properties("ConsumerRecords", ParallelizationFactor="4", AggregatedRecords="false")
        assert mapping["ParallelizationFactor"] == 4

    def test_the_stream_that_is_made_keeps_the_order_of_a_user(self) -> None:
        assert properties("Stream")["RecordDistributionStrategy"] == "USER_PARTITION_KEY"

    def test_a_stream_of_shards_has_no_choice_of_another_order(self) -> None:
        assert "RecordDistributionStrategy" not in properties("Stream", StreamShards="2")

    def test_the_table_that_is_made_names_the_keys_that_are_throttled(self) -> None:
        insights = properties("Table")["ContributorInsightsSpecification"]
        assert insights == {"Enabled": True, "Mode": "THROTTLED_KEYS"}


class TestParameters:
    def test_the_page_has_a_row_for_each(self) -> None:
        page = (ROOT / "docs" / "how-to" / "deploy.md").read_text()
        rows = re.findall(r"^\| `([A-Z]\w+)` \| .+ \| .+ \|$", page, re.MULTILINE)
        assert sorted(rows) == sorted(PARAMETERS)
        for name, rule in PARAMETERS.items():
            default = f"`{rule['Default']}`" if rule.get("Default", "") != "" else "none"
            shown = default if "Default" in rule else "**needed**"
            assert f"| `{name}` | {shown} | {rule['Description']} |" in page

    def test_each_is_in_a_group_of_the_console(self) -> None:
        groups = DOCUMENT["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        assert sorted(name for group in groups for name in group["Parameters"]) == sorted(PARAMETERS)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("Auth", "none"),
            ("BatchSize", "10001"),
            ("StreamArn", "facts"),
            ("ConsumerConcurrency", "0"),
            ("MigrationSwitch", "limits/production/migration"),
            ("Nonsense", "1"),
        ],
    )
    def test_a_value_that_is_not_allowed_is_refused(self, name: str, value: str) -> None:
        with pytest.raises(ValueError, match=name):
            expand(TEMPLATE, {"Auth": "iam", name: value})
