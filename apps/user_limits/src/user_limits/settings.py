"""The settings: read once from the environment, validated, frozen."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, cast, get_args

from msgspec import Struct

from kinesis_handler import ConfigurationError
from kinesis_handler.environment import (
    is_on_lambda,
    read_choice,
    read_integer,
    read_matching,
    read_text,
    wrong,
)
from kinesis_handler.ingest.record import DEFAULT_MAX_UNPACKED_BYTES
from kinesis_handler.moving.phase import Phase, Side
from kinesis_handler.parking import DEFAULT_PARK_AFTER
from kinesis_handler.quarantine.opening import NO_QUARANTINE, QUARANTINE_FORMS, QUARANTINE_URL
from kinesis_handler.stores.url import REGION, REGION_FORM, STORE_FORMS, TABLE_NAME
from kinesis_handler.telemetry.logs import LogLevel, read_level

RepositoryType = Literal["inmemory", "sqlite", "dynamodb"]
Auth = Literal["none", "jwt"]
MetricsFormat = Literal["none", "emf"]
Tracing = Literal["none", "otel"]
ParkAfter = int | Literal["never"]

DEFAULT_REGION = "us-east-1"
"""The region of every client, where neither AWS_REGION nor the AWS SDK's other settings say one."""

SERVICE = "[A-Za-z0-9_./-]{1,255}"
SERVICE_FORM = "1 to 255 letters, digits, _ . / and -"
TABLE_NAME_FORM = "3 to 255 letters, digits, _ . and -"
SWITCH = ("file:///.+", r"appconfig://[\w.-]+/[\w.-]+/[\w.-]+(\?flag=[\w.-]+)?")
SWITCH_FORMS = "file:///FILE or appconfig://APPLICATION/ENVIRONMENT/PROFILE?flag=FLAG"
QUARANTINE = f"{QUARANTINE_URL}|{NO_QUARANTINE}"
QUARANTINE_OR_NONE = f"{QUARANTINE_FORMS}, or {NO_QUARANTINE}: rejected records are logged and skipped"
ORIGIN = "https?://[a-z0-9.-]+(:[0-9]{1,5})?"
ORIGIN_FORMS = "*, or such as https://shop.example, with commas between"
# Without TLS only where no network is in between.
JWKS = r"https://[^\s/]+(/\S*)?|http://(127\.0\.0\.1|localhost)(:[0-9]{1,5})?(/\S*)?|file:///\S+"
JWKS_FORMS = "https://HOST/PATH or file:///FILE"
PARK_AFTER_FORM = "a whole number from 0 up, or never"


