"""A construct for the AWS CDK: a stream, a function that folds it into tables, and what keeps both safe.

It needs `pip install 'kinesis-handler[cdk]'`, and Node. Nothing else in the library imports it.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from aws_cdk import Aws, CfnResource, Duration, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from kinesis_handler.project.needs import Needs, TableNeeds
from kinesis_handler.project.runtime import Runtime
from kinesis_handler.project.watching import Alarm, dashboard

__all__ = ["KinesisConsumer"]

RETENTION, FAILED_RECORDS, LOGS = Duration.days(7), Duration.days(90), logs.RetentionDays.ONE_MONTH

_RUNTIME = Runtime()


class KinesisConsumer(Construct):
    """A function that folds a stream into tables, as `describe` says that it must be.

    Args:
        scope: the stack.
        construct_id: its name there.
        needs: what `kinesis-handler describe --json` prints, on the store that the function will have.
        code: the zip that `kinesis-handler build` has built.
        handler: the function, as `package.module.name`.
        runtime: that the zip was built for.
        environment: further variables. QUARANTINE_URL is set.
        stream: an existing stream; None to make one.
        alarm_topics: ARNs of the SNS topics that receive the alarms.
    """

    def __init__(  # noqa: PLR0913 - one for each thing that a template has a parameter for
        self,
        scope: Construct,
        construct_id: str,
        *,
        needs: Mapping[str, Any],
        code: str | Path,
        handler: str,
        runtime: Runtime = _RUNTIME,
        environment: Mapping[str, str] | None = None,
        stream: kinesis.IStream | None = None,
        alarm_topics: tuple[str, ...] = (),
    ) -> None:
        super().__init__(scope, construct_id)
        needed = msgspec.convert(needs, Needs)
        self.stream = stream if stream is not None else self._made_stream()
        self.tables = [self._made_table(table) for table in needed.tables]
        self.bucket = self._made_bucket()
        self.logs = logs.LogGroup(self, "Logs", retention=LOGS, removal_policy=RemovalPolicy.DESTROY)
        log_groups = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:log-group"
        self._known = {
            "Partition": Aws.PARTITION,
            "Region": Aws.REGION,
            "Account": Aws.ACCOUNT_ID,
            "StreamArn": self.stream.stream_arn,
            "BucketArn": self.bucket.bucket_arn,
            "LogGroupArn": f"{log_groups}:{self.logs.log_group_name}",
        }
        self.role, policy = self._made_role(needed)
        settings = {each.name: each.value for each in needed.function}
        self.function = lambda_.Function(
            self,
            "Function",
            code=lambda_.Code.from_asset(str(code)),
            handler=handler,
            runtime=lambda_.Runtime(f"python{runtime.python}", lambda_.RuntimeFamily.PYTHON),
            architecture=lambda_.Architecture.ARM_64
            if runtime.architecture == "arm64"
            else lambda_.Architecture.X86_64,
            memory_size=settings["MemorySize"],
            timeout=Duration.seconds(settings["Timeout"]),
            role=self.role.without_policy_updates(),
            log_group=self.logs,
            environment={
                "QUARANTINE_URL": f"s3://{self.bucket.bucket_name}/quarantine",
                **(environment or {}),
            },
        )
        self.mapping = CfnResource(
            self,
            "Records",
            type="AWS::Lambda::EventSourceMapping",
            properties={
                "EventSourceArn": self.stream.stream_arn,
                "FunctionName": self.function.function_name,
                **{each.name: self._filled(each.value) for each in needed.mapping},
            },
        )
        self.function.node.add_dependency(policy)
        self.mapping.node.add_dependency(policy)
        self._known |= {"FunctionName": self.function.function_name, "MappingId": self.mapping.ref}
        self.alarms = [self._made_alarm(each, alarm_topics) for each in needed.alarms]
        body = dashboard(needed.dashboard, self._known)
        self.dashboard = cloudwatch.CfnDashboard(self, "Dashboard", dashboard_body=body)

    def _made_stream(self) -> kinesis.Stream:
        stream = kinesis.Stream(
            self,
            "Stream",
            stream_mode=kinesis.StreamMode.ON_DEMAND,
            retention_period=RETENTION,
            encryption=kinesis.StreamEncryption.MANAGED,
            removal_policy=RemovalPolicy.RETAIN,
        )
        # AUTO preserves no order.
        stream.node.default_child.add_property_override("RecordDistributionStrategy", "USER_PARTITION_KEY")
        return stream

    def _made_table(self, table: TableNeeds) -> dynamodb.Table:
        return dynamodb.Table(
            self,
            f"Table{table.name}",
            table_name=table.name,
            partition_key=dynamodb.Attribute(name=table.partition_key, type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name=table.sort_key, type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute=table.time_to_live,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=True,
            removal_policy=RemovalPolicy.RETAIN,
        )

    def _made_bucket(self) -> s3.Bucket:
        return s3.Bucket(
            self,
            "FailedRecords",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            lifecycle_rules=[s3.LifecycleRule(id="personal-data-expires", expiration=FAILED_RECORDS)],
            removal_policy=RemovalPolicy.RETAIN,
        )

    def _made_role(self, needs: Needs) -> tuple[iam.Role, iam.Policy]:
        """Return the function's role, with the permissions that it needs and no other."""
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        statements = [
            iam.PolicyStatement(actions=list(each.actions), resources=[self._filled(each.resource)])
            for each in needs.permissions
        ]
        return role, iam.Policy(self, "Policy", roles=[role], statements=statements)

    def _made_alarm(self, alarm: Alarm, topics: tuple[str, ...]) -> cloudwatch.CfnAlarm:
        metric = alarm.metric
        dimension = cloudwatch.CfnAlarm.DimensionProperty(
            name=metric.dimension, value=self._filled(metric.value)
        )
        return cloudwatch.CfnAlarm(
            self,
            alarm.name,
            alarm_description=alarm.reason,
            namespace=metric.namespace,
            metric_name=metric.name,
            dimensions=[dimension],
            statistic=metric.statistic,
            threshold=alarm.threshold,
            period=60,
            evaluation_periods=alarm.evaluation_periods,
            datapoints_to_alarm=alarm.datapoints_to_alarm,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="notBreaching",
            alarm_actions=list(topics),
        )

    def _filled(self, value: Any) -> Any:
        """Return a value with what only the deployment knows in place of `${…}`."""
        if isinstance(value, str):
            return re.sub(r"\$\{(\w+)\}", lambda match: self._known[match[1]], value)
        return json.loads(self._filled(json.dumps(value)))
