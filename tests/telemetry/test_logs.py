"""What is logged, and what never is."""

import io
import json
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import structlog
from msgspec import Struct
from structlog._log_levels import NAME_TO_LEVEL
from structlog.contextvars import bound_contextvars, get_contextvars

from aggregates import aggregate
from kinesis_handler import (
    BusinessError,
    ConfigurationError,
    Event,
    KinesisHandler,
    configure_logging,
    event_processor,
)
from kinesis_handler.errors import InvalidInvocationError
from kinesis_handler.local.event_source import LocalContext
from kinesis_handler.quarantine.directory import DirectoryQuarantine
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.telemetry.logs import LEVEL_NAMES
from kinesis_handler.testing import FakeClock, invocation
from testkit.quarantine import MemoryQuarantine
from user_limits.processor import UserLimitEventProcessor


class Secret(Struct):
    word: str


@event_processor({"TOLD": Secret})
def tell(event: Event[Secret]) -> None:
    if event.payload.word == "s3cr3t":
        raise BusinessError("not now")
    if event.payload.word == "bug-s3cr3t":
        raise KeyError(event.payload.word)


def told(word: object, **fields: Any) -> dict[str, Any]:
    return {"eventId": "e1", "type": "TOLD", "createdAt": 1, "payload": {"word": word}, **fields}


def logged(log_lines: io.StringIO, *events: object, level: Any = "info") -> list[dict[str, Any]]:
    configure_logging("tests", level, log_lines)
    context = LocalContext(FakeClock(), FakeClock()() + 60)
    KinesisHandler([tell], quarantine=MemoryQuarantine()).handle(
        invocation(events, partition_key="s3cr3t-key"), context
    )
    return [json.loads(line) for line in log_lines.getvalue().splitlines()]


def test_a_batch_is_one_info_line_with_the_count_of_every_outcome(log_lines: io.StringIO) -> None:
    [line] = logged(log_lines, told("a"), told("b"), {**told("c"), "type": "FOREIGN"})
    assert list(line)[:5] == ["level", "time", "message", "service", "component"]
    assert line["time"].endswith("Z")
    del line["time"], line["duration_ms"], line["request_id"]
    assert line == {
        "level": "info",
        "message": "batch handled",
        "service": "tests",
        "component": "handler",
        "cold_start": True,
        "records": 3,
        "applied": 2,
        "duplicate": 0,
        "superseded": 0,
        "ignored": 1,
        "rejected": 0,
        "parked": 0,
        "failed": 0,
    }


def test_every_line_of_an_invocation_has_its_request_id_and_only_the_first_is_a_cold_start(
    log_lines: io.StringIO,
) -> None:
    handler = KinesisHandler([tell], quarantine=MemoryQuarantine())
    contexts = [LocalContext(FakeClock(), 0) for _ in range(2)]
    for context in contexts:
        handler.handle(invocation([told("s3cr3t")]), context)
    lines = [json.loads(line) for line in log_lines.getvalue().splitlines()]
    assert [line["request_id"] for line in lines] == [c.aws_request_id for c in contexts for _ in "ab"]
    assert [line["cold_start"] for line in lines] == [True, True, False, False]


@pytest.mark.parametrize("batch", [invocation([told("a")]), {"Records": None}])
def test_what_an_invocation_binds_to_log_lines_is_gone_when_it_ends(batch: object) -> None:
    with bound_contextvars(request_id="of the caller", other=1):
        before = get_contextvars()
        with suppress(InvalidInvocationError):
            KinesisHandler([tell])(batch, LocalContext(FakeClock(), 0))
        assert get_contextvars() == before


def test_a_failed_record_is_an_error_that_says_which_and_why(log_lines: io.StringIO) -> None:
    [line, _] = logged(log_lines, told("s3cr3t", context={"correlationId": "req-1"}))
    assert (line["level"], line["message"], line["error"]) == ("error", "record failed", "BusinessError")
    assert (line["event_id"], line["event_type"], line["correlation_id"]) == ("e1", "TOLD", "req-1")
    assert (line["shard_id"], line["reason"]) == ("shardId-000000000000", "not now")
    assert len(line["sequence_number"]) == 56


@pytest.mark.parametrize(
    ("bad", "known"),
    [(told(5), "e1"), (b"{", None), (b"\xff", None)],
    ids=["a wrong payload", "a wrong envelope", "no text"],
)
def test_a_rejected_record_is_a_warning_with_all_that_is_known_of_it(
    log_lines: io.StringIO, bad: object, known: str | None
) -> None:
    [line, _] = logged(log_lines, bad)
    assert (line["level"], line["message"], line["error"]) == (
        "warning",
        "record rejected",
        "InvalidEventError",
    )
    assert line.get("event_id") == known
    assert line["reason"]


