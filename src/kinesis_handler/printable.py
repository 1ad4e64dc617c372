"""Escapes text from producers, so that a terminal shows it and does not obey it. Pure.

Ids, names, keys and reasons come from producers. A terminal interprets some characters instead of showing
them: escape sequences move the cursor, set the title or make links, line breaks add false lines, direction
marks reverse the rest of a line. This module replaces each of them by visible text.
"""

import re
from functools import lru_cache
from unicodedata import category

_CONTROL_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Control characters (C0, DEL and C1), format characters (bidi, zero width), lone surrogates, line breaks.

Source: https://www.unicode.org/reports/tr44/#General_Category_Values
"""

_perhaps = re.compile(r"[^ -~]")


def printable(text: str) -> str:
    r"""Replace control and invisible characters by their Python escapes: `\x1b`, `\u202e`.

    A backslash stays one: the result is for people, and cannot be decoded again.
    """
    return _perhaps.sub(_escape, text)


def counted(number: int, noun: str) -> str:
    """Write a number of things, whose noun has a plural in -s."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def printable_lines(text: str) -> str:
    """Escape a text of several lines; its line breaks stay."""
    return "\n".join(map(printable, text.split("\n")))


def printable_json(text: str) -> str:
    r"""Escape a line of JSON by JSON's own escapes: it decodes to the same value.

    JSON encoders escape C0 only, and a terminal interprets C1 too.
    """
    return _perhaps.sub(_escape_in_json, text)


@lru_cache(1024)
def _is_shown(character: str) -> bool:
    return category(character) not in _CONTROL_CATEGORIES


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    return character if _is_shown(character) else character.encode("unicode_escape").decode()


def _escape_in_json(found: re.Match[str]) -> str:
    character = found[0]
    if _is_shown(character):
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
