"""Every snippet of README and docs is run: Python as it stands, console sessions command by command."""

import os
import re
import subprocess
import sys
from pathlib import Path

from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

ROOT = Path(__file__).parent
# Running these from within the tests would run the tests within the tests, or take minutes.
ONLY_LOOKED_UP = {"make test", "make bench", "make lint", "make lock"}

# As a reader's shell has it: `make test`, which runs this, must not show in the `make` of a session.
ENVIRONMENT = {name: value for name, value in os.environ.items() if "MAKE" not in name and name != "MFLAGS"}
ENVIRONMENT["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def run_console(example: Example) -> str | None:
    """Run each `$ command` of a console session, and compare what it prints; `…` stands for anything."""
    for part in re.split(r"^\$ ", example.parsed, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        command = command.partition("#")[0].strip()
        if command in ONLY_LOOKED_UP:
            command = command.replace("make", "make --dry-run")
            expected = ""
        done = subprocess.run(  # noqa: S602 - the commands are those of our own pages
            command,
            shell=True,
            cwd=ROOT,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode != 0:
            return f"`{command}` ended with {done.returncode}:\n{done.stderr}"
        if expected.strip() and not _matches(expected, done.stdout):
            return f"`{command}` printed:\n{done.stdout}"
    return None


def _matches(expected: str, printed: str) -> bool:
    pattern = "".join(
        "(?:.*\\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + " *\\n"
        for line in expected.strip().splitlines()
    )
    return re.fullmatch(pattern, printed.rstrip() + "\n") is not None


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), CodeBlockParser(language="console", evaluator=run_console)],
    patterns=["*.md"],
).pytest()