class Settings(Struct, frozen=True, kw_only=True):
    """What can be set from outside.

    Args:
        service_name: SERVICE_NAME, what log lines and metrics call this deployment.
        repository_type: REPOSITORY_TYPE, where the limits are kept; memory is refused in a Lambda function.
        sqlite_path: SQLITE_PATH, the file that they are kept in.
        user_limit_table_name: USER_LIMIT_TABLE_NAME, the DynamoDB table, with the keys `userId` and
            `limitId`.
        aws_region: AWS_REGION, where all of AWS's services are asked; if it is not set, the one that the AWS
            SDK finds.
        quarantine_url: QUARANTINE_URL, where rejected records are kept, `file:///FOLDER` or
            `s3://BUCKET/PREFIX`; `none` to log and skip them, which has to be said in a Lambda function.
        on_failure_url: ON_FAILURE_URL, where Lambda keeps what it gave up, for `quarantine` and `redrive`:
            likewise.
        storage_ttl: STORAGE_TTL, seconds after its last write at which a limit expires; 0 keeps for ever.
            In a Lambda function it has to be said.
        park_after: PARK_AFTER, seconds from its arrival for which an event that fails is retried while its
            shard waits. Then it is parked in the quarantine, and all later ones of its limit behind it; the
            shard goes on. `never`: it is retried until Lambda gives it up.
        log_level: LOG_LEVEL, the lowest level that is logged, by any name that Python, structlog or Lambda
            has for it; above debug no value of a payload is.
        migration_phase: MIGRATION_PHASE, how far the move to another store is, or where that is said.
        migration_target: MIGRATION_TARGET, the URL of that store; empty if there is no move.
        migration_read: MIGRATION_READ, which of the two stores is shown, source or target, or where that is
            said; empty for the one that decides.
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
    park_after: ParkAfter = int(DEFAULT_PARK_AFTER)
    log_level: LogLevel = "info"
    migration_phase: str = ""
    migration_target: str = ""
    migration_read: str = ""
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
    return Settings(
        service_name=read_matching(environment, "SERVICE_NAME", SERVICE, SERVICE_FORM)
        or default.service_name,
        repository_type=cast(
            "RepositoryType",
            read_choice(environment, "REPOSITORY_TYPE", get_args(RepositoryType), default.repository_type),
        ),
        sqlite_path=read_text(environment, "SQLITE_PATH", "the path of a file") or default.sqlite_path,
        user_limit_table_name=read_matching(environment, "USER_LIMIT_TABLE_NAME", TABLE_NAME, TABLE_NAME_FORM)
        or default.user_limit_table_name,
        aws_region=read_matching(environment, "AWS_REGION", REGION, REGION_FORM) or None,
        quarantine_url=read_matching(environment, "QUARANTINE_URL", QUARANTINE, QUARANTINE_OR_NONE),
        on_failure_url=read_matching(environment, "ON_FAILURE_URL", QUARANTINE_URL, QUARANTINE_FORMS),
        storage_ttl=read_integer(environment, "STORAGE_TTL", 0, default.storage_ttl),
        park_after=_park_after(environment, default.park_after),
        log_level=read_level(environment),
        aws_appconfig_extension_http_port=read_integer(
            environment, "AWS_APPCONFIG_EXTENSION_HTTP_PORT", 1, default.aws_appconfig_extension_http_port
        ),
        metrics=cast(
            "MetricsFormat",
            # On Lambda alarms are made of the figures.
            read_choice(
                environment,
                "METRICS",
                get_args(MetricsFormat),
                "emf" if is_on_lambda(environment) else default.metrics,
            ),
        ),
        tracing=cast("Tracing", read_choice(environment, "TRACING", get_args(Tracing), default.tracing)),
        max_unpacked_bytes=read_integer(environment, "MAX_UNPACKED_BYTES", 1, default.max_unpacked_bytes),
        cors_allow_origins=_origins(environment, "CORS_ALLOW_ORIGINS"),
        rate_limit=read_integer(environment, "RATE_LIMIT", 0, default.rate_limit),
        **_migration(environment),
        **_access(environment),
    )


def check_consumer(settings: Settings, environment: Mapping[str, str]) -> None:
    """Refuse what loses data in a Lambda function, unless it was asked for by name. Elsewhere all is allowed.

    Raises ConfigurationError that names every setting that is to be said.
    """
    if not is_on_lambda(environment):
        return
    unsaid = _unsaid_store(settings)
    if not settings.quarantine_url:
        unsaid.append(f"QUARANTINE_URL is not set; allowed: {QUARANTINE_OR_NONE}")
    if not read_text(environment, "STORAGE_TTL"):
        unsaid.append(
            "STORAGE_TTL is not set; allowed: seconds since its last write until a limit expires, 0: never"
        )
    _refuse(unsaid)


def check_api(settings: Settings, environment: Mapping[str, str]) -> None:
    """Refuse an API that is open because nobody said whether it may be; and on Lambda one that shows nothing.

    Raises ConfigurationError that names every setting that is to be said.
    """
    unsaid = _unsaid_store(settings) if is_on_lambda(environment) else []
    if not read_text(environment, "AUTH"):
        unsaid.append("AUTH is not set; allowed: jwt, or none if whoever gets here may read all")
    _refuse(unsaid)


def _unsaid_store(settings: Settings) -> list[str]:
    if settings.repository_type != "inmemory":
        return []
    return ["REPOSITORY_TYPE is 'inmemory', which a Lambda function forgets; allowed: dynamodb, sqlite"]


def _refuse(unsaid: Sequence[str]) -> None:
    if unsaid:
        raise ConfigurationError(" · ".join(unsaid))


def _park_after(environment: Mapping[str, str], default: ParkAfter) -> ParkAfter:
    value = read_matching(environment, "PARK_AFTER", "(?i:never)|[0-9]{1,18}", PARK_AFTER_FORM).lower()
    if value == "never":
        return "never"
    return int(value) if value else default


def _migration(environment: Mapping[str, str]) -> dict[str, Any]:
    """Read what belongs together: where there is a phase there is a target, and the other way round."""
    phase = read_matching(environment, "MIGRATION_PHASE", *_switch(Phase))
    target = read_text(environment, "MIGRATION_TARGET", STORE_FORMS)
    read = read_matching(environment, "MIGRATION_READ", *_switch(Side))
    if bool(phase) != bool(target):
        missing, there = ("TARGET", "PHASE") if phase else ("PHASE", "TARGET")
        raise ConfigurationError(f"MIGRATION_{there} is set and MIGRATION_{missing} is not: it takes both")
    if read and not target:
        raise ConfigurationError("MIGRATION_READ is set and MIGRATION_TARGET is not: there is one store")
    return {"migration_phase": phase, "migration_target": target, "migration_read": read}


def _switch(positions: Iterable[str]) -> tuple[str, str]:
    """Return the pattern of what names a switch, and how that is written down."""
    return "|".join([*positions, *SWITCH]), ", ".join([*positions, SWITCH_FORMS])


def _access(environment: Mapping[str, str]) -> dict[str, Any]:
    """Read what belongs together: half of it would let nobody in, or anybody."""
    auth = read_choice(environment, "AUTH", get_args(Auth), "none")
    issuer, audience = (f"the {each} of the tokens, as they name it" for each in ("issuer", "audience"))
    told = {
        "JWT_ISSUER": (read_text(environment, "JWT_ISSUER", issuer), issuer),
        "JWT_AUDIENCE": (read_text(environment, "JWT_AUDIENCE", audience), audience),
        "JWT_JWKS": (read_matching(environment, "JWT_JWKS", JWKS, JWKS_FORMS), JWKS_FORMS),
    }
    if auth == "none":
        return {"auth": auth}
    for name, (value, allowed) in told.items():
        if not value:
            raise ConfigurationError(f"{name} is '', and AUTH is 'jwt'; allowed: {allowed}")
    return {"auth": auth, **{name.lower(): value for name, (value, _) in told.items()}}


def _origins(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    text = read_text(environment, name, ORIGIN_FORMS)
    origins = tuple(filter(None, (each.strip() for each in text.split(","))))
    for origin in origins:
        if origin != "*" and not re.fullmatch(ORIGIN, origin):
            raise wrong(name, origin, ORIGIN_FORMS)
    return origins
