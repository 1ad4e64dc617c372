"""`kinesis-handler run`, as a person or a script calls it."""

import base64
import gzip
import json
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from command_line import ROOT, call, run
from kinesis_handler.telemetry.logs import LEVEL_NAMES

CAPTURE = ROOT.parent / "shared" / "data" / "events.json"

MINIMAL = {
    "eventId": "evt-001",
    "type": "USER_LIMIT_CREATED",
    "payload": {
        "userId": "user-123",
        "userLimitId": "limit-001",
        "name": "Daily API Requests",
        "maxValue": 1000,
    },
    "createdAt": 1234567890000,
}
UNKNOWN = {
    "eventId": "evt-002",
    "type": "USER_LIMIT_PROGRESS_CHANGED",
    "payload": {"userId": "user-123", "userLimitId": "limit-404", "amount": "1"},
    "createdAt": 1234567890001,
}


def call_json(*arguments: str, stdin: bytes = b"") -> dict[str, Any]:
    done = call("run", "--json", *arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout, parse_float=Decimal)
    return document


def counts(document: dict[str, Any]) -> dict[str, int]:
    return {status: count for status, count in document["outcomes"].items() if count}


@pytest.mark.skipif(not CAPTURE.exists(), reason="the capture of a real stream is not beside this checkout")
@pytest.mark.parametrize("batch_size", ["1", "5", "100"])
def test_the_capture_of_a_real_stream_gives_what_the_domain_says(batch_size: str) -> None:
    document = call_json(str(CAPTURE), "--batch-size", batch_size)
    assert counts(document) == {"applied": 11, "ignored": 6}
    assert document["remarks"] == {"drift": 2, "rebuilt": 2}
    assert len(document["limits"]) == 5
    monthly = next(limit for limit in document["limits"] if limit["periodType"] == "MONTHLY")
    assert (monthly["amount"], monthly["version"]) == (Decimal("250000.00"), 3)
    assert monthly["lastReset"] == {
        "at": "2022-04-22T10:48:12.272Z",
        "amount": Decimal("200.00"),
        "percentage": Decimal("0.08"),
    }


def test_without_arguments_it_runs_the_projects_own_stream_which_shows_what_the_product_does() -> None:
    document = call_json()
    assert {"applied", "duplicate", "ignored", "rejected"} <= set(counts(document))
    assert {"drift", "exceeded", "rebuilt"} <= set(document["remarks"])
    limits = document["limits"]
    assert len({limit["userId"] for limit in limits}) >= 4
    assert {limit["type"] for limit in limits} == {"BALANCE", "BET", "DEPOSIT", "LOSS", "SESSION"}
    assert len({limit["periodType"] for limit in limits}) == 8
    assert any(limit["percentage"] > 100 for limit in limits)


@pytest.mark.other_programs
def test_people_get_a_table_and_the_count_of_each_outcome() -> None:
    done = run("run")
    assert done.returncode == 0
    assert "██████████  112.5 %  112.50 of 100.00 EUR" in done.stdout
    assert "69 records: 63 applied, 1 duplicate, 1 superseded, 3 ignored, 1 rejected" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.other_programs
def test_the_log_goes_to_standard_error_as_json_lines() -> None:
    lines = [json.loads(line) for line in run("run").stderr.splitlines()]
    assert [line["message"] for line in lines] == [
        "no quarantine",
        "rebuilt",
        "drift",
        "record rejected",
        "exceeded",
        "batch handled",
    ]


def test_json_lines_come_from_standard_input() -> None:
    lines = b"\n".join([json.dumps(MINIMAL).encode(), b"", json.dumps({**MINIMAL, "eventId": "2"}).encode()])
    document = call_json("-", stdin=lines)
    assert counts(document) == {"applied": 2}
    [limit] = document["limits"]
    assert (limit["limitId"], limit["amount"], limit["version"]) == ("limit-001", 1000, 2)
    assert limit["lastUpdated"] == "2009-02-13T23:31:30Z"


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(MINIMAL),
        json.dumps(MINIMAL, indent=2),
        json.dumps([MINIMAL]),
        "\ufeff" + json.dumps([MINIMAL], indent=1),
    ],
    ids=["a line", "an object over many lines", "an array on a line", "an array behind a byte order mark"],
)
def test_an_event_may_be_written_in_any_of_these_ways(text: str) -> None:
    assert counts(call_json("-", stdin=text.encode())) == {"applied": 1}


