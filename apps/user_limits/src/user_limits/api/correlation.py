"""Gives each request an id by which its log lines and its answer are found: the caller's, or a new one."""

import re
import uuid

HEADER = b"x-correlation-id"

_FORM = re.compile(r"[!-~]{1,128}")
"""Pattern of an id that is taken over: printable, without spaces, so that it breaks no line of a log."""


def correlation_id(given: str | None) -> str:
    """Return the id that a caller gave, or a new one if there is none or it cannot be taken over."""
    return given if given is not None and _FORM.fullmatch(given) else uuid.uuid4().hex
