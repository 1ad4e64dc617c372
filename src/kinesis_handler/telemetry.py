"""Logs: one line for each batch, and one for each record that a reader should know of.

JSON lines for machines; on a terminal, coloured ones for people. No value of a payload stands in a line
above debug: an error or a remark names fields and places only.
"""

import sys
from functools import partial
from logging import DEBUG
from typing import Any, Literal, TextIO

import msgspec
import structlog
from structlog.contextvars import merge_contextvars
from structlog.typing import EventDict, FilteringBoundLogger

from kinesis_handler.errors import InvalidEventError, UnexpectedError
from kinesis_handler.outcome import BatchResult, HandledRecord, Status

LogLevel = Literal["debug", "info", "warn", "error"]

_METHODS = {"debug": "debug", "info": "info", "warn": "warning", "error": "error"}


def configure_logging(service: str, level: LogLevel = "info", stream: TextIO | None = None) -> None:
    """Write log lines from `level` up to `stream`, or to standard error.

    To a terminal they are coloured text, to anything else JSON.
    """
    stream = stream if stream is not None else sys.stderr
    render = _console_renderer() if stream.isatty() else _render_json
    structlog.configure(
        processors=[
            merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.EventRenamer("message"),
            partial(_begin_with, service),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_METHODS[level]),
        logger_factory=structlog.WriteLoggerFactory(stream),
    )


def log_batch(log: FilteringBoundLogger, result: BatchResult, duration_ms: float) -> None:
    """Write what became of a batch: its notable records one by one, then the counts of all."""
    debug = log.is_enabled_for(DEBUG)
    for handled in result if debug else result.notable:
        _log_record(log, handled, debug=debug)
    log.info(
        "batch handled",
        records=len(result),
        **result.counts(),
        **({"remarks": remarks} if (remarks := result.remarks()) else {}),
        duration_ms=round(duration_ms, 1),
    )


def _log_record(log: FilteringBoundLogger, handled: HandledRecord, *, debug: bool) -> None:
    outcome = handled.outcome
    fields = _fields(handled)
    if debug:
        fields["partition_key"] = handled.record.partition_key
    for remark in outcome.remarks:
        log.warning(remark.name, detail=remark.detail, **fields)
    message = f"record {outcome.status}"
    if outcome.error is None:
        log.debug(message, **fields)
        return
    fields |= {"error": type(outcome.error).__name__, "reason": str(outcome.error)}
    if debug and isinstance(outcome.error, UnexpectedError):
        fields["exc_info"] = outcome.error.__cause__
    write = log.warning if outcome.status is Status.REJECTED else log.error
    write(message, **fields)


def _fields(handled: HandledRecord) -> dict[str, Any]:
    """Tell which record it is, without a value of its payload."""
    record, event, error = handled.record, handled.event, handled.outcome.error
    fields: dict[str, Any] = {"shard_id": record.shard_id, "sequence_number": record.sequence_number}
    if record.sub_sequence_number:
        fields["sub_sequence_number"] = record.sub_sequence_number
    if event is not None:
        fields |= {"event_id": event.id, "event_type": event.type, "correlation_id": event.correlation_id}
    elif isinstance(error, InvalidEventError):
        fields |= {
            "event_id": error.event_id,
            "event_type": error.event_type,
            "correlation_id": error.correlation_id,
        }
    return fields


def _begin_with(service: str, _logger: object, _method: str, line: EventDict) -> EventDict:
    """Put what every line has in front, in an order that a reader can rely on."""
    begin = {"level": line.pop("level"), "time": line.pop("time"), "message": line.pop("message")}
    return {**begin, "service": service, **{name: value for name, value in line.items() if value is not None}}


def _render_json(_logger: object, _method: str, line: EventDict) -> str:
    return msgspec.json.encode(line, enc_hook=str).decode()


def _console_renderer() -> structlog.dev.ConsoleRenderer:
    return structlog.dev.ConsoleRenderer(event_key="message", timestamp_key="time")
