"""The extras of the package: what has to be installed for a part that was chosen."""

from collections.abc import Iterator
from contextlib import contextmanager

from kinesis_handler.errors import ConfigurationError

__all__ = ["require_extra"]


@contextmanager
def require_extra(part: str, extra: str = "aws") -> Iterator[None]:
    """Import the libraries of a part inside of this context.

    Args:
        part: what was chosen, for a person: `store in DynamoDB`.
        extra: the one of `kinesis-handler[extra]` that installs its libraries.

    Raises ConfigurationError that says what to install if one is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        raise ConfigurationError(
            f"the {part} needs {library}: pip install 'kinesis-handler[{extra}]'"
        ) from error
