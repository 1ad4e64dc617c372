"""The picture of `make run` in a terminal."""

import os
import re
import subprocess
from io import StringIO

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from command_line import COMMAND, ROOT

WIDTH = 114
"""Characters of a line."""

# The fonts of the reader's own machine: rich's own form fetches one from elsewhere.
FORM = re.sub(r"\s*@font-face \{\{.*?\}\}|\s*<!--.*?-->", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace(
    "Fira Code, monospace", "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
)


def terminal_picture(*command: str) -> str:
    """Return an SVG of what a command prints on a terminal, with the command above it."""
    done = subprocess.run(
        [COMMAND, *command],
        capture_output=True,
        check=True,
        text=True,
        cwd=ROOT,
        env={
            **os.environ,
            "FORCE_COLOR": "1",
            "COLUMNS": str(WIDTH),
            "LOG_LEVEL": "error",
            "TERM": "xterm-256color",
        },
    )
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True)
    console.print(Text.from_ansi(done.stdout.rstrip()))
    return console.export_svg(title=f"kinesis-handler {' '.join(command)}", code_format=FORM, unique_id="run")
