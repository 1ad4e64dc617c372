"""A page of commands, run as a reader runs it: one after the other, in one shell."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest
from typer.testing import CliRunner

from kinesis_handler.cli.commands import app

ROOT = Path(__file__).parent.parent.parent
PROGRAM = "kinesis-handler "

Command = tuple[str, str]
"""What is typed, and what is expected to be printed."""


def commands(page: Path) -> list[Command]:
    """Return the commands of a page, in its order."""
    blocks = re.findall(r"^```shell-session\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    parts = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, expected) for command, _, expected in (part.partition("\n") for part in parts)]


def matches(expected: str, printed: str) -> bool:
    """Compare what was printed; a line of … stands for any lines, … in a line for anything."""
    pattern = "".join(
        "(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + " *\n"
        for line in expected.strip().splitlines()
    )
    return re.fullmatch(pattern, printed) is not None


class Shell:
    """One shell, in a folder of its own.

    Our own program is run within this process: to start another one for each command takes most of the time.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {**os.environ, "PATH": path, "TERM": "dumb", "LOG_LEVEL": "error", **environment}
        self.folder = folder
        self._process = subprocess.Popen(
            ["/bin/bash"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            env=self.environment,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()

    def __call__(self, command: str) -> tuple[int, str]:
        """Run a command; return its exit status and what it printed."""
        if command.startswith(PROGRAM):
            return self._run_here(command.removeprefix(PROGRAM))
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{command}\necho @@$?\n")
        self._process.stdin.flush()
        printed = ""
        for line in self._process.stdout:
            if line.startswith("@@"):
                return int(line[2:]), printed
            printed += line
        raise AssertionError(f"the shell ended: {printed}")

    def check(self, command: str, expected: str = "") -> str:
        """Run a command, see that it succeeds and prints what is expected; return what it printed."""
        status, printed = self(command)
        assert status == 0, f"{command} ended with {status}:\n{printed}"
        assert not expected.strip() or matches(expected, printed), f"{command} printed:\n{printed}"
        return printed

    def _run_here(self, arguments: str) -> tuple[int, str]:
        _, exported = self("env -0 | tr '\\n\\0' ' \\n'")
        settings = dict(line.split("=", 1) for line in exported.splitlines())
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            done = CliRunner().invoke(app, shlex.split(arguments), env=settings)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.output
