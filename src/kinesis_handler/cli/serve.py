"""Implements `serve`: runs the application's API on a web server, with demo events on request."""

import gc
import getpass
import signal
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from itertools import islice
from threading import Event
from types import FrameType
from typing import NoReturn

from kinesis_handler.application import Api, Application, ASGIApp
from kinesis_handler.cli.console import echo
from kinesis_handler.cli.run import deliver
from kinesis_handler.cli.tally import Tally
from kinesis_handler.errors import ConfigurationError, KinesisHandlerError
from kinesis_handler.extras import require_extra
from kinesis_handler.hosts import is_this_machine
from kinesis_handler.local.background import in_background
from kinesis_handler.local.event_source import put_on_shard
from kinesis_handler.local.minutes import Minutes
from kinesis_handler.operator_page.server import OperatorPage

PAUSE = 1.0
"""Seconds between two demo events."""

GRACE = 2
"""Seconds that requests have to finish after Ctrl-C."""


def serve_api(  # noqa: PLR0913 - the command has as many options
    application: Application,
    api: Api,
    *,
    host: str,
    port: int,
    live: bool,
    insecure: bool,
    minutes: Minutes | None,
    operator: bool,
) -> None:
    """Serve the application's API until Ctrl-C or SIGTERM, and with `operator` the operator's page.

    Raises ConfigurationError if it may not or cannot be served there.
    """
    is_local = is_this_machine(f"[{host}]" if ":" in host else host)
    if operator and api.is_open and not is_local:
        raise ConfigurationError(
            f"--host is {host!r}, and AUTH is 'none': --operator is for this machine only then, and "
            "--insecure changes nothing about it. Set AUTH=jwt"
        )
    if api.is_open and not insecure and not is_local:
        raise ConfigurationError(
            f"--host is {host!r}, and AUTH is 'none': anyone who can reach it could read everything. "
            "Set AUTH=jwt, or say --insecure"
        )
    with require_extra("command serve", "serve"):
        import uvicorn  # noqa: PLC0415 - only this command needs it

        from kinesis_handler.cli.http_protocol import bounded, process_bounds  # noqa: PLC0415
    served = api.build(local=api.is_open and not insecure)
    page = _operator_page(application, api, served, minutes) if operator else None
    config = uvicorn.Config(
        page or served,
        http=bounded(process_bounds()),
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
    )
    gc.freeze()  # loaded objects stay: the collector need not look through them again and again
    with _listening(host, port) as listener, _demo_events(application, minutes, live=live):
        try:
            with suppress(KeyboardInterrupt):  # not always raised: the server catches signals while it runs
                signal.signal(signal.SIGTERM, _interrupt)
                if page is not None:
                    echo(f"http://{_address(listener)}/operator  (the operator's page)")
                echo(f"http://{_address(listener)}{_example(application, api)}  (Ctrl-C ends it)")
                uvicorn.Server(config).run(sockets=[listener])
            echo("ended")
        finally:
            if page is not None:
                page.close()


def _operator_page(
    application: Application, api: Api, served: ASGIApp, minutes: Minutes | None
) -> OperatorPage:
    """Return the operator's page before the API. Raises ConfigurationError if nobody could operate."""
    if api.is_open:
        return OperatorPage(application, served, minutes=minutes, user=getpass.getuser())
    if api.operators is None:
        raise ConfigurationError("--operator: the API asks for tokens, and its Api names no operators")
    return OperatorPage(application, served, operators=api.operators(), minutes=minutes)


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {host}, port {port}: {error.strerror}") from error


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _example(application: Application, api: Api) -> str:
    """Return the path of a stored aggregate, or else of the root."""
    for view in application.views:
        stored = view.repository.scan(on_unreadable=lambda _key, _error: None)  # a request for it reports it
        for aggregate in islice(stored, 1):
            return api.path(aggregate.key[0])
    return "/"


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """Raise what Ctrl-C raises."""
    raise KeyboardInterrupt


def _demo_events(
    application: Application, minutes: Minutes | None, *, live: bool
) -> AbstractContextManager[None]:
    """Let demo events arrive while the context lasts, if `live`."""
    if not live:
        return nullcontext()
    if application.demo_events is None:
        raise ConfigurationError("this application makes up no events: leave out --live")
    return in_background(partial(_trickle, application, application.demo_events(), minutes), "demo events")


def _trickle(
    application: Application, events: Iterator[tuple[str, bytes]], minutes: Minutes | None, over: Event
) -> None:
    """Deliver one event after the other; each is generated after the one before it was applied."""
    tally = Tally()
    options = {"maximum_retry_attempts": 2, "retry_wait": PAUSE, "sleep": over.wait}
    try:
        for record in put_on_shard(events):
            deliver(application, [record], tally, minutes, **options)
            if over.wait(PAUSE):
                break
    except KinesisHandlerError as error:
        echo(f"no further events: {error}", err=True)
