"""Logs: one line for each batch, and one for each record that a reader should know of.

JSON lines for machines; on a terminal, coloured ones for people. No value of a payload stands in a line
above debug: an error or a remark names fields and places only.
"""

import json
import os
import sys
import textwrap
from collections.abc import Mapping
from logging import DEBUG
from typing import Any, Literal, TextIO, cast, get_args

import msgspec
import structlog
from structlog import dev
from structlog.contextvars import merge_contextvars
from structlog.dev import Column, ConsoleRenderer, KeyValueColumnFormatter, LogLevelColumnFormatter
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from kinesis_handler.errors import ConfigurationError, UnexpectedError
from kinesis_handler.outcome import BatchResult, HandledRecord, Status
from kinesis_handler.printable import printable, printable_lines

LogLevel = Literal["debug", "info", "warn", "error"]

_ON_EVERY_LINE = {"component", "request_id", "cold_start", "shard_id", "sequence_number"}
"""What machines search by, and what would push all else off the right edge of a terminal."""

_SEPARATES = frozenset(" \t\r\n=\"'")
"""What a value on a terminal is quoted for."""


def configure_logging(service: str, level: LogLevel = "info", stream: TextIO | None = None) -> None:
    """Write log lines from `level` up to `stream`, or to standard error.

    To a terminal they are coloured text, to anything else JSON.
    """
    stream = stream if stream is not None else cast("TextIO", _StandardError())
    structlog.configure(
        processors=[
            merge_contextvars,
            structlog.processors.add_log_level,
            *(_for_people() if stream.isatty() else _for_machines(service)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream),
    )


def ensure_logging() -> None:
    """Configure logging unless the application has: structlog's default prints all to standard output.

    Raises ConfigurationError if `LOG_LEVEL` is none.
    """
    if not structlog.is_configured():
        level = os.environ.get("LOG_LEVEL", "").strip().lower() or "info"
        if level not in get_args(LogLevel):
            raise ConfigurationError(f"LOG_LEVEL is {level!r}; allowed: {', '.join(get_args(LogLevel))}")
        service = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "kinesis-handler")
        configure_logging(service, cast("LogLevel", level))


def log_batch(
    log: FilteringBoundLogger, result: BatchResult, counted: Mapping[str, int], duration_ms: float
) -> None:
    """Write what became of a batch: its odd records one by one, then the counts of all."""
    log = log.bind()  # once: what structlog hands out first makes itself anew for each thing it is asked
    debug = log.is_enabled_for(DEBUG)
    for handled in result if debug else result.odd():
        _log_record(log, handled, debug=debug)
    if counted:
        # Bound, and not given beside the others: what a processor counts may be called as one of them.
        log = log.bind(**counted)
    log.info(
        "batch handled",
        records=len(result),
        **result.counts(),
        **({"remarks": remarks} if (remarks := result.remarks()) else {}),
        duration_ms=round(duration_ms, 1),
    )


def _log_record(log: FilteringBoundLogger, handled: HandledRecord, *, debug: bool) -> None:
    outcome = handled.outcome
    fields = fields_of(handled)
    if debug:
        fields["partition_key"] = handled.record.partition_key
    for remark in outcome.remarks:
        log.warning(remark.name, **fields, detail=remark.detail)
    message = f"record {outcome.status}"
    if outcome.error is None:
        log.debug(message, **fields)
        return
    if debug and isinstance(outcome.error, UnexpectedError):
        fields["exc_info"] = outcome.error.__cause__
    write = log.warning if outcome.status is Status.REJECTED else log.error
    write(message, **fields)


def fields_of(handled: HandledRecord) -> dict[str, Any]:
    """Tell which record it is and why it was not applied, without a value of its payload."""
    record = handled.record
    fields: dict[str, Any] = {"shard_id": record.shard_id, "sequence_number": record.sequence_number}
    if record.sub_sequence_number:
        fields["sub_sequence_number"] = record.sub_sequence_number
    if any(identity := handled.identity):
        fields |= identity._asdict()
    if handled.outcome.error is not None:
        fields |= {"error": type(handled.outcome.error).__name__, "reason": str(handled.outcome.error)}
    return fields


def _for_machines(service: str) -> list[Processor]:
    def begin(_logger: object, _method: str, line: EventDict) -> EventDict:
        """Put what every line has in front, in an order that a reader can rely on."""
        begins = {"level": line.pop("level"), "time": line.pop("time"), "message": line.pop("message")}
        return {**begins, "service": service, **_without(line)}

    def render(_logger: object, _method: str, line: EventDict) -> str:
        try:
            return msgspec.json.encode(line, enc_hook=str).decode()
        except UnicodeError:  # a lone surrogate, which came in some text: it must not fail what is logged
            return json.dumps(line, default=str)

    return [
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.ExceptionRenderer(),
        structlog.processors.EventRenamer("message"),
        begin,
        render,
    ]


def _for_people() -> list[Processor]:
    def shorten(_logger: object, _method: str, line: EventDict) -> EventDict:
        return {printable(name): value for name, value in _without(line, *_ON_EVERY_LINE).items()}

    levels = ConsoleRenderer.get_default_level_styles()
    bold_levels = {name: style + dev.BRIGHT for name, style in levels.items()}
    columns = [
        Column("timestamp", KeyValueColumnFormatter(None, dev.DIM, dev.RESET_ALL, str)),
        Column("level", LogLevelColumnFormatter(bold_levels, dev.RESET_ALL)),
        Column("event", KeyValueColumnFormatter(None, dev.BRIGHT, dev.RESET_ALL, _shown, width=16)),
        Column("", KeyValueColumnFormatter(dev.CYAN, dev.MAGENTA, dev.RESET_ALL, _quoted)),
    ]
    return [
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        structlog.processors.ExceptionRenderer(),
        shorten,
        _indent_tracebacks,
        ConsoleRenderer(columns=columns, sort_keys=False),
    ]


def _indent_tracebacks(_logger: object, _method: str, line: EventDict) -> EventDict:
    """Move what takes several lines to the right: none of them can be taken for a line of the log."""
    for name in ("exception", "stack"):
        if name in line:
            line[name] = textwrap.indent(printable_lines(str(line[name])), "    ")
    return line


def _shown(value: object) -> str:
    return printable(str(value))


def _quoted(value: object) -> str:
    """Write a value as one word: text that has spaces or quotes stands in quotes, and cannot pass for two."""
    if isinstance(value, str) and not _SEPARATES.intersection(value):
        return printable(value)
    return printable(repr(value))


def _without(line: EventDict, *names: str) -> EventDict:
    """Leave out these fields, and those of which nothing is known."""
    return {name: value for name, value in line.items() if name not in names and value is not None}


class _StandardError:
    """Standard error as it is at each write: it may have been redirected since, below a progress display."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return sys.stderr.isatty()
