"""`migrate` on the command line: what is refused, and what is told."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kinesis_handler import ConfigurationError
from kinesis_handler.cli.commands import app
from kinesis_handler.cli.migration_steps import AT_ONCE, next_steps
from kinesis_handler.moving.dual_write import ReadSide
from kinesis_handler.moving.phase import Phase
from kinesis_handler.moving.records import Standing
from migration.shell import ROOT
from user_limits.settings import Settings, read_settings
from user_limits.wiring import application


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Result]:
    """Return what runs a command in a folder of its own, on a file."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"REPOSITORY_TYPE": "sqlite", "STORAGE_TTL": "0", "LOG_LEVEL": "error"}.items():
        monkeypatch.setenv(name, value)
    return lambda line: CliRunner().invoke(app, line.split())


def test_one_file_is_copied_into_another_and_compared(command: Callable[[str], Result]) -> None:
    to = "--to sqlite:///new.db"
    command(f"run {ROOT}/apps/user_limits/data/events.json")
    assert command(f"migrate verify {to}").exit_code == 1
    copied = command(f"migrate copy {to}").stdout
    assert re.fullmatch(r"(\d+) read: \1 written, 0 there already\n", copied)
    assert re.fullmatch(r"\d+ compared: 0 differ\n", command(f"migrate verify {to}").stdout)
    shown = command(f"migrate status {to}").stdout
    assert "phase      none: MIGRATION_PHASE is not set" in shown
    assert "repairs    the target lacks 0, the source 0" in shown
    assert "compared, 0 differ" in shown


def test_a_move_without_a_target_is_told(command: Callable[[str], Result]) -> None:
    told = command("migrate status")
    assert told.exit_code == 2
    assert "MIGRATION_TARGET is not set: set it, or say --to URL" in told.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--back", "--back is for the phase dual-read-target; it is source"),
        ("--lead", "--lead is for the phase dual-read-target; it is source"),
        ("--lead --back", "--lead and --back are two directions: say one of them"),
    ],
)
def test_what_changes_who_decides_is_for_one_phase_and_one_direction_only(
    command: Callable[[str], Result], options: str, told: str
) -> None:
    done = command(f"migrate verify {options} --to sqlite:///new.db")
    assert done.exit_code == 2
    assert told in done.stderr


def test_a_store_is_not_moved_to_itself(command: Callable[[str], Result]) -> None:
    told = command("migrate copy --from sqlite:///new.db --to sqlite:///new.db")
    assert told.exit_code == 2
    assert "--to is 'sqlite:///new.db': that is the source itself" in told.stderr


@pytest.mark.parametrize("name", ["prepare", "copy", "verify", "status"])
def test_each_command_tells_how_it_is_used(command: Callable[[str], Result], name: str) -> None:
    assert "--to" in command(f"migrate {name} --help").stdout


@pytest.mark.parametrize(
    "phase", [*Phase, "file:///tmp/phase", "appconfig://a/b/c", "appconfig://a/b/c?flag=d"]
)
def test_a_phase_and_a_target_are_read_together(phase: str) -> None:
    settings = read_settings({"MIGRATION_PHASE": phase, "MIGRATION_TARGET": "sqlite:///new.db"})
    assert (settings.migration_phase, settings.migration_target) == (phase, "sqlite:///new.db")


@pytest.mark.parametrize(
    "phase", ["dual", "SOURCE", "file://phase", "appconfig://a/b", "appconfig://a/b/c?x=y"]
)
def test_what_is_no_phase_stops_the_start(phase: str) -> None:
    with pytest.raises(ConfigurationError, match=r"MIGRATION_PHASE is .*; allowed: source, dual-read-source"):
        read_settings({"MIGRATION_PHASE": phase, "MIGRATION_TARGET": "sqlite:///new.db"})


@pytest.mark.parametrize(
    ("there", "missing"), [("MIGRATION_PHASE", "MIGRATION_TARGET"), ("MIGRATION_TARGET", "MIGRATION_PHASE")]
)
def test_one_of_the_two_settings_without_the_other_stops_the_start(there: str, missing: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{there} is set and {missing} is not: it takes both"):
        read_settings({there: "source"})


def test_a_target_that_is_no_store_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match=r"MIGRATION_TARGET is 'x': the store is 'x'; allowed:"):
        application({"MIGRATION_PHASE": "source", "MIGRATION_TARGET": "x"})


def test_a_port_that_is_none_stops_the_start() -> None:
    environment = {
        "MIGRATION_PHASE": "appconfig://a/b/c",
        "MIGRATION_TARGET": "inmemory:",
        "AWS_APPCONFIG_EXTENSION_HTTP_PORT": "x",
    }
    with pytest.raises(ConfigurationError, match="AWS_APPCONFIG_EXTENSION_HTTP_PORT is 'x'"):
        application(environment)


def test_with_both_settings_the_handler_has_two_stores_and_without_them_or_with_another_store_one() -> None:
    both = {"MIGRATION_PHASE": "source", "MIGRATION_TARGET": "inmemory:"}
    built = [application(both), application({}), application(both, store="inmemory:")]
    dual = [isinstance(each.views[0].repository, ReadSide) for each in built]
    assert dual == [True, False, False]
    assert Settings().migration_phase == ""


@pytest.mark.parametrize(
    ("phase", "standing", "steps"),
    [
        (
            None,
            Standing.FOLLOWS,
            [("source", "set MIGRATION_PHASE in all handlers, as a file or in AppConfig")],
        ),
        (Phase.SOURCE, Standing.FOLLOWS, [("dual-read-source", AT_ONCE)]),
        (
            Phase.DUAL_READ_SOURCE,
            Standing.FOLLOWS,
            [
                ("dual-read-target", "after `migrate copy`, then `migrate verify --repair`"),
                ("source", AT_ONCE),
            ],
        ),
        (
            Phase.DUAL_READ_TARGET,
            Standing.FOLLOWS,
            [("target", "after `migrate verify --lead`"), ("dual-read-source", AT_ONCE)],
        ),
        (
            Phase.DUAL_READ_TARGET,
            Standing.LEADS,
            [
                ("target", AT_ONCE),
                ("dual-read-source", "after `migrate verify --back`, run twice a minute apart"),
            ],
        ),
        (
            Phase.TARGET,
            Standing.LEADS,
            [("the end", "remove the settings of the move"), ("dual-read-target", AT_ONCE)],
        ),
    ],
)
def test_a_step_is_called_safe_only_after_what_makes_it_so(
    phase: Phase | None, standing: Standing, steps: list[tuple[str, str]]
) -> None:
    assert next_steps(phase, standing, 0, None) == steps
