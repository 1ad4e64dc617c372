"""The command line: another door onto the same corridor, for any application."""

import sys


def main() -> None:
    """Run `kinesis-handler`, or say what to install if the command line's own libraries are missing."""
    try:
        from kinesis_handler.cli.commands import app  # noqa: PLC0415 - so that its absence can be told
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        sys.exit(f"kinesis-handler needs {error.name}: pip install 'kinesis-handler[cli]'")
    app()
