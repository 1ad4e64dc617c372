"""What producers have written, on a terminal: in reports, in the quarantine, in lines of the log."""

import io
import json
import re
import tempfile
from pathlib import Path
from unicodedata import category

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from rich.text import Text

from command_line import call
from kinesis_handler import BusinessError, Event, KinesisHandler, configure_logging, event_processor
from kinesis_handler.cli.console import PlainConsole, echo_error
from kinesis_handler.printable import printable, printable_json
from kinesis_handler.testing import invocation
from testkit.quarantine import MemoryQuarantine

HOSTILE = [
    "[/x]",
    "[link=http://evil.example]click[/link] [red on blue]0 failed[/]",
    "\x1b[2J\x1b]0;title\x07\x9b31m\x7f",
    "a\r\nb\tc\x00\u2028d",
    "\u202egnp.exe\u2066\u200b\U000e0001",
    "'quoted' :smile: \\ {x} %s",
]


class Told(Struct):
    """A payload of nothing."""


TERMINAL = {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": "200", "LOG_LEVEL": "error"}

texts = st.one_of(st.sampled_from([*HOSTILE, "\ud800"]), st.text(st.characters(), max_size=20))
sent_texts = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20))
"""JSON has no lone surrogates."""
_our_styles = re.compile(r"\x1b\[[0-9;]*m")


def obeyed(written: str) -> list[str]:
    """Return what a terminal would obey, or not show, but for our own colours and line breaks."""
    plain = _our_styles.sub("", written).replace("\n", "")
    return [each for each in plain if category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ü, 日本, 👍, a\u00a0b", "plain, ü, 日本, 👍, a\u00a0b"),
        ("\x1b[31m\x7f\x9b", r"\x1b[31m\x7f\x9b"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("\u202eevil\u2028", r"\u202eevil\u2028"),
        ("\ud800 \U000e0001", r"\ud800 \U000e0001"),
        (r"C:\folder", r"C:\folder"),
    ],
)
def test_what_a_terminal_would_obey_is_seen_as_its_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


@settings(deadline=None)
@given(st.text())
def test_json_means_the_same_when_it_is_printable(text: str) -> None:
    encoded = json.dumps([text], ensure_ascii=False)
    assert json.loads(printable_json(encoded)) == [text]
    assert obeyed(printable_json(encoded)) == []


@settings(deadline=None)
@given(texts, texts)
def test_text_is_text_on_the_console_be_it_a_string_or_not(one: str, other: str) -> None:
    written = io.StringIO()
    console = PlainConsole()
    console.file = written
    console.print(one, Text(other, "red"), soft_wrap=True)
    assert obeyed(written.getvalue()) == []
    assert "".join(printable(one).split()) in "".join(written.getvalue().split())


@settings(max_examples=settings().max_examples // 2, deadline=None)
@given(sent_texts, sent_texts, sent_texts, sent_texts)
@example(*HOSTILE[:4])
@example(*HOSTILE[2:])
def test_no_text_of_a_producer_is_a_command_to_the_terminal(
    event_id: str, user: str, limit: str, name: str
) -> None:
    def event(number: int, event_type: str, **payload: object) -> dict[str, object]:
        ids = {"userId": user, "userLimitId": limit}
        return {
            "eventId": f"{event_id}{number}",
            "type": event_type,
            "createdAt": 1,
            "aggregateId": user,
            "payload": {**ids, **payload},
        }

    events = [
        event(1, "USER_LIMIT_CREATED", value="1", name=name, currencyCode=name),
        event(2, "USER_LIMIT_PROGRESS_CHANGED", amount="1", userLimitId=f"{limit}?"),
        event(3, "USER_LIMIT_CREATED", value="1", type=name),
        {**event(4, "USER_LIMIT_CREATED", value="1"), name: name},
    ]
    lines = "\n".join(map(json.dumps, events)).encode()
    with tempfile.TemporaryDirectory() as folder:
        setting = {**TERMINAL, "QUARANTINE_URL": f"file://{folder}"}
        for done in (
            call("run", "-", "--retries", "0", stdin=lines, settings=setting),
            call("run", "-", "--retries", "0", "--json", stdin=lines, settings=setting),
            call("quarantine", "list", settings=setting),
            call("quarantine", "show", settings=setting),
            call("quarantine", "show", "--json", settings=setting),
            call("redrive", "--through", "handler", settings=setting),
        ):
            assert done.returncode in {0, 1}
            assert obeyed(done.stdout) == []


@settings(deadline=None)
@given(texts)
def test_an_error_is_one_line_without_a_command_to_the_terminal(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        written = io.StringIO()
        patch.setattr("sys.stderr", written)
        echo_error(text)
    assert written.getvalue() == f"Error: {printable(text)}\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@settings(deadline=None)
@given(sent_texts, texts, sent_texts)
@example(*HOSTILE[2:5])
def test_a_line_of_the_log_is_one_line_whoever_wrote_what_is_in_it(event_id: str, why: str, key: str) -> None:
    @event_processor({"TOLD": Told})
    def fail(_event: Event[Told]) -> None:
        raise BusinessError(why)

    terminal = Terminal()
    configure_logging("tests", "debug", terminal)
    event = {
        "eventId": event_id,
        "type": "TOLD",
        "createdAt": 1,
        "payload": {},
        "context": {"correlationId": key},
    }
    KinesisHandler([fail], quarantine=MemoryQuarantine()).handle(
        invocation([json.dumps(event).encode()], partition_key="p")
    )
    assert obeyed(terminal.getvalue()) == []
    assert len(terminal.getvalue().splitlines()) == 2


def test_a_traceback_cannot_pass_for_lines_of_the_log() -> None:
    @event_processor({"TOLD": Told})
    def fail(_event: Event[Told]) -> None:
        raise KeyError("x") from ValueError("first\n00:00:00 [info] all is well \x1b[2J")

    terminal = Terminal()
    configure_logging("tests", "debug", terminal)
    KinesisHandler([fail], quarantine=MemoryQuarantine()).handle(
        invocation([{"eventId": "e", "type": "TOLD", "createdAt": 1, "payload": {}}])
    )
    assert obeyed(terminal.getvalue()) == []
    first, *traceback, last = terminal.getvalue().splitlines()
    assert "record failed" in first
    assert "batch handled" in last
    assert len(traceback) > 5
    assert all(line.startswith("    ") or not line for line in traceback)
    assert any("KeyError: 'x'" in line for line in traceback)


def test_a_file_that_is_not_there_is_named_without_a_command_to_the_terminal(tmp_path: Path) -> None:
    done = call("run", str(tmp_path / "[/x]\x1b[2J.json"))
    assert done.returncode == 2
    assert r"[/x]\x1b[2J.json: No such file or directory" in done.stderr
