"""The settings: read once from the environment, validated, frozen."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from kinesis_handler import ConfigurationError
from kinesis_handler.environment import (
    REGION,
    REGION_FORM,
    allowed_for,
    is_on_lambda,
    read_environment,
    read_text,
)
from kinesis_handler.ingest.record import DEFAULT_MAX_UNPACKED_BYTES
from kinesis_handler.moving.phase import Phase, Side
from kinesis_handler.parking import DEFAULT_PARK_AFTER
from kinesis_handler.quarantine.opening import NO_QUARANTINE, QUARANTINE_FORMS, QUARANTINE_URL
from kinesis_handler.stores.url import STORE_FORMS, TABLE_FORM, TABLE_NAME
from kinesis_handler.telemetry.logs import LogLevel

RepositoryType = Literal["inmemory", "sqlite", "dynamodb"]
Auth = Literal["none", "jwt"]
MetricsFormat = Literal["none", "emf"]
Tracing = Literal["none", "otel"]

DEFAULT_REGION = "us-east-1"
"""The region of every client, where neither AWS_REGION nor the AWS SDK's other settings say one."""

QUARANTINE_OR_NONE = f"{QUARANTINE_FORMS}, or {NO_QUARANTINE}: rejected records are logged and skipped"
# Without TLS only where no network is in between.
_JWKS = r"https://[^\s/]+(/\S*)?|http://(127\.0\.0\.1|localhost)(:[0-9]{1,5})?(/\S*)?|file:///\S+"
_ISSUER = r"https://[^\s?#]+|http://(127\.0\.0\.1|localhost)(:[0-9]{1,5})?(/[^\s?#]*)?"
_ORIGIN = r"\*|https?://[a-z0-9.-]+(:[0-9]{1,5})?"
_SCOPE = r"[!#-\[\]-~]{1,255}"
_SWITCH = (r"file:///.+", r"appconfig://[\w.-]+/[\w.-]+/[\w.-]+(\?flag=[\w.-]+)?")
_SWITCH_FORMS = "file:///FILE or appconfig://APPLICATION/ENVIRONMENT/PROFILE?flag=FLAG"


def _text(pattern: str, allowed: str) -> Meta:
    """Return what makes a text match a pattern as a whole."""
    return Meta(pattern=rf"\A(?:{pattern})\Z", description=allowed)


def _number(minimum: int) -> Meta:
    return Meta(ge=minimum, lt=10**18, description=f"a whole number from {minimum} up")


def _switch(positions: Iterable[str]) -> Meta:
    """Return what makes a text one of some positions, or the URL of a switch."""
    return _text("|".join([*positions, *_SWITCH]), ", ".join([*positions, _SWITCH_FORMS]))


ParkAfter = Annotated[
    Annotated[int, _number(0)] | Literal["never"], Meta(description="a whole number from 0 up, or never")
]
Service = Annotated[str, _text("[A-Za-z0-9_./-]{1,255}", "1 to 255 letters, digits, _ . / and -")]
Table = Annotated[str, _text(TABLE_NAME, TABLE_FORM)]
Region = Annotated[str, _text(REGION, REGION_FORM)]
Quarantine = Annotated[str, _text(f"{QUARANTINE_URL}|{NO_QUARANTINE}", QUARANTINE_OR_NONE)]
OnFailure = Annotated[str, _text(QUARANTINE_URL, QUARANTINE_FORMS)]
Issuer = Annotated[str, Meta(description="the issuer of the tokens, as they name it")]
Audience = Annotated[str, Meta(description="the audience of the tokens, as they name it")]
Jwks = Annotated[str, _text(_JWKS, "https://HOST/PATH or file:///FILE")]
HelpUrl = Annotated[
    str, _text(r"https?://\S+|mailto:\S+|tel:\S+", "https://HOST/PATH, mailto:ADDRESS or tel:NUMBER")
]
Origin = Annotated[str, _text(_ORIGIN, "*, or such as https://shop.example, with commas between")]


