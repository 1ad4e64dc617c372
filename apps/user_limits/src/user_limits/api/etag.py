"""Entity tags: what tells whether somebody still has what is stored. Pure.

They are weak: two answers with the same tag say the same, though on the way one may have been compressed.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from kinesis_handler import Aggregate
from kinesis_handler.version import __version__

_TAG = re.compile(r'(?:W/)?("[^"]*")')


def tag_of(aggregate: Aggregate[Any]) -> str:
    """Return the tag of one aggregate.

    The version alone would not do: an aggregate that has expired begins again at 1. Nor would both, after a
    release that shows more of it than the one before.
    """
    return f'W/"{aggregate.version}-{aggregate.updated_at}-{__version__}"'


def tag_of_list(
    aggregates: Sequence[Aggregate[Any]], next_cursor: str | None, unreadable: Sequence[str] = ()
) -> str:
    """Return the tag of a page.

    It changes with any entry, with which they are, with a next page, and with what cannot be read.
    """
    entries = [(each.key[1], each.version, each.updated_at) for each in aggregates]
    content = f"{__version__} {next_cursor} {entries} {list(unreadable)}"
    digest = hashlib.blake2b(content.encode(), digest_size=12)
    return f'W/"{digest.hexdigest()}"'


def is_known(tag: str, if_none_match: str | None) -> bool:
    """Tell whether the header `If-None-Match` names this tag, by the weak comparison that it asks for."""
    if not if_none_match:
        return False
    return if_none_match.strip() == "*" or tag.removeprefix("W/") in _TAG.findall(if_none_match)
