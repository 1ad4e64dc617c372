"""Docstrings as Markdown."""

import inspect
import re

_SECTIONS = re.compile(r"^(Args|Returns):$", re.MULTILINE)
_ARGUMENT = re.compile(r"^    (\w+): ", re.MULTILINE)


def markdown(docstring: str | None) -> str:
    """Return a docstring with its arguments as a list; other indented parts are code in Markdown too."""
    text = inspect.cleandoc(docstring or "")
    begin, *sections = _SECTIONS.split(text)
    parts = [begin.strip()]
    for name, content in zip(sections[::2], sections[1::2], strict=True):
        inside, _, after = content.strip("\n").partition("\n\n")
        parts.append(_list(inside) if name == "Args" else f"Returns: {_flat(inside)}")
        parts.append(after.strip())
    return "\n\n".join(filter(None, parts))


def arguments(docstring: str | None) -> dict[str, str]:
    """Return the description of each argument in a docstring."""
    text = inspect.cleandoc(docstring or "")
    return _arguments(text.partition("Args:\n")[2].partition("\n\n")[0])


def _arguments(inside: str) -> dict[str, str]:
    _, *parts = _ARGUMENT.split(inside)
    return {name: _flat(meaning) for name, meaning in zip(parts[::2], parts[1::2], strict=True)}


def _list(inside: str) -> str:
    return "\n".join(f"- `{name}`: {meaning}" for name, meaning in _arguments(inside).items())


def _flat(text: str) -> str:
    return " ".join(text.split())
