"""Implements a quarantine in an S3 bucket."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from kinesis_handler.aws import aws_client, explain, find_region
from kinesis_handler.errors import ConfigurationError, QuarantineError, UnreadableObjectError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

__all__ = ["S3Quarantine"]

_TO_DO = {
    "NoSuchKey": "it has gone since it was listed, as by a lifecycle rule: list again",
    "InvalidObjectState": "it is archived: restore it (`aws s3api restore-object`), then try again",
    "AccessDenied": "it may not be read: allow `s3:GetObject` on it, and `kms:Decrypt` on its key",
    "SlowDown": "S3 asked to slow down, several times: try again later",
}
_OF_THE_BUCKET = {"NoSuchBucket", "ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch"}
"""Error codes that concern the whole bucket: to continue would report every object."""


class S3Quarantine:
    """Keeps each object in a bucket. `keep` needs the permission `s3:PutObject`, and no other.

    The client is made with the first object: a cold start does not pay for what most batches never need.

    Args:
        bucket: its name.
        prefix: the beginning of all keys, without a slash at its end; may be empty.
        region: the bucket's region; None for the one that the AWS SDK finds.
        default_region: the region if the SDK finds none.

    Raises ConfigurationError if there is no region.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        region: str | None = None,
        *,
        default_region: str | None = None,
    ) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._region = find_region(region, default_region)

    def keep(self, name: str, content: bytes) -> None:
        """See `Quarantine.keep`."""
        key = self._prefix + name
        with self._bucket_errors():
            self._writing_client.put_object(
                Bucket=self._bucket, Key=key, Body=content, ContentType="application/x-ndjson"
            )

    def names(self) -> Iterator[str]:
        """See `ReadableQuarantine.names`. It skips the empty objects that a console makes for folders."""
        with self._bucket_errors():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix
            )
            for page in pages:
                for each in page.get("Contents", []):
                    if not each["Key"].endswith("/") or each.get("Size"):
                        yield each["Key"].removeprefix(self._prefix)

    def read(self, name: str) -> bytes:
        """See `ReadableQuarantine.read`."""
        with self._bucket_errors():
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code in _OF_THE_BUCKET:
                    raise
                raise UnreadableObjectError(_TO_DO.get(code, f"it cannot be read: {error}")) from error
        try:
            return answer["Body"].read()
        except BotoCoreError as error:
            raise UnreadableObjectError(f"it was cut off while it was read, try again: {error}") from error

    def delete(self, name: str) -> None:
        """See `ReadableQuarantine.delete`."""
        with self._bucket_errors():
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + name)

    @contextmanager
    def _bucket_errors(self) -> Iterator[None]:
        """Raise QuarantineError for errors of the SDK, or of its settings."""
        try:
            yield
        except (ClientError, BotoCoreError, ConfigurationError) as error:
            raise QuarantineError(f"the bucket {self._bucket!r}: {explain(error, 's3')}") from error

    @cached_property
    def _writing_client(self) -> "S3Client":
        # One short attempt: if it fails the records fail, and are delivered again.
        return self._made(Config(connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 1}))

    @cached_property
    def _client(self) -> "S3Client":
        # A person reads with a command, without a deadline.
        retries: Any = {"mode": "standard", "total_max_attempts": 5}
        return self._made(Config(connect_timeout=5, read_timeout=30, retries=retries))

    def _made(self, config: Config) -> "S3Client":
        return cast("S3Client", aws_client("s3", config, region=self._region))
