"""Makes entity tags, by which a caller learns whether an answer has changed. Pure.

They are weak: two answers with the same tag are equivalent, but one may have been compressed on the way.
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

    The version alone is not enough: an aggregate that has expired begins again at 1. Version and time are not
    enough after a release that shows more of it than the previous one. Being parked changes neither.
    """
    return f'W/"{aggregate.version}-{aggregate.updated_at}-{_waiting_since(aggregate)}-{__version__}"'


def tag_of_list(
    aggregates: Sequence[Aggregate[Any]], next_cursor: str | None, unreadable: Sequence[str] = ()
) -> str:
    """Return the tag of a page.

    It changes with any entry, with their set, with a next page, and with the unreadable ids.
    """
    entries = [(each.key[1], each.version, each.updated_at, _waiting_since(each)) for each in aggregates]
    content = f"{__version__} {next_cursor} {entries} {list(unreadable)}"
    digest = hashlib.blake2b(content.encode(), digest_size=12)
    return f'W/"{digest.hexdigest()}"'


def _waiting_since(aggregate: Aggregate[Any]) -> int:
    return aggregate.parked.since if aggregate.parked is not None else 0


def is_known(tag: str, if_none_match: str | None) -> bool:
    """Tell whether the header `If-None-Match` names this tag, by weak comparison."""
    if not if_none_match:
        return False
    return if_none_match.strip() == "*" or tag.removeprefix("W/") in _TAG.findall(if_none_match)
