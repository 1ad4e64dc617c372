"""The switch, against a real HTTP server that answers as AppConfig's extension does, and as it should not."""

import io
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kinesis_handler.errors import RepositoryError
from kinesis_handler.moving import switch
from kinesis_handler.moving.phase import Phase, Side
from kinesis_handler.moving.switch import switch_of
from kinesis_handler.telemetry.metrics import counting
from kinesis_handler.testing import FakeClock
from testkit.emulators.appconfig import Extension, running_extension

PROFILE = "appconfig://limits/production/migration"
PATH = "/applications/limits/environments/production/configurations/migration"
FLAG = "?flag=move"


@pytest.fixture
def extension() -> Iterator[Extension]:
    with running_extension() as extension:
        yield extension


@pytest.mark.parametrize("kind", ["file", "appconfig"])
def test_a_phase_takes_effect_when_it_is_asked_for_again_and_not_at_each_call(
    extension: Extension, tmp_path: Path, kind: str
) -> None:
    clock, file = FakeClock(), tmp_path / "phase"
    answer: Callable[[bytes], object] = file.write_bytes
    setting, every = f"file://{file}", switch.FILE_EVERY
    if kind == "appconfig":
        answer = lambda text: extension.answers.update({PATH: (200, text)})  # noqa: E731
        setting, every = PROFILE, switch.APPCONFIG_EVERY
    phase = switch_of(Phase, setting, extension.port, clock)
    with pytest.raises(RepositoryError, match="the phase of the migration is not known"):
        phase()
    answer(b"dual\n")
    assert phase() is Phase.DUAL
    answer(b"target-dual")
    for seconds, expected in ((every - 0.1, Phase.DUAL), (0.1, Phase.TARGET_DUAL), (0, Phase.TARGET_DUAL)):
        clock.advance(seconds)
        assert phase() is expected
    for wrong in (b"\xff", b"dual-write"):
        answer(wrong)
        clock.advance(every)
        assert phase() is Phase.TARGET_DUAL
    assert extension.asked == [PATH] * 5 * (kind == "appconfig")


WRONG = [("", 404, b"{}"), ("", 500, b"source"), (FLAG, 404, b"")]
TEXTS = [b"", b"dual-write", b"source\ntarget", b"\xff\x00\x80", b"source" * 100_000]
FLAGS = [b"[]", b"{", b'{"enabled":false}', b'{"enabled":true,"phase":1}', b'{"enabled":true,"phase":"x"}']
WRONG += [*(("", 200, text) for text in TEXTS), *((FLAG, 200, text) for text in FLAGS)]


@pytest.mark.parametrize(("flag", "status", "body"), WRONG, ids=lambda each: str(each)[:30])
def test_what_is_no_phase_leaves_the_last_one_with_a_warning_and_is_never_guessed(
    extension: Extension, log_lines: io.StringIO, flag: str, status: int, body: bytes
) -> None:
    clock = FakeClock()
    phase = switch_of(Phase, PROFILE + flag, extension.port, clock)
    extension.answers[PATH + flag] = status, body
    for _ in range(2):  # the next call asks again
        with counting() as counted, pytest.raises(RepositoryError, match="the phase of the migration is not"):
            phase()
        assert counted == {switch.NOT_READABLE: 1}
    valid = b'{"enabled":true,"phase":"dual","side":"target"}' if flag else b"dual"
    extension.answers[PATH + flag] = (200, valid)
    assert phase() is Phase.DUAL
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
