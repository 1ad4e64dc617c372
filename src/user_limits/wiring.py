"""The one place where concrete classes are named and put together."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from kinesis_handler import ConfigurationError, KinesisHandler, configure_logging
from kinesis_handler.application import Api, Application, ASGIApp, CheckpointStore, Producer, Table, View
from kinesis_handler.quarantine import ReadableQuarantine
from kinesis_handler.repository import Repository
from kinesis_handler.stream.checkpoint import Checkpoint
from kinesis_handler.telemetry.metrics import EmbeddedMetrics
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor
from user_limits.settings import Settings, read_settings
from user_limits.store import DynamoDB, InMemory, SQLite, Store, parse_store, store_of
from user_limits.terminal import HEADINGS, limit_row
from user_limits.view import limit_document

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

SERVICE = "user-limits"

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
        for table in built.tables:
            table.check()
    return built.handler


def application(environment: Mapping[str, str] = os.environ, store: str | None = None) -> Application:
    """Build what the command line works with: the same handler, and the view onto its limits.

    Args:
        environment: the settings.
        store: the URL of a store, in place of the one that the settings name.

    Raises ConfigurationError at a wrong setting.
    """
    settings = read_settings(environment)
    configure_logging(SERVICE, settings.log_level)
    chosen = store_of(settings) if store is None else parse_store(store, settings)
    with _setting_named(settings) if store is None else nullcontext():
        opened = _open(chosen, settings.storage_ttl)
    waits = not isinstance(chosen, InMemory)
    quarantine = _quarantine(settings.quarantine_url, settings.aws_region)
    handler = KinesisHandler(
        [UserLimitEventProcessor(opened.limits)],
        quarantine=quarantine,
        max_unpacked_bytes=settings.max_unpacked_bytes,
        reserve_ms=RESERVE_MS,
        metrics=_metrics(settings),
        tracer=_tracer(settings),
    )
    return Application(
        handler,
        [View("limits", opened.limits, limit_document, HEADINGS, limit_row)],
        opened.tables,
        quarantine,
        on_failure=_quarantine(settings.on_failure_url, settings.aws_region),
        checkpoints=opened.checkpoints,
        api=Api(
            build=lambda *, local: _api(
                opened.limits, settings, in_threads=waits, with_page=settings.auth == "none", local=local
            ),
            is_open=settings.auth == "none",
            path=lambda user_id: f"/users/{quote(user_id, safe='')}",
        ),
        further_events=partial(_further_events, opened.limits),
        producer=_producer,
    )


def api(environment: Mapping[str, str] = os.environ) -> ASGIApp:
    """Build the API that runs on Lambda.

    Raises ConfigurationError at a wrong setting, if the store cannot be used, or if nobody has said whether
    a token is needed.
    """
    settings = read_settings(environment)
    if not environment.get("AUTH"):
        raise ConfigurationError("AUTH is not set; allowed: jwt, or none if whoever gets here may read all")
    configure_logging(SERVICE, settings.log_level)
    with _setting_named(settings):
        opened = _open(store_of(settings), settings.storage_ttl)
        for table in opened.tables:
            table.check()
    # One request at a time: while it waits, there is nothing else to do.
    return _api(opened.limits, settings, in_threads=False, with_page=False, local=False)


def _further_events(limits: Repository[Limit]) -> Iterator[tuple[str, bytes]]:
    from user_limits.further_events import further_events

    return further_events(limits)


def _producer(seed: int, users: int) -> Producer:
    from user_limits.synthetic_events import SyntheticUsers

    return SyntheticUsers(seed, users)


def _api(
    limits: Repository[Limit], settings: Settings, *, in_threads: bool, with_page: bool, local: bool
) -> ASGIApp:
    with _library_named("API", "api"):
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
    return EmbeddedMetrics(SERVICE) if settings.metrics == "emf" else None


def _tracer(settings: Settings) -> "Tracer | None":
    """Return OpenTelemetry's tracer, which does nothing until a provider of its SDK is there."""
    if settings.tracing == "none":
        return None
    with _library_named("tracing", "tracing"):
        from opentelemetry.trace import get_tracer
    return get_tracer("kinesis_handler")


@contextmanager
def _library_named(what: str, extra: str = "aws") -> Iterator[None]:
    """Say what to install for a part that was chosen."""
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        raise ConfigurationError(
            f"the {what} needs {library}: pip install 'kinesis-handler[{extra}]'"
        ) from error


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


def _quarantine(url: str, region: str | None) -> ReadableQuarantine | None:
    scheme, _, place = url.partition("://")
    match scheme:
        case "file":
            from kinesis_handler.quarantine.directory import DirectoryQuarantine

            return DirectoryQuarantine(place)
        case "s3":
            with _library_named("quarantine in S3"):
                from kinesis_handler.quarantine.s3 import S3Quarantine
            bucket, _, prefix = place.partition("/")
            return S3Quarantine(bucket, prefix.strip("/"), region)
    return None


class _Opened(NamedTuple):
    """What a store is used as. The checkpoints are opened when they are asked for: Lambda never does."""

    limits: Repository[Limit]
    tables: Sequence[Table]
    checkpoints: Callable[[], CheckpointStore]


def _open(store: Store, ttl: int) -> _Opened:
    """Open a store: only the chosen one's library is imported, and paid for at a cold start.

    Checkpoints lie beside the limits, so that neither is lost without the other, and never expire.
    """
    match store:
        case InMemory():
            from kinesis_handler.repository.memory import MemoryRepository

            return _Opened(MemoryRepository(ttl=ttl), (), lambda: CheckpointStore(MemoryRepository()))
        case SQLite(path):
            from kinesis_handler.repository.sqlite import SQLiteRepository

            return _Opened(
                SQLiteRepository(path, Limit, ttl=ttl),
                (),
                lambda: CheckpointStore(SQLiteRepository(path, Checkpoint, table="checkpoints")),
            )
        case DynamoDB(name, region, endpoint):
            with _library_named("store in DynamoDB"):
                from kinesis_handler.repository.dynamodb import (
                    DynamoDBRepository,
                    DynamoDBTable,
                    dynamodb_client,
                )
            client = dynamodb_client(region, endpoint)
            table = DynamoDBTable(client, name, partition_key=PARTITION_KEY, sort_key=SORT_KEY)
            limits = DynamoDBRepository(
                client, name, Limit, partition_key=PARTITION_KEY, sort_key=SORT_KEY, ttl=ttl
            )

            def checkpoints() -> CheckpointStore:
                beside, partition_key, sort_key = f"{name}-checkpoints", "stream", "shard"
                return CheckpointStore(
                    DynamoDBRepository(
                        client, beside, Checkpoint, partition_key=partition_key, sort_key=sort_key
                    ),
                    [DynamoDBTable(client, beside, partition_key=partition_key, sort_key=sort_key)],
                )

            return _Opened(limits, [table], checkpoints)
