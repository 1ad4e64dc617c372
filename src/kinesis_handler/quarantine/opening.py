"""Opens the quarantine that a URL names. Only the library of what is opened is imported."""

import re
from typing import TYPE_CHECKING

from kinesis_handler.errors import ConfigurationError
from kinesis_handler.extras import require_extra

if TYPE_CHECKING:
    from kinesis_handler.quarantine import ReadableQuarantine

QUARANTINE_URL = r"file:///[^\0\n]+|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?"
QUARANTINE_FORMS = "file:///FOLDER or s3://BUCKET/PREFIX"

NO_QUARANTINE = "none"
"""In place of a quarantine's URL: rejected records are logged and skipped, and that is meant."""


def open_quarantine(
    url: str, region: str | None = None, *, default_region: str | None = None
) -> "ReadableQuarantine | None":
    """Open the quarantine that a URL names; return None if the URL is empty, or `none`.

    Args:
        url: `file:///FOLDER` or `s3://BUCKET/PREFIX`.
        region: of the bucket; None for the one that the AWS SDK finds.
        default_region: of the bucket, where that finds none.

    Raises ConfigurationError that quotes the URL and says what is allowed, or what has to be installed; and
    if there is no region.
    """
    if url in {"", NO_QUARANTINE}:
        return None
    if not re.fullmatch(QUARANTINE_URL, url):
        raise ConfigurationError(f"the quarantine is {url!r}; allowed: {QUARANTINE_FORMS}")
    scheme, _, path = url.partition("://")
    if scheme == "file":
        from kinesis_handler.quarantine.directory import DirectoryQuarantine

        return DirectoryQuarantine(path)
    with require_extra("quarantine in S3"):
        from kinesis_handler.quarantine.s3 import S3Quarantine
    bucket, _, prefix = path.partition("/")
    return S3Quarantine(bucket, prefix.strip("/"), region, default_region=default_region)
