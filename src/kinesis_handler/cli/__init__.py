"""The command line: another door onto the same corridor, for any application."""

import sys


def main() -> None:
    """Run `kinesis-handler`, or say what to install if the command line's own libraries are missing."""
    try:
        from kinesis_handler.cli.commands import app  # noqa: PLC0415 - so that its absence can be told
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in {"typer", "rich"}:
            raise
        sys.exit(f"kinesis-handler needs {library}: pip install 'kinesis-handler[cli]'")
    app()
