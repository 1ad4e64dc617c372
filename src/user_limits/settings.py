"""The settings: read once from the environment, validated, frozen."""

import re
from collections.abc import Mapping
from typing import Any, Literal, cast, get_args

from msgspec import Struct

from kinesis_handler import ConfigurationError
from kinesis_handler.migration.phase import PHASES, Phase
from kinesis_handler.places import QUARANTINE_FORMS, QUARANTINE_URL, REGION, TABLE_NAME
from kinesis_handler.record import DEFAULT_MAX_UNPACKED_BYTES
from kinesis_handler.telemetry.logs import LogLevel

RepositoryType = Literal["inmemory", "sqlite", "dynamodb"]
Auth = Literal["none", "jwt"]
MetricsFormat = Literal["none", "emf"]
Tracing = Literal["none", "otel"]

SERVICE = "[A-Za-z0-9_./-]{1,255}"
PHASE = "|".join([*Phase, "file:///.+", r"appconfig://[\w.-]+/[\w.-]+/[\w.-]+(\?flag=[\w.-]+)?"])
PHASE_FORMS = f"{PHASES}, file:///FILE or appconfig://APPLICATION/ENVIRONMENT/PROFILE?flag=FLAG"
ORIGIN = "https?://[a-z0-9.-]+(:[0-9]{1,5})?"
# Without TLS only where no network is in between.
JWKS = r"https://[^\s/]+(/\S*)?|http://(127\.0\.0\.1|localhost)(:[0-9]{1,5})?(/\S*)?|file:///\S+"
JWKS_FORMS = "https://HOST/PATH or file:///FILE"


