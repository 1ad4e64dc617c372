"""The settings: read once from the environment, validated, frozen."""

import re
from collections.abc import Mapping
from typing import Literal, cast, get_args

from msgspec import Struct

from kinesis_handler import ConfigurationError
from kinesis_handler.record import DEFAULT_MAX_UNPACKED_BYTES
from kinesis_handler.telemetry import LogLevel

RepositoryType = Literal["inmemory", "sqlite", "dynamodb"]

TABLE_NAME = "[A-Za-z0-9_.-]{3,255}"
REGION = "[a-z0-9-]+"
PLACE = "file:///.+|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?"
PLACES = "file:///FOLDER or s3://BUCKET/PREFIX"


class Settings(Struct, frozen=True, kw_only=True):
    """What can be set from outside.

    Args:
        repository_type: REPOSITORY_TYPE, where the limits are kept.
        sqlite_path: SQLITE_PATH, the file that they are kept in.
        user_limit_table_name: USER_LIMIT_TABLE_NAME, the DynamoDB table that they are kept in.
        aws_region: AWS_REGION, where the table is; None for the one that the AWS SDK finds.
        quarantine_url: QUARANTINE_URL, where rejected records are kept; empty to log and skip them.
        on_failure_url: ON_FAILURE_URL, where Lambda keeps what it gave up; empty if the tools need not know.
        storage_ttl: STORAGE_TTL, seconds after its last write at which a limit expires; 0 keeps for ever.
        log_level: LOG_LEVEL, the lowest level that is logged.
        max_unpacked_bytes: MAX_UNPACKED_BYTES, how much one record may hold when it is unpacked.
    """

    repository_type: RepositoryType = "inmemory"
    sqlite_path: str = "limits.db"
    user_limit_table_name: str = "UserLimits"
    aws_region: str | None = None
    quarantine_url: str = ""
    on_failure_url: str = ""
    storage_ttl: int = 3_600
    log_level: LogLevel = "info"
    max_unpacked_bytes: int = DEFAULT_MAX_UNPACKED_BYTES


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings; a variable that is missing or empty has its default.

    Raises ConfigurationError that names the variable, its value and what is allowed.
    """
    default = Settings()
    return Settings(
        repository_type=cast(
            "RepositoryType",
            _choice(environment, "REPOSITORY_TYPE", get_args(RepositoryType), default.repository_type),
        ),
        sqlite_path=_text(environment, "SQLITE_PATH") or default.sqlite_path,
        user_limit_table_name=_matching(
            environment, "USER_LIMIT_TABLE_NAME", TABLE_NAME, "3 to 255 letters, digits, _ . and -"
        )
        or default.user_limit_table_name,
        aws_region=_matching(environment, "AWS_REGION", REGION, "a region's code, such as eu-north-1")
        or None,
        quarantine_url=_matching(environment, "QUARANTINE_URL", PLACE, PLACES),
        on_failure_url=_matching(environment, "ON_FAILURE_URL", PLACE, PLACES),
        storage_ttl=_integer(environment, "STORAGE_TTL", 0, default.storage_ttl),
        log_level=cast("LogLevel", _choice(environment, "LOG_LEVEL", get_args(LogLevel), default.log_level)),
        max_unpacked_bytes=_integer(environment, "MAX_UNPACKED_BYTES", 1, default.max_unpacked_bytes),
    )


def _text(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name, "").strip()


def _matching(environment: Mapping[str, str], name: str, pattern: str, allowed: str) -> str:
    value = _text(environment, name)
    if value and not re.fullmatch(pattern, value):
        raise ConfigurationError(f"{name} is {value!r}; allowed: {allowed}")
    return value


def _choice(environment: Mapping[str, str], name: str, allowed: tuple[str, ...], default: str) -> str:
    value = _text(environment, name) or default
    if value.lower() not in allowed:
        raise ConfigurationError(f"{name} is {value!r}; allowed: {', '.join(allowed)}")
    return value.lower()


def _integer(environment: Mapping[str, str], name: str, minimum: int, default: int) -> int:
    value = _text(environment, name)
    if not value:
        return default
    if not re.fullmatch("[0-9]{1,18}", value) or int(value) < minimum:
        raise ConfigurationError(f"{name} is {value!r}; allowed: a whole number from {minimum} up")
    return int(value)