@pytest.mark.parametrize("indent", [None, 2])
def test_the_records_of_a_lambda_event_are_taken_as_they_are(tmp_path: Path, indent: int | None) -> None:
    def record(number: str, data: bytes) -> dict[str, Any]:
        kinesis = {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "p",
            "sequenceNumber": number,
            "data": base64.b64encode(data).decode(),
            "approximateArrivalTimestamp": 1545084650.987,
        }
        return {"eventID": f"shardId-000000000006:{number}", "eventSource": "aws:kinesis", "kinesis": kinesis}

    broken = record("3", b"")
    broken["kinesis"]["data"] = "no base64!"
    records = [record("1", json.dumps(MINIMAL).encode()), record("2", gzip.compress(b"[]")), broken]
    path = tmp_path / "invocation.json"
    path.write_text(json.dumps({"Records": records}, indent=indent))
    assert counts(call_json(str(path))) == {"applied": 1, "rejected": 2}


@pytest.mark.other_programs
def test_what_fails_for_good_is_named_and_the_exit_status_is_1() -> None:
    done = run("run", "-", "--retries", "1", stdin=json.dumps([MINIMAL, UNKNOWN]).encode())
    assert done.returncode == 1
    assert "2 records: 1 applied, 1 failed" in done.stdout
    assert "failed for good: event evt-002, record 496" in done.stdout
    assert "the limit is not known" in done.stdout
    errors = [line for line in done.stderr.splitlines() if '"level":"error"' in line]
    assert len(errors) == 3  # the batch, then the record by itself, then its one retry


def test_json_and_exit_status_1_go_together() -> None:
    done = call("run", "-", "--json", "--retries", "0", stdin=json.dumps([UNKNOWN]).encode())
    assert done.returncode == 1
    assert json.loads(done.stdout)["outcomes"]["failed"] == 1


def test_a_rejected_event_is_no_failure() -> None:
    assert counts(call_json("-", stdin=b'[{"eventId": 5}, 7, "text", null]')) == {"rejected": 4}


def test_an_event_that_is_nested_too_deeply_is_the_handlers_to_reject() -> None:
    line = b'{"eventId":"e","type":"T","createdAt":1,"payload":' + b"[" * 10_000 + b"]" * 10_000 + b"}\n"
    assert counts(call_json("-", stdin=json.dumps(MINIMAL).encode() + b"\n" + line)) == {
        "applied": 1,
        "rejected": 1,
    }


def lambda_record(sequence_number: str) -> dict[str, Any]:
    """Return the least that a record of an invocation must have."""
    data = base64.b64encode(json.dumps(UNKNOWN).encode()).decode()
    return {"kinesis": {"partitionKey": "1", "sequenceNumber": sequence_number, "data": data}}


def test_a_record_that_says_no_more_than_it_must_can_be_given_up_and_is_kept(tmp_path: Path) -> None:
    settings = {"QUARANTINE_URL": f"file://{tmp_path}/kept"}
    stdin = json.dumps({"Records": [lambda_record("12")]}).encode()
    assert call("run", "-", "--retries", "0", stdin=stdin, settings=settings).returncode == 1
    [kept] = json.loads(call("quarantine", "show", "--json", settings=settings).stdout)
    assert (kept["sequenceNumber"], kept["shardId"], kept["arrivedAt"]) == ("12", "", None)


@pytest.mark.parametrize("number", ["abc", "", "-1", "1.5", "٣", "9" * 129])
def test_a_sequence_number_that_is_none_is_reported_with_its_record(number: str, tmp_path: Path) -> None:
    stdin = json.dumps({"Records": [lambda_record("12"), lambda_record(number)]}).encode()
    done = call("run", "-", stdin=stdin, settings={"QUARANTINE_URL": f"file://{tmp_path}/kept"})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: -: not an invocation by a Kinesis stream: ")
    assert "`$.Records[1].kinesis.sequenceNumber`" in done.stderr.replace("[...]", "[1]")


UNREADABLE = {
    "no event": (b" \n", "-: there is no event in it"),
    "a broken line": (
        json.dumps(MINIMAL).encode() + b'\n\n{"eventId": \n',
        "-: event 2, line 3: Input data was truncated",
    ),
    "a broken array": (b'[\n{"a": 1},\n{"b": tru}\n]', "-: event 2, line 3: JSON is malformed"),
    "an array without its end": (b'[\n{"a": 1},\n', "-: event 2, line 3: Input data was truncated"),
    "an array with a number that is none": (
        b'[\n{"a": 1},\n{"a":\nNaN}\n]',
        "-: event 2, which begins on line 3: JSON is malformed",
    ),
    "a broken object with an array in it": (b'{"a": [1, 2,\n3}', "-: event 1, line 2: JSON is malformed"),
    "a text": (b"hello", "-: event 1, line 1: JSON is malformed"),
    "an invocation by another service": (
        b'{"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}',
        "-: not an invocation by a Kinesis stream: Object missing required field `kinesis`",
    ),
}


