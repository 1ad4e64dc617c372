"""Writes logs: one line for each batch, and one for each record that needs attention.

Lines are JSON for machines; on a terminal, coloured text for people. No line above debug has a value of a
payload: errors and remarks name only fields and positions.
"""

import json
import os
import sys
import textwrap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from logging import DEBUG
from typing import Any, Literal, TextIO, cast, get_args

import msgspec
import structlog
from structlog import dev
from structlog.contextvars import merge_contextvars
from structlog.dev import Column, ConsoleRenderer, KeyValueColumnFormatter, LogLevelColumnFormatter
from structlog.processors import add_log_level
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from kinesis_handler.environment import own_service, read_text, wrong
from kinesis_handler.errors import ParkedError, UnexpectedError
from kinesis_handler.outcome import BatchResult, HandledRecord, Status
from kinesis_handler.printable import printable, printable_lines

LogLevel = Literal[
    "debug", "info", "warning", "error", "critical", "trace", "notset", "warn", "exception", "fatal"
]
"""Names of levels, in Python, structlog and Lambda."""

LEVEL_NAMES: Sequence[str] = get_args(LogLevel)

_IN_STRUCTLOG = {"trace": "debug", "fatal": "critical"}
"""Names of levels that structlog does not know."""

_ON_EVERY_LINE = {"component", "request_id", "cold_start", "shard_id", "sequence_number"}
"""Fields that machines search by, and that would push all others off the right edge of a terminal."""

_SEPARATES = frozenset(" \t\r\n=\"'")
"""Characters for which a value on a terminal is quoted."""


def configure_logging(service: str = "", level: str = "", stream: TextIO | None = None) -> None:
    """Configure structlog to write JSON lines, or coloured text on a terminal.

    Call it in a program's entry point. The library configures nothing by itself: it writes with structlog as
    that is configured.

    Args:
        service: the `service` of each line; by default the Lambda function's name.
        level: the lowest level that is written, by a name of Python's, structlog's or Lambda's: `debug`,
            `info`, `warning`, `error`, `critical` and others; by default LOG_LEVEL, or else `info`.
        stream: the output; by default standard error.

    Raises ConfigurationError if there is no such level.
    """
    if level:
        lowest = _level("the log level", level)
    else:
        lowest = _level("LOG_LEVEL", read_text(os.environ, "LOG_LEVEL", ", ".join(LEVEL_NAMES)) or "info")
    stream = stream if stream is not None else cast("TextIO", _StandardError())
    structlog.configure(
        processors=_for_people() if stream.isatty() else _for_machines(service or own_service(os.environ)),
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        logger_factory=structlog.WriteLoggerFactory(stream),
    )


def _level(setting: str, name: str) -> str:
    if name.lower() not in LEVEL_NAMES:
        raise wrong(setting, name, ", ".join(LEVEL_NAMES))
    return _IN_STRUCTLOG.get(name.lower(), name.lower())


def ensure_logging() -> None:
    """Configure logging for a command, unless its application has: structlog's default is standard output.

    Raises ConfigurationError if `LOG_LEVEL` is not a level.
    """
    if not structlog.is_configured():
        configure_logging()


def log_batch(
    log: FilteringBoundLogger, result: BatchResult, counted: Mapping[str, int], duration_ms: float
) -> None:
    """Log a batch: each record that needs attention, then the counts of all."""
    log = log.bind()  # once: structlog's first, lazy logger binds itself again at each call
    debug = _is_debug(log)
    for handled in result if debug else result.needs_attention():
        _log_record(log, handled, debug=debug)
    if counted:
        # Bound, and not passed with the others: a processor's counter may have the name of one of them.
        log = log.bind(**counted)
    log.info(
        "batch handled",
        records=len(result),
        **result.counts(),
        **({"remarks": remarks} if (remarks := result.remarks()) else {}),
        **({"readers": result.readers} if result.readers else {}),
        duration_ms=round(duration_ms, 1),
    )


def _is_debug(log: FilteringBoundLogger) -> bool:
    """Tell whether lines at debug are wanted. If structlog is not configured, they are not."""
    # On its class: structlog's generic logger takes any attribute for a method that logs.
    asked = getattr(type(log), "is_enabled_for", None) or getattr(type(log), "isEnabledFor", None)
    return structlog.is_configured() and asked is not None and bool(asked(log, DEBUG))


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
    if outcome.status is Status.FAILED:
        log.error(message, **fields)
    elif isinstance(outcome.error, ParkedError):  # the first of its key has the reason
        log.info(message, **fields)
    else:
        log.warning(message, **fields)


def fields_of(handled: HandledRecord) -> dict[str, Any]:
    """Return the fields that identify a record, and why it was not applied, without its payload."""
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
    render_exception = structlog.processors.ExceptionRenderer()

    def render(logger: object, method: str, line: EventDict) -> str:
        """Write a line, with the fields of every line first. In one step: most batches log one line each."""
        line = add_log_level(logger, method, merge_contextvars(logger, method, line))
        if "exc_info" in line:
            line = render_exception(logger, method, line)
        begins = {"level": line.pop("level"), "time": _now(), "message": line.pop("event")}
        whole = {**begins, "service": service, **_with_values(line)}
        try:
            return msgspec.json.encode(whole, enc_hook=str).decode()
        except UnicodeError:  # a lone surrogate in some text: it must not fail the line
            return json.dumps(whole, default=str)

    return [render]


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _for_people() -> list[Processor]:
    def shorten(_logger: object, _method: str, line: EventDict) -> EventDict:
        shown = _with_values(line).items()
        return {printable(name): value for name, value in shown if name not in _ON_EVERY_LINE}

    levels = ConsoleRenderer.get_default_level_styles()
    bold_levels = {name: style + dev.BRIGHT for name, style in levels.items()}
    columns = [
        Column("timestamp", KeyValueColumnFormatter(None, dev.DIM, dev.RESET_ALL, str)),
        Column("level", LogLevelColumnFormatter(bold_levels, dev.RESET_ALL)),
        Column("event", KeyValueColumnFormatter(None, dev.BRIGHT, dev.RESET_ALL, _shown, width=16)),
        Column("", KeyValueColumnFormatter(dev.CYAN, dev.MAGENTA, dev.RESET_ALL, _quoted)),
    ]
    return [
        merge_contextvars,
        add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        structlog.processors.ExceptionRenderer(),
        shorten,
        _indent_tracebacks,
        ConsoleRenderer(columns=columns, sort_keys=False),
    ]


def _indent_tracebacks(_logger: object, _method: str, line: EventDict) -> EventDict:
    """Indent values of several lines, so that none of them can be taken for a line of the log."""
    for name in ("exception", "stack"):
        if name in line:
            line[name] = textwrap.indent(printable_lines(str(line[name])), "    ")
    return line


def _shown(value: object) -> str:
    return printable(str(value))


def _quoted(value: object) -> str:
    """Write a value as one word: text with spaces or quotes is quoted, and cannot be taken for two values."""
    if isinstance(value, str) and not _SEPARATES.intersection(value):
        return printable(value)
    return printable(repr(value))


def _with_values(line: EventDict) -> EventDict:
    """Leave out the fields that are None."""
    return {name: value for name, value in line.items() if value is not None}


class _StandardError:
    """Writes to the current standard error: it may have been redirected since, below a progress display."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return sys.stderr.isatty()
