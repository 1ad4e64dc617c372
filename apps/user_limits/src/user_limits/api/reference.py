"""Renders the API's description as a page for people, without a script."""

from collections.abc import Iterator
from html import escape
from typing import Any

import msgspec

Json = dict[str, Any]

_encoder = msgspec.json.Encoder(decimal_format="number")

PAGE = """\
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>{title}</title>
  <link rel="stylesheet" href="/docs.css">
</head>
<body>
<header>
  <h1>{title} <small>{version}</small></h1>
  <p>{description}</p>
  <p>For tools: <a href="/openapi.json">openapi.json</a> (OpenAPI {openapi})</p>
</header>
<nav aria-label="Operations"><ul>{contents}</ul></nav>
<main>
{operations}
<section id="schemas"><h2>Documents</h2>
{schemas}
</section>
</main>
</body>
</html>
"""


def reference_page(described: Json) -> str:
    """Return the page of a description."""
    operations = [
        (method, path, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    return PAGE.format(
        title=escape(described["info"]["title"]),
        version=escape(described["info"]["version"]),
        description=escape(described["info"]["description"]),
        openapi=escape(described["openapi"]),
        contents="".join(
            f'<li><a href="#{_name(operation)}">{escape(operation["summary"])}</a></li>'
            for _, _, operation in operations
        ),
        operations="\n".join(_operation(*each) for each in operations),
        schemas="\n".join(
            _schema(name, schema) for name, schema in described["components"]["schemas"].items()
        ),
    )


def _operation(method: str, path: str, operation: Json) -> str:
    parameters = operation.get("parameters", [])
    rows = "".join(
        _row(
            f"<code>{escape(each['name'])}</code>",
            f"{escape(each['in'])}{', required' if each.get('required') else ''}",
            f"{_text(each.get('description', ''))} {_type(each.get('schema', {}))}",
        )
        for each in parameters
    )
    table = f"<table><caption>Parameters</caption>{rows}</table>" if rows else ""
    token = "<p>Needs a token: <code>Authorization: Bearer …</code></p>" if "security" in operation else ""
    responses = "\n".join(_response(status, each) for status, each in operation["responses"].items())
    return (
        f'<section id="{_name(operation)}"><h2>{escape(operation["summary"])}</h2>'
        f"<p><code>{method.upper()} {escape(path)}</code></p><p>{_text(operation.get('description', ''))}</p>"
        f"{token}{table}{responses}</section>"
    )


def _response(status: str, response: Json) -> str:
    shown = "".join(_example(media_type, each) for media_type, each in response.get("content", {}).items())
    opened = " open" if status == "200" else ""
    description = _text(response["description"])
    return f"<details{opened}><summary><b>{escape(status)}</b> {description}</summary>{shown}</details>"


def _example(media_type: str, content: Json) -> str:
    name = content["schema"]["$ref"].rpartition("/")[2]
    examples = "".join(
        f"<pre>{escape(_pretty(example['value']))}</pre>" for example in content.get("examples", {}).values()
    )
    return f'<p><code>{escape(media_type)}</code>, <a href="#{escape(name)}">{escape(name)}</a></p>{examples}'


def _schema(name: str, schema: Json) -> str:
    rows = "".join(
        _row(f"<code>{escape(field)}</code>", _type(each), _text(each.get("description", "")))
        for field, each in schema.get("properties", {}).items()
    )
    return (
        f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{_text(schema.get("description", ""))}</p>'
        f"<table>{rows}</table>"
    )


def _type(schema: Json) -> str:
    """Return a short description of a type."""
    return " or ".join(dict.fromkeys(_types(schema)))


def _types(schema: Json) -> Iterator[str]:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        yield f'<a href="#{name}">{name}</a>'
    elif "enum" in schema:
        yield " · ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    elif schema.get("type") == "array":
        yield f"list of {_type(schema['items'])}"
    elif several := schema.get("anyOf") or schema.get("oneOf"):
        for each in several:
            yield from _types(each)
    else:
        declared = schema.get("type", "")
        bounds = [
            f"{word} {schema[key]}"
            for key, word in (("minimum", "from"), ("maximum", "to"), ("maxLength", "at most"))
            if key in schema
        ]
        yield " ".join([escape(declared if isinstance(declared, str) else " or ".join(declared)), *bounds])


def _pretty(value: Any) -> str:
    """Write an example over several lines, its numbers unchanged."""
    return msgspec.json.format(_encoder.encode(value), indent=2).decode()


def _name(operation: Json) -> str:
    return escape(operation["operationId"])


def _row(*cells: str) -> str:
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _text(text: str) -> str:
    """Escape text, and mark `code` as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))
