"""The command line of any application: runs the same engine as Lambda does."""

import sys


def main() -> None:
    """Run `kinesis-handler`, or name the extra to install if the command line's libraries are missing."""
    try:
        from kinesis_handler.cli.commands import app  # noqa: PLC0415 - to report a missing library
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in {"typer", "rich"}:
            raise
        sys.exit(f"kinesis-handler needs {library}: pip install 'kinesis-handler[cli]'")
    app()
