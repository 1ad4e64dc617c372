"""Implements `serve`: runs the application's API on a web server, with demo events on request."""

import gc
import ipaddress
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from threading import Event, Thread
from types import FrameType
from typing import NoReturn

from kinesis_handler.aggregate import Key
from kinesis_handler.application import Api, Application
from kinesis_handler.cli.console import echo
from kinesis_handler.errors import ConfigurationError, KinesisHandlerError, UnreadableError
from kinesis_handler.extras import require_extra
from kinesis_handler.local.event_source import EventSourceMapping, put_on_shard

PAUSE = 1.0
"""Seconds between two demo events."""

GRACE = 2
"""Seconds that requests have to finish after Ctrl-C."""


def serve_api(  # noqa: PLR0913 - the command has as many options
    application: Application, api: Api, *, host: str, port: int, live: bool, insecure: bool
) -> None:
    """Serve the application's API until Ctrl-C or SIGTERM.

    Raises ConfigurationError if it may not or cannot be served there.
    """
    if api.is_open and not insecure and not _is_this_machine(host):
        raise ConfigurationError(
            f"--host is {host!r}, and AUTH is 'none': anyone who can reach it could read everything. "
            "Set AUTH=jwt, or say --insecure"
        )
    with require_extra("command serve", "serve"):
        import uvicorn  # noqa: PLC0415 - only this command needs it

        from kinesis_handler.cli.http_protocol import bounded, process_bounds  # noqa: PLC0415
    config = uvicorn.Config(
        api.build(local=api.is_open and not insecure),
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
    with _listening(host, port) as listener, _demo_events(application, live=live):
        try:
            signal.signal(signal.SIGTERM, _interrupt)
            echo(f"http://{_address(listener)}{_example(application, api)}  (Ctrl-C ends it)")
            uvicorn.Server(config).run(sockets=[listener])
        except KeyboardInterrupt:
            echo("ended")


def _is_this_machine(host: str) -> bool:
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, which may lead anywhere
        return False


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
        for aggregate in islice(view.repository.scan(on_unreadable=_pass_over), 1):
            return api.path(aggregate.key[0])
    return "/"


def _pass_over(_key: Key, _error: UnreadableError) -> None:
    """Skip it: a request for it reports the problem."""


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """Raise what Ctrl-C raises."""
    raise KeyboardInterrupt


@contextmanager
def _demo_events(application: Application, *, live: bool) -> Iterator[None]:
    """Let demo events arrive while the context lasts, if `live`."""
    if not live:
        yield
        return
    if application.demo_events is None:
        raise ConfigurationError("this application makes up no events: leave out --live")
    over = Event()
    thread = Thread(target=_trickle, args=(application, application.demo_events(), over))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _trickle(application: Application, events: Iterator[tuple[str, bytes]], over: Event) -> None:
    """Deliver one event after the other; each is generated after the one before it was applied."""

    def pause(seconds: float) -> None:
        over.wait(seconds)

    mapping = EventSourceMapping(
        application.handler,
        maximum_retry_attempts=2,
        retry_wait=PAUSE,
        sleep=pause,
    )
    try:
        for record in put_on_shard(events):
            for _batch in mapping.run([record]):
                pass
            if over.wait(PAUSE):
                break
    except KinesisHandlerError as error:
        echo(f"no further events: {error}", err=True)
