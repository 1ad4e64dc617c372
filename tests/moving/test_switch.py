"""The switch of a move: a value, a file or a profile of AppConfig, and what stays where it cannot be read."""

import io
import json
import re
import socket
from pathlib import Path

import pytest

from kinesis_handler.errors import RepositoryError
from kinesis_handler.moving import switch
from kinesis_handler.moving.phase import Phase, Side
from kinesis_handler.moving.switch import switch_of
from kinesis_handler.telemetry.metrics import counting
from kinesis_handler.testing import FakeClock
from testkit.emulators.appconfig import running_extension

PROFILE = "appconfig://limits/production/migration"
PATH = "/applications/limits/environments/production/configurations/migration"
FLAG = "?flag=move"


def test_a_phase_takes_effect_when_it_is_asked_for_again_and_not_at_each_call(tmp_path: Path) -> None:
    clock, file, every = FakeClock(), tmp_path / "phase", switch.FILE_EVERY
    phase = switch_of(Phase, f"file://{file}", 0, clock)
    with pytest.raises(RepositoryError, match="the phase of the migration is not known"):
        phase()
    file.write_text("dual\n")
    assert phase() is Phase.DUAL
    file.write_text("target-dual")
    for seconds, expected in ((every - 0.1, Phase.DUAL), (0.1, Phase.TARGET_DUAL), (0, Phase.TARGET_DUAL)):
        clock.advance(seconds)
        assert phase() is expected
    for wrong in (b"\xff", b"dual-write"):
        file.write_bytes(wrong)
        clock.advance(every)
        assert phase() is Phase.TARGET_DUAL


WRONG = [("", 404, b"{}"), ("", 500, b"source"), (FLAG, 404, b"")]
TEXTS = [b"", b"dual-write", b"source\ntarget", b"\xff\x00\x80", b"source" * 100_000]
FLAGS = [b"[]", b"{", b'{"enabled":false}', b'{"enabled":true,"phase":1}', b'{"enabled":true,"phase":"x"}']
WRONG += [*(("", 200, text) for text in TEXTS), *((FLAG, 200, text) for text in FLAGS)]


@pytest.mark.parametrize(("flag", "status", "body"), WRONG, ids=lambda each: str(each)[:30])
def test_what_is_no_phase_leaves_the_last_one_with_a_warning_and_is_never_guessed(
    log_lines: io.StringIO, flag: str, status: int, body: bytes
) -> None:
    clock = FakeClock()
    with running_extension() as extension:
        phase = switch_of(Phase, PROFILE + flag, extension.port, clock)
        extension.answers[PATH + flag] = status, body
        for _ in range(2):  # the next call asks again
            with counting() as counted, pytest.raises(RepositoryError, match="of the migration is not known"):
                phase()
            assert counted == {switch.NOT_READABLE: 1}
        valid = b'{"enabled":true,"phase":"dual","side":"target"}' if flag else b"dual"
        extension.answers[PATH + flag] = (200, valid)
        assert [phase(), phase()] == [Phase.DUAL] * 2
        if flag:
            assert switch_of(Side, PROFILE + flag, extension.port)() is Side.TARGET
            extension.asked.pop()
        extension.answers[PATH + flag] = status, body
        clock.advance(switch.APPCONFIG_EVERY)
        with counting() as counted:
            assert [phase(), phase()] == [Phase.DUAL] * 2
        assert (counted, len(extension.asked)) == ({switch.NOT_READABLE: 1}, 4)
    line = json.loads(log_lines.getvalue().splitlines()[-1])
    assert (line["level"], line["message"], line["phase"]) == ("warning", "phase not readable", "dual")


def test_an_extension_that_is_not_there_or_silent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switch, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for port, why in ((1, "ConnectionRefused"), (silent.getsockname()[1], "TimeoutError")):
            with pytest.raises(RepositoryError, match=f"AppConfig's extension does not answer: {why}"):
                switch_of(Phase, PROFILE, port)()


def test_a_setting_may_be_the_value_itself() -> None:
    assert switch_of(Phase, "target-dual", 0)() is Phase.TARGET_DUAL
    with pytest.raises(ValueError, match="appconfig"):
        switch_of(Phase, "appconfig:limits", 0)


def test_a_path_may_have_anything_in_it(tmp_path: Path) -> None:
    file = tmp_path / "a:" / "phase"
    file.parent.mkdir()
    file.write_text("dual")
    assert switch_of(Phase, f"file://{tmp_path}/a://phase", 0)() is Phase.DUAL


def test_a_change_is_logged_once_and_a_value_that_stays_is_not(
    tmp_path: Path, log_lines: io.StringIO
) -> None:
    clock, file = FakeClock(), tmp_path / "side"
    side = switch_of(Side, f"file://{file}", 0, clock)
    for text in ("source", "source", "target", "target", "both"):
        file.write_text(text)
        side()
        clock.advance(switch.FILE_EVERY)
    changed, unreadable = map(json.loads, log_lines.getvalue().splitlines())
    assert (changed["message"], changed["component"]) == ("side changed", "side")
    assert (changed["level"], changed["before"], changed["side"]) == ("info", "source", "target")
    assert (unreadable["message"], unreadable["side"]) == ("side not readable", "target")
    assert unreadable["reason"] == "it says 'both'; allowed: source, target"


def test_what_a_file_says_is_quoted_at_its_beginning(tmp_path: Path) -> None:
    file = tmp_path / "phase"
    phase, unknown = switch_of(Phase, f"file://{file}", 0), "the phase of the migration is not known"
    with pytest.raises(RepositoryError, match=rf"^{unknown}: {file}: .*No such file"):
        phase()
    file.write_text("x" * 41)
    allowed = "source, dual, target-dual, target"
    with pytest.raises(RepositoryError, match=rf"^{unknown}: it says '{'x' * 40}'; allowed: {allowed}$"):
        phase()


@pytest.mark.parametrize(
    ("flag", "status", "body", "reason"),
    [
        ("", 500, b"", f"AppConfig's extension answers 500 for {PATH}"),
        (FLAG, 200, b"{}", "the flag is disabled, or has no text attribute `phase`: 'phase'"),
        ("", 200, b" " * (switch.MAX_ANSWER - 2) + b"dual", "it says 'du'; allowed: "),
    ],
    ids=["a status", "no attribute", "too long"],
)
def test_an_answer_of_appconfig_that_is_none_is_named(
    flag: str, status: int, body: bytes, reason: str
) -> None:
    with running_extension() as extension:
        extension.answers[PATH + flag] = status, body
        with pytest.raises(RepositoryError, match=f"is not known: {re.escape(reason)}"):
            switch_of(Phase, PROFILE + flag, extension.port)()
