"""The one place where the parts are named and put together."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from kinesis_handler import ConfigurationError, KinesisHandler, configure_logging
from kinesis_handler.application import Api, Application, ASGIApp, Kept, View
from kinesis_handler.opening import OpenStore, library_named, open_quarantine
from kinesis_handler.places import InMemory
from kinesis_handler.repository import Repository
from kinesis_handler.telemetry.metrics import EmbeddedMetrics
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor
from user_limits.settings import Settings, read_settings
from user_limits.store import store_of
from user_limits.terminal import HEADINGS, limit_row
from user_limits.view import limit_document

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

PARTITION_KEY, SORT_KEY = "userId", "limitId"

RESERVE_MS = 5_000
"""A request to DynamoDB that is not answered takes 4 seconds; it must not outlast the invocation."""

API_TIMEOUT = 10.0
"""Seconds within which a request to the API is answered: enough to ask DynamoDB twice."""


def consumer(environment: Mapping[str, str] = os.environ) -> KinesisHandler:
    """Build the handler that runs on Lambda.

    Raises ConfigurationError at a wrong setting, or if the store cannot be used.
    """
    built = application(environment)
    with _setting_named(read_settings(environment)):
        built.check()
    return built.handler


def application(environment: Mapping[str, str] = os.environ, store: str | None = None) -> Application:
    """Build what the command line works with: the same handler, and the view onto its limits.

    Args:
        environment: the settings.
        store: the URL of a store, in place of the one that the settings name.

    Raises ConfigurationError at a wrong setting.
    """
    settings = read_settings(environment)
    configure_logging(settings.service_name, settings.log_level)
    chosen = store_of(settings, store)
    with _setting_named(settings) if store is None else nullcontext():
        opened = OpenStore(chosen)
        limits = _keep(opened, settings)
    waits = not isinstance(chosen, InMemory)
    quarantine = open_quarantine(settings.quarantine_url, settings.aws_region)
    handler = KinesisHandler(
        [UserLimitEventProcessor(limits.repository)],
        quarantine=quarantine,
        max_unpacked_bytes=settings.max_unpacked_bytes,
        reserve_ms=RESERVE_MS,
        metrics=_metrics(settings),
        tracer=_tracer(settings),
    )
    return Application(
        handler,
        [View("limits", limits.repository, limit_document, HEADINGS, limit_row)],
        limits.tables,
        quarantine,
        on_failure=open_quarantine(settings.on_failure_url, settings.aws_region),
        checkpoints=opened.checkpoints,
        api=Api(
            build=lambda *, local: _api(
                limits.repository, settings, in_threads=waits, with_page=settings.auth == "none", local=local
            ),
            is_open=settings.auth == "none",
            path=lambda user_id: f"/users/{quote(user_id, safe='')}",
        ),
        further_events=partial(_further_events, limits.repository),
    )


def api(environment: Mapping[str, str] = os.environ) -> ASGIApp:
    """Build the API that runs on Lambda.

    Raises ConfigurationError at a wrong setting, if the store cannot be used, or if nobody has said whether
    a token is needed.
    """
    settings = read_settings(environment)
    if not environment.get("AUTH"):
        raise ConfigurationError("AUTH is not set; allowed: jwt, or none if whoever gets here may read all")
    configure_logging(settings.service_name, settings.log_level)
    with _setting_named(settings):
        limits = _keep(OpenStore(store_of(settings)), settings)
        for table in limits.tables:
            table.check()
    # One request at a time: while it waits, there is nothing else to do.
    return _api(limits.repository, settings, in_threads=False, with_page=False, local=False)


def _keep(store: OpenStore, settings: Settings) -> Kept[Limit]:
    return store.keep(Limit, (PARTITION_KEY, SORT_KEY), ttl=settings.storage_ttl)


def _further_events(limits: Repository[Limit]) -> Iterator[tuple[str, bytes]]:
    from user_limits.further_events import further_events

    return further_events(limits)


def _api(
    limits: Repository[Limit], settings: Settings, *, in_threads: bool, with_page: bool, local: bool
) -> ASGIApp:
    with library_named("API", "api"):
        from user_limits.api.app import Options, build_api
        from user_limits.api.observed import observed

        if settings.auth == "jwt":
            from user_limits.api.jwks import KeySource, fetcher
            from user_limits.api.tokens import TokenAccess

            keys = KeySource(fetcher(settings.jwt_jwks))
            access = TokenAccess(keys, issuer=settings.jwt_issuer, audience=settings.jwt_audience)
        else:
            access = None
    options = Options(
        in_threads=in_threads,
        timeout=API_TIMEOUT if in_threads or access is not None else None,
        access=access,
        cors_origins=settings.cors_allow_origins,
        rate_limit=settings.rate_limit,
        with_page=with_page,
        local=local,
    )
    return observed(build_api(limits, options), _metrics(settings), _tracer(settings))


def _metrics(settings: Settings) -> EmbeddedMetrics | None:
    return EmbeddedMetrics(settings.service_name) if settings.metrics == "emf" else None


def _tracer(settings: Settings) -> "Tracer | None":
    """Return OpenTelemetry's tracer, which does nothing until a provider of its SDK is there."""
    if settings.tracing == "none":
        return None
    with library_named("tracing", "tracing"):
        from opentelemetry.trace import get_tracer
    return get_tracer("kinesis_handler")


@contextmanager
def _setting_named(settings: Settings) -> Iterator[None]:
    """Say which setting named the store that cannot be used."""
    try:
        yield
    except ConfigurationError as error:
        if isinstance(error.__cause__, ModuleNotFoundError):
            raise
        match settings.repository_type:
            case "sqlite":
                raise ConfigurationError(f"SQLITE_PATH is {settings.sqlite_path!r}: {error}") from error
            case "dynamodb":
                name = settings.user_limit_table_name
                raise ConfigurationError(f"USER_LIMIT_TABLE_NAME is {name!r}: {error}") from error
        raise
