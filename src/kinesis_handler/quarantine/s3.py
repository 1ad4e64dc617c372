"""A quarantine in an S3 bucket."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from kinesis_handler.aws import aws_client, explain, find_region
from kinesis_handler.errors import ConfigurationError, QuarantineError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

__all__ = ["S3Quarantine"]


class S3Quarantine:
    """Keeps each object in a bucket. To keep takes the permission `s3:PutObject`, and no other.

    The client is made with the first object: a cold start does not pay for what most batches never need.

    Args:
        bucket: its name.
        prefix: of all keys, without a slash at its end; may be empty.
        region: of the bucket; None for the one that the AWS SDK finds.
        default_region: where it finds none.

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
        with self._told():
            self._client.put_object(
                Bucket=self._bucket, Key=key, Body=content, ContentType="application/x-ndjson"
            )

    def names(self) -> Iterator[str]:
        """See `ReadableQuarantine.names`."""
        with self._told():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix
            )
            for page in pages:
                for each in page.get("Contents", []):
                    yield each["Key"].removeprefix(self._prefix)

    def read(self, name: str) -> bytes:
        """See `ReadableQuarantine.read`."""
        with self._told():
            return self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)["Body"].read()

    def delete(self, name: str) -> None:
        """See `ReadableQuarantine.delete`."""
        with self._told():
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + name)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (ClientError, BotoCoreError) as error:
            raise QuarantineError(f"the bucket {self._bucket!r}: {explain(error, 's3')}") from error
        except ConfigurationError as error:
            raise QuarantineError(f"the bucket {self._bucket!r}: {error}") from error

    @cached_property
    def _client(self) -> "S3Client":
        # Once, and not for long: where it fails the records fail, and come again.
        config = Config(connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 1})
        return cast("S3Client", aws_client("s3", config, region=self._region))