@pytest.mark.parametrize(("content", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable_input_ends_with_status_2_and_says_which_event_which_line_and_why(
    content: bytes, message: str
) -> None:
    done = call("run", "-", stdin=content)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"Error: {message}")
    assert done.stdout == ""


BAD_USAGE = {
    "no such file": (["run", "nowhere.json"], "nowhere.json: No such file or directory"),
    "a directory": (["run", "docs"], "docs: Is a directory"),
    "an application without a module": (["run", "--app", "limits"], "it takes the form package.module:name"),
    "a module that is not there": (["run", "--app", "no.where:app"], "there is no module 'no'"),
    "a name that is not there": (
        ["run", "--app", "user_limits.wiring:app"],
        "user_limits.wiring has no 'app'",
    ),
    "a name that is no function": (["run", "--app", "json:decoder"], "cannot be called without arguments"),
    "a function that wants arguments": (["run", "--app", "json:dumps"], "cannot be called without arguments"),
    "a function that returns another thing": (
        ["run", "--app", "platform:node"],
        "does not return an Application",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), BAD_USAGE.values(), ids=BAD_USAGE)
def test_bad_usage_ends_with_status_2_and_a_sentence(arguments: list[str], message: str) -> None:
    done = call(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "option", [["--batch-size", "0"], ["--batch-size", "10001"], ["--retries", "-1"], ["--what"]]
)
def test_options_are_checked(option: list[str]) -> None:
    assert call("run", *option).returncode == 2


@pytest.mark.parametrize("value", [" ", "\t", " : "])
def test_an_application_that_is_white_space_is_reported_with_its_variable(value: str) -> None:
    done = call("run", settings={"KINESIS_HANDLER_APP": value})
    assert done.returncode == 2
    assert done.stderr == (
        f"Error: --app is {value!r}, or KINESIS_HANDLER_APP; it takes the form package.module:name\n"
    )


@pytest.mark.other_programs
def test_a_wrong_setting_stops_the_start_and_names_variable_value_and_what_is_allowed() -> None:
    done = run("run", settings={"LOG_LEVEL": "loud"})
    assert done.returncode == 2
    assert done.stderr == f"Error: LOG_LEVEL is 'loud'; allowed: {', '.join(LEVEL_NAMES)}\n"


def all_commands() -> dict[tuple[str, ...], Any]:
    """Return the commands by what is typed for them, those of a group behind it."""
    from typer.main import get_command

    from kinesis_handler.cli.commands import app

    found: dict[tuple[str, ...], Any] = {(): get_command(app)}
    for name, command in list(found[()].commands.items()):
        found[name,] = command
        found |= {(name, inner): each for inner, each in getattr(command, "commands", {}).items()}
    return found


def test_every_command_and_option_has_help() -> None:
    for words, command in all_commands().items():
        assert command.help, words
        for parameter in command.params:
            assert parameter.help, f"{words} {parameter.name}"


def test_help_cuts_no_word_on_a_terminal_of_80_columns() -> None:
    for words in all_commands():
        assert "…" not in call(*words, "--help", settings={"COLUMNS": "80"}).stdout, words


def test_help_fills_the_lines_of_a_terminal_of_any_width(monkeypatch: pytest.MonkeyPatch) -> None:
    for width in ("80", "50"):
        monkeypatch.setenv("COLUMNS", width)
        shown = call("consume", "--help").stdout.partition("╭")[0]
        [paragraph] = [each for each in re.split(r"\n\s*\n", shown) if "outage" in each]
        lines = [line.strip() for line in paragraph.splitlines() if line.strip()]
        following = [line.split()[0] for line in lines[1:]]
        assert all(
            len(line) + len(word) >= int(width) - 3 for line, word in zip(lines, following, strict=False)
        )


@pytest.mark.other_programs
def test_an_application_of_ones_own_need_not_be_installed(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from kinesis_handler import KinesisHandler\n"
        "from kinesis_handler.application import Application\n"
        "def app(): return Application(KinesisHandler())\n"
    )
    (tmp_path / "events.json").write_text(json.dumps(MINIMAL))
    done = run("run", "events.json", "--app", "mine:app", "--json", folder=tmp_path)
    assert json.loads(done.stdout)["outcomes"]["ignored"] == 1


def test_an_application_that_shows_nothing_is_named_by_serve_wherever_its_name_stands(tmp_path: Path) -> None:
    (tmp_path / "shows_nothing.py").write_text(
        "from kinesis_handler import KinesisHandler\n"
        "from kinesis_handler.application import Application\n"
        "def app(): return Application(KinesisHandler())\n"
    )
    (tmp_path / "pyproject.toml").write_text('[tool.kinesis-handler]\napp = "shows_nothing:app"\n')
    done = call("serve", folder=tmp_path, settings={"KINESIS_HANDLER_APP": ""})
    assert done.returncode == 2
    assert done.stderr == "Error: --app is 'shows_nothing:app', which has neither an API nor a view\n"


def test_text_of_the_stream_cannot_command_the_terminal() -> None:
    event = {**MINIMAL, "payload": {**MINIMAL["payload"], "name": "\x1b[2Jgone"}}  # type: ignore[dict-item]
    done = call("run", "-", stdin=json.dumps(event).encode())
    assert "\x1b" not in done.stdout
    assert r"\x1b[2Jgone" in done.stdout


def test_a_long_list_is_cut_for_people_and_whole_for_machines() -> None:
    lines = b"\n".join(
        json.dumps(
            {**MINIMAL, "eventId": f"e{n}", "payload": {"userId": "u", "userLimitId": f"l{n:03}", "value": 1}}
        ).encode()
        for n in range(130)
    )
    done = call("run", "-", stdin=lines)
    assert "… and 30 more limits: --json prints all of them" in done.stdout
    assert len(call_json("-", stdin=lines)["limits"]) == 130


def test_many_failures_are_counted_and_the_first_are_named() -> None:
    lines = b"\n".join(json.dumps({**UNKNOWN, "eventId": f"e{n}"}).encode() for n in range(25))
    done = call("run", "-", "--retries", "0", stdin=lines)
    assert done.stdout.splitlines()[0] == "no limits"
    assert done.stdout.count("failed for good: event e") == 20
    assert "… and 5 more failed for good" in done.stdout


def test_an_array_that_is_nested_too_deeply_to_be_taken_apart_is_unreadable() -> None:
    done = call("run", "-", stdin=b"[\n{},\n" + b"[" * 10_000 + b"]" * 10_000 + b"]")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: -: event 2, which begins on line 3: ")


@pytest.mark.parametrize("library", ["typer", "rich"])
@pytest.mark.other_programs
def test_without_its_libraries_the_command_says_what_to_install(library: str) -> None:
    program = f"import sys; sys.modules[{library!r}] = None\nfrom kinesis_handler.cli import main\nmain()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, text=True)
    assert done.returncode == 1
    assert done.stderr == f"kinesis-handler needs {library}: pip install 'kinesis-handler[cli]'\n"


def lambda_record_of(number: str, event: object, **kinesis: object) -> dict[str, Any]:
    data = base64.b64encode(json.dumps(event).encode()).decode()
    return {
        "eventID": f"shardId-000000000006:{number}",
        "eventSource": "aws:kinesis",
        "kinesis": {"sequenceNumber": number, "partitionKey": "p", "data": data, **kinesis},
    }


def test_two_records_of_a_lambda_event_with_one_number_are_reported_and_none_is_lost(tmp_path: Path) -> None:
    failing = MINIMAL | {"type": "USER_LIMIT_PROGRESS_CHANGED"}
    records = [lambda_record_of("1", failing), lambda_record_of("1", MINIMAL), lambda_record_of("2", MINIMAL)]
    path = tmp_path / "invocation.json"
    path.write_text(json.dumps({"Records": records}))
    done = call("run", str(path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"Error: {path}: Records[0] and Records[1] have the same sequence number, 1, and hold different "
        "data: Kinesis never hands out a number twice\n"
    )


@pytest.mark.parametrize("partition_key", [None, ...], ids=["null", "absent"])
def test_the_records_of_a_lambda_event_may_have_no_partition_key(
    tmp_path: Path, partition_key: object
) -> None:
    record = lambda_record_of("1", MINIMAL, partitionKey=partition_key)
    if partition_key is ...:
        del record["kinesis"]["partitionKey"]
    path = tmp_path / "invocation.json"
    path.write_text(json.dumps({"Records": [record]}))
    assert counts(call_json(str(path))) == {"applied": 1}
