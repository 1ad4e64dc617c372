"""The command line: called within this process, or run by one of its own.

A process takes longer to start than most tests need for all else. Each command is run by one nevertheless: by
tests that ask for it, and by the sessions of README and docs.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from typer.testing import CliRunner

from kinesis_handler.cli.commands import app

ROOT = Path(__file__).parent.parent
EVENTS = ROOT / "apps" / "user_limits" / "data" / "events.json"
COMMAND = Path(sys.executable).with_name("kinesis-handler")
PATIENCE = 60
"""Seconds after which a process is taken to hang."""

PAUSES = ("kinesis_handler.cli.run.RETRY_WAIT", "kinesis_handler.moving.verification.PAUSE")
"""What lets others finish what they write. Nobody else writes to the stores of a command that is called."""

Settings = Mapping[str, str]
NONE: Settings = {}
DUMB = {"TERM": "dumb"}
"""No terminal that could show colours."""


def call(
    *arguments: str, stdin: bytes = b"", folder: Path = ROOT, settings: Settings = NONE
) -> CompletedProcess[str]:
    """Call a command in a folder, with settings; return what a process would leave behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", sys.path.copy())  # the command puts the folder before it
        for pause in PAUSES:
            patch.setattr(pause, 0.0)
        done = CliRunner().invoke(
            app, arguments, input=stdin, env={**DUMB, **settings}, catch_exceptions=False
        )
    return CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def run(
    *arguments: str, stdin: bytes = b"", folder: Path = ROOT, settings: Settings = NONE
) -> CompletedProcess[str]:
    """Do the same by a process of its own."""
    done = subprocess.run(
        [COMMAND, *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        cwd=folder,
        env={**os.environ, **DUMB, **settings},
        timeout=PATIENCE,
    )
    return CompletedProcess(arguments, done.returncode, done.stdout.decode(), done.stderr.decode())