def test_a_parked_record_is_a_warning_with_the_reason(log_lines: io.StringIO, tmp_path: Path) -> None:
    configure_logging("tests", "info", log_lines)
    processor = UserLimitEventProcessor(MemoryRepository(), park_after=0)
    change = {
        "eventId": "e1",
        "type": "USER_LIMIT_PROGRESS_CHANGED",
        "createdAt": 1,
        "payload": {"userId": "anna", "userLimitId": "bet", "amount": "1"},
    }
    handler = KinesisHandler([processor], quarantine=DirectoryQuarantine(tmp_path))
    handler(invocation([change, {**change, "eventId": "e2"}]))
    first, second, batch = map(json.loads, log_lines.getvalue().splitlines())
    assert (first["level"], first["message"], first["error"]) == ("warning", "record parked", "BusinessError")
    assert (second["level"], second["message"], second["error"]) == ("info", "record parked", "ParkedError")
    assert (batch["parked"], batch["failed"]) == (2, 0)


def test_below_debug_there_is_no_line_for_a_record_that_was_applied_or_ignored(
    log_lines: io.StringIO,
) -> None:
    assert len(logged(log_lines, told("a"), {**told("b"), "type": "FOREIGN"})) == 1


def test_at_debug_there_is_a_line_for_every_record(log_lines: io.StringIO) -> None:
    lines = logged(log_lines, told("a"), {**told("b"), "type": "FOREIGN"}, level="debug")
    assert [line["message"] for line in lines] == ["record applied", "record ignored", "batch handled"]
    assert lines[0]["partition_key"] == "s3cr3t-key"


def test_a_remark_is_a_warning_and_counted(log_lines: io.StringIO) -> None:
    payload = {"userId": "anna", "userLimitId": "bet", "value": 1, "progress": 2}
    event = {"eventId": "e", "type": "USER_LIMIT_CREATED", "createdAt": 1, "payload": payload}
    handler = KinesisHandler([UserLimitEventProcessor(MemoryRepository())], quarantine=MemoryQuarantine())
    handler.handle(invocation([event]))
    remark, batch = (json.loads(line) for line in log_lines.getvalue().splitlines())
    assert (remark["level"], remark["message"], remark["event_id"]) == ("warning", "exceeded", "e")
    assert remark["detail"] == "the progress is above the limit's value"
    assert batch["remarks"] == {"exceeded": 1}


@pytest.mark.parametrize("level", ["info", "warn", "error"])
def test_above_debug_no_line_shows_a_value_of_a_payload_or_a_partition_key(
    log_lines: io.StringIO, level: str
) -> None:
    events = [
        told("s3cr3t"),
        told("a"),
        told(["s3cr3t"]),
        told("bug-s3cr3t"),
        b'{"s3cr3t',
        told("b", createdAt="s3cr3t"),
    ]
    logged(log_lines, *events, level=level)
    assert log_lines.getvalue()
    assert "s3cr3t" not in log_lines.getvalue()


def test_at_debug_an_unexpected_error_comes_with_its_traceback(log_lines: io.StringIO) -> None:
    lines = logged(log_lines, told("bug-s3cr3t"), level="debug")
    assert "KeyError: 'bug-s3cr3t'" in lines[0]["exception"]
    assert lines[0]["reason"].startswith("KeyError raised at test_logs.py:")


def test_the_level_keeps_lower_lines_out(log_lines: io.StringIO) -> None:
    assert logged(log_lines, told("a"), level="warn") == []


def test_of_a_user_record_its_index_in_the_kpl_record_is_reported(log_lines: io.StringIO) -> None:
    handler = KinesisHandler(quarantine=MemoryQuarantine())
    handler.handle(invocation([aggregate([("key", None, b"{}"), ("key", None, b"{")])]))
    lines = [json.loads(line) for line in log_lines.getvalue().splitlines()]
    assert [line.get("sub_sequence_number") for line in lines] == [None, 1, None]


def test_text_that_no_encoding_has_is_logged_all_the_same(log_lines: io.StringIO) -> None:
    @event_processor({"TOLD": Secret})
    def fail(_event: Event[Secret]) -> None:
        raise BusinessError("a lone surrogate: \ud800")

    KinesisHandler([fail], quarantine=MemoryQuarantine()).handle(invocation([told("a")]))
    failed, handled = (json.loads(line) for line in log_lines.getvalue().splitlines())
    assert failed["reason"] == "a lone surrogate: \ud800"
    assert handled["failed"] == 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_lines_are_coloured_and_short() -> None:
    terminal = Terminal()
    logged_on(terminal)
    assert "\x1b[" in terminal.getvalue()
    assert "request_id" not in terminal.getvalue()
    assert "not now" in terminal.getvalue()