class Settings(Struct, frozen=True, kw_only=True):
    """What can be set from outside.

    Args:
        service_name: SERVICE_NAME, what log lines and metrics call this deployment.
        repository_type: REPOSITORY_TYPE, where the limits are kept.
        sqlite_path: SQLITE_PATH, the file that they are kept in.
        user_limit_table_name: USER_LIMIT_TABLE_NAME, the DynamoDB table, with the keys `userId` and
            `limitId`.
        aws_region: AWS_REGION, where the table is; None for the one that the AWS SDK finds.
        quarantine_url: QUARANTINE_URL, where rejected records are kept, `file:///FOLDER` or
            `s3://BUCKET/PREFIX`; empty to log and skip them.
        on_failure_url: ON_FAILURE_URL, where Lambda keeps what it gave up, for `quarantine` and `redrive`:
            likewise.
        storage_ttl: STORAGE_TTL, seconds after its last write at which a limit expires; 0 keeps for ever.
        log_level: LOG_LEVEL, the lowest level that is logged; above debug no value of a payload is.
        migration_phase: MIGRATION_PHASE, how far the move to another store is, or where that is said.
        migration_target: MIGRATION_TARGET, the URL of that store; empty if there is no move.
        aws_appconfig_extension_http_port: AWS_APPCONFIG_EXTENSION_HTTP_PORT, where AppConfig answers.
        metrics: METRICS, whether figures are written for CloudWatch: by default in a Lambda function only.
        tracing: TRACING, whether spans are told to OpenTelemetry.
        max_unpacked_bytes: MAX_UNPACKED_BYTES, how much one record may hold when it is unpacked.
        auth: AUTH, whether the API asks for a token; the function of the API needs it set.
        jwt_issuer: JWT_ISSUER, who issues the tokens.
        jwt_audience: JWT_AUDIENCE, what tokens for this API are issued for.
        jwt_jwks: JWT_JWKS, where the issuer's public keys are, `https://HOST/PATH` or `file:///FILE`.
        cors_allow_origins: CORS_ALLOW_ORIGINS, the origins whose pages may read the API's answers, with
            commas between.
        rate_limit: RATE_LIMIT, requests that one client of the API may make in a minute; 0 for any number.
    """

    service_name: str = "user-limits"
    repository_type: RepositoryType = "inmemory"
    sqlite_path: str = "limits.db"
    user_limit_table_name: str = "UserLimits"
    aws_region: str | None = None
    quarantine_url: str = ""
    on_failure_url: str = ""
    storage_ttl: int = 3_600
    log_level: LogLevel = "info"
    migration_phase: str = ""
    migration_target: str = ""
    aws_appconfig_extension_http_port: int = 2772
    metrics: MetricsFormat = "none"
    tracing: Tracing = "none"
    max_unpacked_bytes: int = DEFAULT_MAX_UNPACKED_BYTES
    auth: Auth = "none"
    jwt_issuer: str = ""
    jwt_audience: str = ""
    jwt_jwks: str = ""
    cors_allow_origins: tuple[str, ...] = ()
    rate_limit: int = 0


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings; a variable that is missing or empty has its default.

    Raises ConfigurationError that names the variable, its value and what is allowed.
    """
    default = Settings()
    phase = _matching(environment, "MIGRATION_PHASE", PHASE, PHASE_FORMS)
    target = _text(environment, "MIGRATION_TARGET")
    if bool(phase) != bool(target):
        missing, there = ("TARGET", "PHASE") if phase else ("PHASE", "TARGET")
        raise ConfigurationError(f"MIGRATION_{there} is set and MIGRATION_{missing} is not: it takes both")
    return Settings(
        service_name=_matching(environment, "SERVICE_NAME", SERVICE, "1 to 255 letters, digits, _ . / and -")
        or default.service_name,
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
        quarantine_url=_matching(environment, "QUARANTINE_URL", QUARANTINE_URL, QUARANTINE_FORMS),
        on_failure_url=_matching(environment, "ON_FAILURE_URL", QUARANTINE_URL, QUARANTINE_FORMS),
        storage_ttl=_integer(environment, "STORAGE_TTL", 0, default.storage_ttl),
        log_level=cast("LogLevel", _choice(environment, "LOG_LEVEL", get_args(LogLevel), default.log_level)),
        migration_phase=phase,
        migration_target=target,
        aws_appconfig_extension_http_port=_integer(
            environment, "AWS_APPCONFIG_EXTENSION_HTTP_PORT", 1, default.aws_appconfig_extension_http_port
        ),
        metrics=cast(
            "MetricsFormat",
            _choice(environment, "METRICS", get_args(MetricsFormat), _metrics_by(environment)),
        ),
        tracing=cast("Tracing", _choice(environment, "TRACING", get_args(Tracing), default.tracing)),
        max_unpacked_bytes=_integer(environment, "MAX_UNPACKED_BYTES", 1, default.max_unpacked_bytes),
        cors_allow_origins=_origins(environment, "CORS_ALLOW_ORIGINS"),
        rate_limit=_integer(environment, "RATE_LIMIT", 0, default.rate_limit),
        **_access(environment),
    )


def _metrics_by(environment: Mapping[str, str]) -> MetricsFormat:
    """Return what is meant where nothing is said: on Lambda alarms are made of the figures."""
    return "emf" if _text(environment, "AWS_LAMBDA_FUNCTION_NAME") else Settings().metrics


def _access(environment: Mapping[str, str]) -> dict[str, Any]:
    """Read what belongs together: half of it would let nobody in, or anybody."""
    auth = _choice(environment, "AUTH", get_args(Auth), "none")
    if auth == "none":
        return {"auth": auth}
    told = {
        "JWT_ISSUER": (_text(environment, "JWT_ISSUER"), "the issuer of the tokens, as they name it"),
        "JWT_AUDIENCE": (_text(environment, "JWT_AUDIENCE"), "the audience of the tokens, as they name it"),
        "JWT_JWKS": (_matching(environment, "JWT_JWKS", JWKS, JWKS_FORMS), JWKS_FORMS),
    }
    for name, (value, allowed) in told.items():
        if not value:
            raise ConfigurationError(f"{name} is '', and AUTH is 'jwt'; allowed: {allowed}")
    return {"auth": auth, **{name.lower(): value for name, (value, _) in told.items()}}


def _origins(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    origins = tuple(filter(None, (each.strip() for each in _text(environment, name).split(","))))
    for origin in origins:
        if origin != "*" and not re.fullmatch(ORIGIN, origin):
            raise ConfigurationError(
                f"{name} is {origin!r}; allowed: *, or such as https://shop.example, with commas between"
            )
    return origins


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
