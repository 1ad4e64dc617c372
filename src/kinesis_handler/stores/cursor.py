"""The cursor of a page: where in its partition the next one begins. It is the same in all stores."""

import base64

from kinesis_handler.errors import InvalidCursorError


def encode_cursor(sort: str) -> str:
    """Return the cursor that asks for what lies behind this sort key."""
    return base64.urlsafe_b64encode(sort.encode()).decode()


def decode_cursor(cursor: str | None) -> str:
    """Return the sort key behind which the page begins; the empty one, which no key has, for the first page.

    Raises InvalidCursorError if it is not one that `encode_cursor` returned.
    """
    if cursor is None:
        return ""
    try:
        sort = base64.b64decode(cursor, altchars=b"-_", validate=True).decode()
    except ValueError:
        sort = ""
    if not sort:
        raise InvalidCursorError("the cursor is none that this repository handed out")
    return sort
