"""The one place where the parts are named and put together."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from kinesis_handler import ConfigurationError, KinesisHandler, configure_logging, open_quarantine, open_store
from kinesis_handler.application import Api, Application, ASGIApp, Operators, View
from kinesis_handler.extras import require_extra
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.moving.opening import Migration, open_migration
from kinesis_handler.moving.phase import Phase
from kinesis_handler.stores import ReadableRepository, Repository, Store
from kinesis_handler.telemetry.metrics import EmbeddedMetrics
from user_limits.activity import Activity
from user_limits.limit import Limit
from user_limits.move import Move, open_repository, phase_of, read_side
from user_limits.processor import ActivityProcessor, UserLimitEventProcessor
from user_limits.settings import DEFAULT_REGION, Settings, check_api, check_consumer, read_settings
from user_limits.terminal import HEADINGS, limit_row
from user_limits.view import limit_document

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

    from user_limits.api.tokens import TokenAccess
    from user_limits.scheduled_redrive import ScheduledRedrive

PARTITION_KEY, SORT_KEY = "userId", "limitId"

ACTIVITY = "activity"
"""Name of the repository of activities: in DynamoDB its table is that of the limits with `-activity`."""

RESERVE_MS = 5_000
"""A request to DynamoDB that is not answered takes 4 seconds; it must not outlast the invocation."""

API_TIMEOUT = 10.0
"""Seconds within which a request to the API is answered: enough to ask DynamoDB twice."""


def consumer(environment: Mapping[str, str] = os.environ) -> KinesisHandler:
    """Build the handler that runs on Lambda.

    Raises ConfigurationError at a wrong setting, if the store cannot be used, or if on Lambda nobody has said
    what becomes of the data.
    """
    check_consumer(read_settings(environment), environment)
    built = application(environment)
    built.check()
    return built.handler


def redrive(environment: Mapping[str, str] = os.environ) -> "ScheduledRedrive":
    """Build the function that redrives on a schedule, on Lambda.

    Raises ConfigurationError as `consumer` does.
    """
    from user_limits.scheduled_redrive import ScheduledRedrive

    settings = read_settings(environment)
    check_consumer(settings, environment)
    built = application(environment)
    built.check()
    return ScheduledRedrive(built, _metrics(settings))


def application(environment: Mapping[str, str] = os.environ, store: str | None = None) -> Application:
    """Build what the command line works with: the same handler, and the view onto its limits.

    Args:
        environment: the settings.
        store: the URL of a store, in place of the one that the settings name. Then there is no move.

    Raises ConfigurationError at a wrong setting.
    """
    settings = read_settings(environment)
    configure_logging(settings.service_name, settings.log_level)
    open_limits, open_activities = partial(_limits, settings), partial(_activities, settings)
    opened, phase = _open(settings, store), phase_of(settings)
    move = _move(settings, phase if store is None else None)
    limits, shown = open_repository(opened, move, open_limits)
    activities, shown_activities = open_repository(opened, move, open_activities)

    def migration(source_url: str | None = None, target_url: str | None = None) -> Migration:
        source, target = _open(settings, source_url), _open_target(settings, target_url)
        return open_migration(source, target, {"": open_limits, ACTIVITY: open_activities}, phase)

    quarantine, on_failure = (
        open_quarantine(url, settings.aws_region, default_region=DEFAULT_REGION)
        for url in (settings.quarantine_url, settings.on_failure_url)
    )
    handler = KinesisHandler(
        [
            UserLimitEventProcessor(limits, park_after=_park_after(settings)),
            ActivityProcessor(activities, park_after=None),  # it refuses no event
        ],
        quarantine=quarantine,
        max_unpacked_bytes=settings.max_unpacked_bytes,
        reserve_ms=RESERVE_MS,
        metrics=_metrics(settings),
        tracer=_tracer(settings),
    )
    return Application(
        handler,
        [View("limits", shown, limit_document, HEADINGS, limit_row)],
        opened,
        quarantine,
        on_failure=on_failure,
        replica=move.target if move is not None else None,
        api=Api(
            build=lambda *, local: _api(
                shown,
                shown_activities,
                settings,
                in_threads=move is not None or not opened.in_memory,
                with_page=settings.auth == "none" or bool(settings.oidc_client_id),
                local=local,
            ),
            is_open=settings.auth == "none",
            path=lambda user_id: f"/users/{quote(user_id, safe='')}",
            operators=partial(_operators, settings),
        ),
        demo_events=partial(_demo_events, shown),
        demo_recording=_demo_recording,
        migration=migration,
        default_region=DEFAULT_REGION,
    )


def api(environment: Mapping[str, str] = os.environ) -> ASGIApp:
    """Build the API that runs on Lambda.

    Raises ConfigurationError at a wrong setting, if the store cannot be used, or if nobody has said whether
    a token is needed.
    """
    settings = read_settings(environment)
    check_api(settings, environment)
    configure_logging(settings.service_name, settings.log_level)
    opened = _open(settings)
    move = _move(settings, phase_of(settings))
    _, shown = open_repository(opened, move, partial(_limits, settings))
    _, activities = open_repository(opened, move, partial(_activities, settings))
    opened.check()
    if move is not None:
        move.target.check()
    # One request at a time: while it waits, there is nothing else to do, and between two nothing runs.
    return _api(shown, activities, settings, in_threads=False, with_page=False, local=False, is_paused=True)


def _open(settings: Settings, url: str | None = None) -> Store:
    """Open the store that the settings name, or that of a URL; while there is a move, it may be down."""
    if url is not None:
        return _store(settings, url)
    setting = {
        "inmemory": "",
        "sqlite": f"SQLITE_PATH is {settings.sqlite_path!r}",
        "dynamodb": f"USER_LIMIT_TABLE_NAME is {settings.user_limit_table_name!r}",
    }[settings.repository_type]
    may_be_down = bool(settings.migration_target)
    return _store(settings, f"{settings.repository_type}:", setting=setting, may_be_down=may_be_down)


def _open_target(settings: Settings, url: str | None = None) -> Store:
    """Open the store that the settings move the limits to, or that of a URL; it may be down."""
    name, url = ("MIGRATION_TARGET", settings.migration_target) if url is None else ("--to", url)
    if not url:
        raise ConfigurationError("MIGRATION_TARGET is not set: set it, or say --to URL")
    setting = f"{name} is {url!r}"
    return _store(settings, url, setting=setting, made_by=f"table create --store {url}", may_be_down=True)


def _store(settings: Settings, url: str, **options: Any) -> Store:
    """Open the store of a URL; what it does not say, the settings do."""
    return open_store(
        url,
        file=settings.sqlite_path,
        table=settings.user_limit_table_name,
        region=settings.aws_region,
        default_region=DEFAULT_REGION,
        **options,
    )


def _limits(settings: Settings, store: Store) -> Repository[Limit]:
    return store.repository(Limit, keys=(PARTITION_KEY, SORT_KEY), ttl=settings.storage_ttl)


def _activities(settings: Settings, store: Store) -> Repository[Activity]:
    return store.repository(Activity, keys=(PARTITION_KEY, SORT_KEY), ttl=settings.storage_ttl, name=ACTIVITY)


def _park_after(settings: Settings) -> float | None:
    return None if settings.park_after == "never" else settings.park_after


def _move(settings: Settings, phase: Callable[[], Phase] | None) -> Move | None:
    if phase is None:
        return None
    return Move(_open_target(settings), phase, read_side(settings, phase))


def _demo_events(limits: ReadableRepository[Limit]) -> Iterator[tuple[str, bytes]]:
    from user_limits.demo_events import demo_events

    return demo_events(limits)


def _demo_recording(records: Iterable[LambdaRecord]) -> Iterable[LambdaRecord]:
    from user_limits.demo_recording import moved_to_now

    return moved_to_now(records)


def _api(  # noqa: PLR0913 - Lambda and `serve` differ in as much
    limits: ReadableRepository[Limit],
    activities: ReadableRepository[Activity],
    settings: Settings,
    *,
    in_threads: bool,
    with_page: bool,
    local: bool,
    is_paused: bool = False,
) -> ASGIApp:
    with require_extra("API", "api"):
        from user_limits.api.app import Options, build_api
        from user_limits.api.instrumented import instrumented
        from user_limits.page_settings import page_options, sign_in_origins

        access = _access(settings, is_paused=is_paused) if settings.auth == "jwt" else None
    options = Options(
        in_threads=in_threads,
        timeout=API_TIMEOUT if in_threads or access is not None else None,
        access=access,
        cors_origins=settings.cors_allow_origins,
        page=page_options(settings) if with_page else None,
        sign_in_origins=sign_in_origins(settings) if with_page else (),
        local=local,
    )
    return instrumented(
        build_api(limits, options, activities=activities), _metrics(settings), _tracer(settings)
    )


def _access(settings: Settings, *, is_paused: bool = False) -> "TokenAccess":
    from user_limits.api.jwks import MAX_AGE, REFRESH_AFTER, KeySource
    from user_limits.api.key_set import fetcher
    from user_limits.api.tokens import TokenAccess

    refresh_after = MAX_AGE if is_paused else REFRESH_AFTER
    keys = KeySource(fetcher(settings.jwt_jwks), refresh_after=refresh_after)
    return TokenAccess(keys, issuer=settings.jwt_issuer, audience=settings.jwt_audience)


def _operators(settings: Settings) -> Operators:
    """Return who may operate. Raises ConfigurationError if they could not sign in."""
    if not settings.oidc_client_id:
        raise ConfigurationError(
            "OIDC_CLIENT_ID is '', and AUTH is 'jwt': operators sign in; allowed: the id of a public client"
        )
    with require_extra("API", "api"):
        from user_limits.api.operators import identify_by
        from user_limits.page_settings import sign_in_origins
    scopes = [*settings.oidc_scope.split(), settings.operator_scope]
    return Operators(
        identify=identify_by(_access(settings), settings.operator_scope),
        issuer=settings.jwt_issuer,
        client_id=settings.oidc_client_id,
        scope=" ".join(dict.fromkeys(scopes)),
        origins=sign_in_origins(settings),
    )


def _metrics(settings: Settings) -> EmbeddedMetrics | None:
    return EmbeddedMetrics(settings.service_name) if settings.metrics == "emf" else None


def _tracer(settings: Settings) -> "Tracer | None":
    """Return OpenTelemetry's tracer, which does nothing until a provider of its SDK is there."""
    if settings.tracing == "none":
        return None
    with require_extra("tracing", "tracing"):
        from opentelemetry.trace import get_tracer
    return get_tracer("kinesis_handler")
