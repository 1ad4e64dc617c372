"""The command: `python -m testkit.load`."""

import typer

from testkit.load.command import load

typer.run(load)