def logged_on(terminal: Terminal) -> None:
    configure_logging("tests", "info", terminal)
    KinesisHandler([tell], quarantine=MemoryQuarantine()).handle(invocation([told("s3cr3t")]))


def test_without_a_stream_lines_go_to_standard_error_as_it_is_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("tests")
    KinesisHandler(quarantine=MemoryQuarantine()).handle(invocation([]))
    captured = capsys.readouterr()
    assert json.loads(captured.err)["message"] == "batch handled"
    assert captured.out == ""


def test_of_a_service_and_a_level_that_are_not_given_the_environment_decides(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "my-function")
    configure_logging()
    KinesisHandler([tell], quarantine=MemoryQuarantine()).handle(invocation([told("a")]))
    captured = capsys.readouterr()
    assert json.loads(captured.err)["service"] == "my-function"
    assert captured.out == ""


NAMES = [
    *[("trace", "debug"), ("DEBUG", "debug"), ("notset", "debug"), ("", "info"), (" Info ", "info")],
    *[("warn", "warning"), ("WARNING", "warning"), ("error", "error"), ("exception", "error")],
    *[("CRITICAL", "critical"), ("Fatal", "critical")],
]


@pytest.mark.parametrize(("name", "level"), NAMES)
def test_the_level_has_the_names_that_python_structlog_and_lambda_use_in_any_case(
    name: str, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = ["debug", "info", "warning", "error", "critical"]
    written = io.StringIO()
    monkeypatch.setenv("LOG_LEVEL", name)
    configure_logging("tests", stream=written)
    for each in levels:
        getattr(structlog.get_logger(), each)("said")
    assert [json.loads(line)["level"] for line in written.getvalue().splitlines()] == levels[
        levels.index(level) :
    ]


def test_every_name_of_a_level_that_python_and_structlog_have_is_taken() -> None:
    python = logging.getLevelNamesMapping()
    assert {each.lower() for each in (*python, *NAME_TO_LEVEL)} <= set(LEVEL_NAMES)


@pytest.mark.parametrize("value", ["loud", " ", "\t"])
def test_a_level_that_there_is_not_stops_the_start(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", value)
    with pytest.raises(ConfigurationError) as raised:
        configure_logging("tests")
    assert str(raised.value).startswith(f"LOG_LEVEL is {value!r}; allowed: debug, info, warning, error, ")
    with pytest.raises(ConfigurationError, match="the log level is 'loud'; allowed: debug, info"):
        configure_logging("tests", "loud")


def test_a_handler_configures_no_logging_and_writes_with_structlog_as_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    structlog.reset_defaults()
    monkeypatch.setenv("LOG_LEVEL", "loud")
    KinesisHandler([tell])(invocation([told("a"), told("s3cr3t")]))
    assert not structlog.is_configured()
    captured = capsys.readouterr()
    lines = [line for line in captured.out.splitlines() if line.strip()]
    assert [word in line for word, line in zip(["no quarantine", "failed", "handled"], lines, strict=True)]
    assert captured.err == ""


@pytest.mark.parametrize(
    "wrapper",
    [structlog.stdlib.BoundLogger, structlog.BoundLogger, structlog.make_filtering_bound_logger("warning")],
    ids=["of the standard library", "generic", "filtering"],
)
def test_what_others_have_configured_stays_and_is_what_lines_are_written_with(wrapper: Any) -> None:
    lines: list[tuple[str, str]] = []

    def collect(_logger: object, method: str, line: Any) -> Any:
        lines.append((method, line["event"]))
        raise structlog.DropEvent

    structlog.configure(
        processors=[collect],
        wrapper_class=wrapper,
        logger_factory=lambda *_: logging.getLogger("others"),
    )
    configured = structlog.get_config()
    KinesisHandler([tell])(invocation([told("a"), told("s3cr3t")]))
    assert structlog.get_config() == configured
    assert lines[:2] == [("warning", "no quarantine"), ("error", "record failed")]


def test_a_handler_without_a_quarantine_warns_of_it_once(log_lines: io.StringIO, tmp_path: Path) -> None:
    for quarantine in (None, DirectoryQuarantine(tmp_path)):
        handler = KinesisHandler([tell], quarantine=quarantine)
        for _ in range(2):
            handler.handle(invocation([told("a")]))
    lines = [json.loads(line) for line in log_lines.getvalue().splitlines()]
    assert [line["message"] for line in lines] == ["no quarantine", *["batch handled"] * 4]
    assert (lines[0]["level"], "lost" in lines[0]["detail"]) == ("warning", True)
