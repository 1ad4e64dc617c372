"""Text that others have written, as a terminal may show it. Pure.

Ids, names, keys and reasons come from producers. A terminal obeys some characters instead of showing them:
escape sequences move the cursor, set its title or make links, line breaks add lines that nobody wrote, marks
of direction turn the rest of a line round. Here each of them becomes text that is seen.
"""

import re
from functools import lru_cache
from unicodedata import category

_OBEYED_OR_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Control characters (C0, DEL and C1), format characters (bidi, zero width), lone surrogates, line breaks.

Source: https://www.unicode.org/reports/tr44/#General_Category_Values
"""

_perhaps = re.compile(r"[^ -~]")


def printable(text: str) -> str:
    r"""Replace what a terminal would obey, or not show, by its escape as Python writes it: `\x1b`, `\u202e`.

    A backslash stays one: the result is for eyes, and is not to be read back.
    """
    return _perhaps.sub(_escape, text)


def printable_lines(text: str) -> str:
    """Do the same with a text of several lines; where they end, they end."""
    return "\n".join(map(printable, text.split("\n")))


def printable_json(text: str) -> str:
    r"""Do the same with a line of JSON, by JSON's own escapes: it means what it meant.

    JSON's encoders escape C0 alone, and a terminal obeys C1 too.
    """
    return _perhaps.sub(_escape_in_json, text)


@lru_cache(1024)
def _is_shown(character: str) -> bool:
    return category(character) not in _OBEYED_OR_UNSEEN


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    return character if _is_shown(character) else character.encode("unicode_escape").decode()


def _escape_in_json(found: re.Match[str]) -> str:
    character = found[0]
    if _is_shown(character):
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
