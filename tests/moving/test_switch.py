"""The switch of a move: a value, a file or a profile of AppConfig, and what stays where it cannot be read."""

import io
import json
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
