"""The switch, against a real HTTP server that answers as AppConfig's extension does.

There is no emulator of the extension: what it answers is taken from its documentation.
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kinesis_handler.errors import RepositoryError
from kinesis_handler.moving import switch
from kinesis_handler.moving.phase import Phase
from kinesis_handler.moving.switch import (
    APPCONFIG_EVERY,
    FILE_EVERY,
    NOT_READABLE,
    appconfig_switch,
    file_switch,
)
from kinesis_handler.telemetry.metrics import counting
from kinesis_handler.testing import FakeClock
from migration.extension import Extension, running_extension

PLACE = "limits/production/migration"
PATH = "/applications/limits/environments/production/configurations/migration"


@pytest.fixture
def extension() -> Iterator[Extension]:
    with running_extension() as made:
        yield made


def test_the_phase_is_what_the_extension_says_and_is_not_asked_for_again_too_soon(
    extension: Extension,
) -> None:
    clock = FakeClock()
    phase = appconfig_switch(PLACE, extension.port, clock)
    extension.answers[PATH] = (200, b"dual-read-source\n")
    assert phase() is Phase.DUAL_READ_SOURCE
    extension.answers[PATH] = (200, b"dual-read-target")
    clock.advance(APPCONFIG_EVERY - 1)
    assert phase() is Phase.DUAL_READ_SOURCE
    clock.advance(1)
    assert phase() is Phase.DUAL_READ_TARGET
    assert extension.asked == [PATH, PATH]


def test_the_phase_can_be_the_attribute_of_a_feature_flag(extension: Extension) -> None:
    extension.answers[f"{PATH}?flag=move"] = (200, json.dumps({"enabled": True, "phase": "target"}).encode())
    assert appconfig_switch(f"{PLACE}?flag=move", extension.port)() is Phase.TARGET


WRONG = {
    "404": (404, b"{}"),
    "500": (500, b"dual-read-target"),
    "empty": (200, b""),
    "no phase": (200, b"dual-write"),
    "two phases": (200, b"source\ntarget"),
    "garbage": (200, b"\xff\x00\x80"),
    "long": (200, b"source" * 100_000),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_phase_leaves_the_last_one_with_a_warning(
    extension: Extension, log_lines: io.StringIO, wrong: str
) -> None:
    clock = FakeClock()
    phase = appconfig_switch(PLACE, extension.port, clock)
    extension.answers[PATH] = (200, b"dual-read-source")
    assert phase() is Phase.DUAL_READ_SOURCE
    extension.answers[PATH] = WRONG[wrong]
    clock.advance(APPCONFIG_EVERY)
    with counting() as counted:
        assert phase() is Phase.DUAL_READ_SOURCE
        assert phase() is Phase.DUAL_READ_SOURCE, "it is not asked at each call then either"
    assert counted == {NOT_READABLE: 1}
    assert len(extension.asked) == 2
    line = json.loads(log_lines.getvalue().splitlines()[-1])
    assert (line["level"], line["message"], line["phase"]) == (
        "warning",
        "phase not readable",
        "dual-read-source",
    )
    extension.answers[PATH] = (200, b"source")
    clock.advance(APPCONFIG_EVERY)
    assert phase() is Phase.SOURCE


FLAGS = [b"[]", b"{", b'{"enabled":false}', b'{"enabled":true,"phase":1}', b'{"enabled":true,"phase":"x"}']


@pytest.mark.parametrize("body", FLAGS)
def test_a_flag_without_a_phase_tells_none(extension: Extension, body: bytes) -> None:
    extension.answers[f"{PATH}?flag=move"] = (200, body)
    with pytest.raises(RepositoryError, match="the phase of the migration is not known"):
        appconfig_switch(f"{PLACE}?flag=move", extension.port)()


def test_an_extension_that_does_not_answer_leaves_the_last_phase(
    extension: Extension, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch, "TIMEOUT", 0.1)
    clock = FakeClock()
    phase = appconfig_switch(PLACE, extension.port, clock)
    extension.answers[PATH] = (200, b"target")
    assert phase() is Phase.TARGET
    extension.silent.set()
    clock.advance(APPCONFIG_EVERY)
    assert phase() is Phase.TARGET


def test_without_a_phase_ever_read_nothing_is_guessed_and_the_next_call_asks_again(
    extension: Extension,
) -> None:
    phase = appconfig_switch(PLACE, extension.port, FakeClock())
    for _ in range(2):
        with counting() as counted, pytest.raises(RepositoryError, match=f"extension answers 404 for {PATH}"):
            phase()
        assert counted == {NOT_READABLE: 1}
    extension.answers[PATH] = (200, b"source")
    assert phase() is Phase.SOURCE


def test_an_extension_that_is_not_there_is_told() -> None:
    with pytest.raises(RepositoryError, match="AppConfig's extension does not answer: ConnectionRefused"):
        appconfig_switch(PLACE, 1)()


def test_a_file_is_a_switch_that_takes_effect_while_the_program_runs(tmp_path: Path) -> None:
    clock, path = FakeClock(), tmp_path / "phase"
    phase = file_switch(str(path), clock)
    with pytest.raises(RepositoryError, match="the phase of the migration is not known"):
        phase()
    path.write_text("source\n")
    assert phase() is Phase.SOURCE
    path.write_text("dual-read-source\n")
    assert phase() is Phase.SOURCE
    clock.advance(FILE_EVERY)
    assert phase() is Phase.DUAL_READ_SOURCE
    path.write_bytes(b"\xff")
    clock.advance(FILE_EVERY)
    assert phase() is Phase.DUAL_READ_SOURCE
    path.unlink()
    clock.advance(FILE_EVERY)
    assert phase() is Phase.DUAL_READ_SOURCE