class Settings(Struct, frozen=True, kw_only=True):
    """What can be set from outside.

    Args:
        service_name: SERVICE_NAME, the name of this deployment in log lines and metrics.
        repository_type: REPOSITORY_TYPE, where the limits are stored; memory is refused in a Lambda function.
        sqlite_path: SQLITE_PATH, the file in which sqlite stores them.
        user_limit_table_name: USER_LIMIT_TABLE_NAME, the DynamoDB table, with the keys `userId` and
            `limitId`.
        aws_region: AWS_REGION, the region of all AWS services; if it is not set, the one that the AWS SDK
            finds.
        quarantine_url: QUARANTINE_URL, where rejected records are stored, `file:///FOLDER` or
            `s3://BUCKET/PREFIX`; `none` to log and skip them. A Lambda function must have one or the other.
        on_failure_url: ON_FAILURE_URL, where Lambda stores what it gave up, for `quarantine` and `redrive`:
            likewise.
        storage_ttl: STORAGE_TTL, seconds after its last write at which a limit expires; 0 for never. It must
            be set in a Lambda function.
        park_after: PARK_AFTER, seconds from its arrival for which an event that fails is retried while its
            shard waits. Then it is parked in the quarantine, and all later ones of its limit behind it; the
            shard goes on. `never`: it is retried until Lambda gives it up.
        log_level: LOG_LEVEL, the lowest level that is logged, by any name that Python, structlog or Lambda
            has for it. Only at debug are values of a payload logged.
        migration_phase: MIGRATION_PHASE, how far the move to another store is, or where to read that.
        migration_target: MIGRATION_TARGET, the URL of that store; empty if there is no move.
        migration_read: MIGRATION_READ, which of the two stores is read, source or target, or where to read
            that; empty for the one that decides.
        aws_appconfig_extension_http_port: AWS_APPCONFIG_EXTENSION_HTTP_PORT, the port of AppConfig's agent.
        metrics: METRICS, whether metrics are written for CloudWatch: by default in a Lambda function only.
        tracing: TRACING, whether spans are sent to OpenTelemetry.
        max_unpacked_bytes: MAX_UNPACKED_BYTES, the size of one record, at most, when it is unpacked.
        auth: AUTH, whether the API asks for a token. It must be set in the function of the API.
        jwt_issuer: JWT_ISSUER, who issues the tokens.
        jwt_audience: JWT_AUDIENCE, what tokens for this API are issued for.
        jwt_jwks: JWT_JWKS, where the issuer's public keys are, `https://HOST/PATH` or `file:///FILE`.
        oidc_client_id: OIDC_CLIENT_ID, the page's id at the issuer, where its readers sign in; with AUTH=jwt
            and without it, no page is served.
        oidc_scope: OIDC_SCOPE, the scopes that the page asks the issuer for.
        oidc_origins: OIDC_ORIGINS, where the issuer exchanges a code for a token, if that is not the issuer's
            own origin.
        operator_scope: OPERATOR_SCOPE, the scope of a token whose bearer may operate: see `serve --operator`.
        cors_allow_origins: CORS_ALLOW_ORIGINS, the origins whose pages may read the API's answers, with
            commas between.
        help_text: HELP_TEXT, what the page says to a player who has reached a limit; empty for nothing.
        help_url: HELP_URL, the address to which that line links.
    """

    service_name: Service = "user-limits"
    repository_type: RepositoryType = "inmemory"
    sqlite_path: Annotated[str, Meta(description="the path of a file")] = "limits.db"
    user_limit_table_name: Table = "UserLimits"
    aws_region: Region | None = None
    quarantine_url: Quarantine = ""
    on_failure_url: OnFailure = ""
    storage_ttl: Annotated[int, _number(0)] = 3_600
    park_after: ParkAfter = int(DEFAULT_PARK_AFTER)
    log_level: LogLevel = "info"
    migration_phase: Annotated[str, _switch(Phase)] = ""
    migration_target: Annotated[str, Meta(description=STORE_FORMS)] = ""
    migration_read: Annotated[str, _switch(Side)] = ""
    aws_appconfig_extension_http_port: Annotated[int, _number(1)] = 2772
    metrics: MetricsFormat = "none"
    tracing: Tracing = "none"
    max_unpacked_bytes: Annotated[int, _number(1)] = DEFAULT_MAX_UNPACKED_BYTES
    auth: Auth = "none"
    jwt_issuer: Issuer = ""
    jwt_audience: Audience = ""
    jwt_jwks: Jwks = ""
    oidc_client_id: Annotated[str, Meta(description="the id of a public client")] = ""
    oidc_scope: Annotated[str, Meta(description="scopes with spaces between")] = "openid"
    oidc_origins: tuple[Origin, ...] = ()
    operator_scope: Annotated[str, _text(_SCOPE, "one scope, without spaces")] = "limits:operate"
    cors_allow_origins: tuple[Origin, ...] = ()
    help_text: Annotated[str, Meta(max_length=300, description="at most 300 characters")] = ""
    help_url: HelpUrl = ""


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings; a variable that is missing or empty has its default.

    Raises ConfigurationError that names the variable, its value and what is allowed.
    """
    if is_on_lambda(environment) and not environment.get("METRICS"):
        environment = {**environment, "METRICS": "emf"}  # alarms are made of the figures
    settings = read_environment(Settings, environment)
    _check_migration(settings)
    _check_access(settings)
    if settings.help_url and not settings.help_text:
        raise ConfigurationError("HELP_URL is set and HELP_TEXT is not: nothing would lead there")
    return settings


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


def _check_migration(settings: Settings) -> None:
    """Refuse a phase without a target, and the other way round."""
    phase, target = settings.migration_phase, settings.migration_target
    if bool(phase) != bool(target):
        missing, there = ("TARGET", "PHASE") if phase else ("PHASE", "TARGET")
        raise ConfigurationError(f"MIGRATION_{there} is set and MIGRATION_{missing} is not: it takes both")
    if settings.migration_read and not target:
        raise ConfigurationError("MIGRATION_READ is set and MIGRATION_TARGET is not: there is one store")


def _check_access(settings: Settings) -> None:
    """Refuse half of what checks a token: it would let nobody in, or anybody."""
    if settings.auth == "none":
        if settings.oidc_client_id:
            raise ConfigurationError(
                "OIDC_CLIENT_ID is set and AUTH is 'none': the page needs no sign-in; set AUTH=jwt"
            )
        return
    if settings.oidc_client_id and not re.fullmatch(_ISSUER, settings.jwt_issuer):
        raise ConfigurationError(
            f"JWT_ISSUER is {settings.jwt_issuer!r}, and OIDC_CLIENT_ID is set: readers sign in there; "
            "allowed: https://HOST/PATH"
        )
    needed = {"jwt_issuer": Issuer, "jwt_audience": Audience, "jwt_jwks": Jwks}
    for field, hint in needed.items():
        if not getattr(settings, field):
            raise ConfigurationError(
                f"{field.upper()} is '', and AUTH is 'jwt'; allowed: {allowed_for(hint)}"
            )
