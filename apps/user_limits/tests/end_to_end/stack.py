"""What the template describes, made on this machine out of its expanded properties."""

from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session

from deploy.expansion import ACCOUNT, REGION, STACK
from testkit.emulators.lambda_environment import Configuration

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kinesis import KinesisClient
    from types_boto3_s3 import S3Client

UNKNOWN_HERE = {
    "AWS::DynamoDB::Table": {
        "ContributorInsightsSpecification",
        "PointInTimeRecoverySpecification",
        "SSESpecification",
    },
}
"""What no emulator has. All else that the template says of a resource is made, or it is an error."""

Properties = dict[str, Any]


class Stack:
    """The resources of an expanded template, and clients that reach their emulators.

    Args:
        expanded: what `deploy.expansion.expand` returned.
        endpoints: of dynamodb, kinesis and s3.
    """

    def __init__(self, expanded: Mapping[str, Any], endpoints: Mapping[str, str]) -> None:
        self._resources = expanded["Resources"]
        self.outputs = {name: each["Value"] for name, each in expanded["Outputs"].items()}
        self._endpoints = endpoints
        self._session = botocore.session.get_session()
        # To kinesis-local an access key of twelve digits is the account.
        self._session.set_credentials(ACCOUNT, "local")
        self.dynamodb: DynamoDBClient = self.client("dynamodb")
        self.kinesis: KinesisClient = self.client("kinesis")
        self.s3: S3Client = self.client("s3")

    def client(self, service: str) -> Any:
        """Return a new client of an emulator."""
        return self._session.create_client(service, region_name=REGION, endpoint_url=self._endpoints[service])

    def properties(self, logical_id: str) -> Properties:
        """Return the properties of a resource, as CloudFormation gets them."""
        properties: Properties = self._resources[logical_id]["Properties"]
        return deepcopy(properties)

    def of_type(self, resource_type: str) -> dict[str, Properties]:
        """Return the properties of all resources of a type, by their logical ids."""
        return {
            name: self.properties(name)
            for name, each in self._resources.items()
            if each["Type"] == resource_type
        }

    @property
    def stream(self) -> str:
        """Name of the stream."""
        return str(self.outputs["StreamName"])

    @property
    def table(self) -> str:
        """Name of the limits' table."""
        return str(self.outputs["TableName"])

    @property
    def tables(self) -> list[str]:
        """Names of both tables."""
        return [self.table, f"{self.table}-activity"]

    @property
    def bucket(self) -> str:
        """Name of the bucket."""
        return str(self.outputs["FailedRecordsBucket"])

    def on_this_machine(self) -> dict[str, str]:
        """Return the variables that lead a function's SDK to the emulators."""
        return {f"AWS_ENDPOINT_URL_{name.upper()}": endpoint for name, endpoint in self._endpoints.items()}

    def function(self, logical_id: str, artifact: Path, **more: Any) -> Configuration:
        """Return a function as the template configures it.

        Args:
            logical_id: of the function.
            artifact: the folder of its code.
            more: what is different on this machine.
        """
        properties = self.properties(logical_id)
        return Configuration(
            artifact=artifact,
            handler=properties["Handler"],
            variables=properties["Environment"]["Variables"],
            name=self.name(logical_id),
            runtime=properties["Runtime"],
            memory_size=int(properties["MemorySize"]),
            timeout=float(properties["Timeout"]),
            concurrency=int(properties.get("ReservedConcurrentExecutions", 1_000)),
            region=REGION,
            **more,
        )

    def role_of(self, logical_id: str) -> Properties:
        """Return the properties of a function's role."""
        name = self.properties(logical_id)["Role"].rpartition("/")[2]
        [role] = [role for each, role in self.of_type("AWS::IAM::Role").items() if self.name(each) == name]
        return role

    def name(self, logical_id: str) -> str:
        """Return the name of a resource to which the template gives none."""
        return f"{STACK}-{logical_id.lower()}"

    def make(self) -> None:
        """Make the stream, the tables and the bucket."""
        self._make_stream(self._known("Stream"))
        for each in self.of_type("AWS::DynamoDB::Table"):
            self._make_table(self._known(each) | ({"TableName": self.table} if each == "Table" else {}))
        self._make_bucket(self._known("FailedRecords"))

    def remove(self) -> None:
        """Remove stream, tables and bucket: others use the same emulators."""
        with suppress(self.s3.exceptions.NoSuchBucket):
            for page in self.s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket):
                for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    self.s3.delete_object(Bucket=self.bucket, Key=each["Key"], VersionId=each["VersionId"])
            self.s3.delete_bucket(Bucket=self.bucket)
        with suppress(self.kinesis.exceptions.ResourceNotFoundException):
            self.kinesis.delete_stream(StreamName=self.stream)
        for table in self.tables:
            with suppress(self.dynamodb.exceptions.ResourceNotFoundException):
                self.dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
                self.dynamodb.delete_table(TableName=table)

    def _known(self, logical_id: str) -> Properties:
        unknown = UNKNOWN_HERE.get(self._resources[logical_id]["Type"], set())
        return {name: value for name, value in self.properties(logical_id).items() if name not in unknown}

    def _make_stream(self, properties: Properties) -> None:
        retention = properties.pop("RetentionPeriodHours")
        encryption = properties.pop("StreamEncryption")
        self.kinesis.create_stream(StreamName=self.stream, **properties)
        self.kinesis.increase_stream_retention_period(StreamName=self.stream, RetentionPeriodHours=retention)
        self.kinesis.start_stream_encryption(StreamName=self.stream, **encryption)

    def _make_table(self, properties: Properties) -> None:
        time_to_live = properties.pop("TimeToLiveSpecification")
        self.dynamodb.create_table(**properties)
        self.dynamodb.update_time_to_live(
            TableName=properties["TableName"], TimeToLiveSpecification=time_to_live
        )

    def _make_bucket(self, properties: Properties) -> None:
        bucket = self.bucket
        self.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})  # type: ignore[typeddict-item]
        self.s3.put_public_access_block(
            Bucket=bucket,
            PublicAccessBlockConfiguration=properties.pop("PublicAccessBlockConfiguration"),
        )
        if owned := properties.pop("OwnershipControls", None):
            self.s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=owned)
        if versioned := properties.pop("VersioningConfiguration", None):
            self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versioned)
        if encrypted := properties.pop("BucketEncryption", None):
            self._encrypt(bucket, encrypted["ServerSideEncryptionConfiguration"])
        rules = [_lifecycle(each) for each in properties.pop("LifecycleConfiguration")["Rules"]]
        self.s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
        if properties:
            raise ValueError(f"the bucket has {', '.join(properties)}, which is not made here")

    def _encrypt(self, bucket: str, rules: Any) -> None:
        [encryption] = rules
        by_default = encryption.pop("ServerSideEncryptionByDefault")
        rule = {**encryption, "ApplyServerSideEncryptionByDefault": by_default}
        encrypted: Any = {"Rules": [rule]}
        self.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=encrypted)


def _lifecycle(rule: Properties) -> Any:
    """Return a rule in the words of S3, which are not quite those of CloudFormation."""
    rule = {"ID": rule["Id"], "Filter": {"Prefix": ""}} | {name: rule[name] for name in rule if name != "Id"}
    expiration = {
        name: rule.pop(theirs)
        for theirs, name in (("ExpirationInDays", "Days"), ("ExpiredObjectDeleteMarker",) * 2)
        if theirs in rule
    }
    return {**rule, "Expiration": expiration} if expiration else rule
