"""Files that pages share (colours and forms, polling, sign-in), and how the files of a page are read."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

FOLDER = Path(__file__).parent
"""Where they are. Each is served beside the page's own files; an import of `/arrange.js` is one of those."""

INDEX = "index.html"

CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".webmanifest": "application/manifest+json",
}


def read_page(folder: Path, options: Mapping[str, str]) -> dict[str, tuple[bytes, str]]:
    """Return the files of a page, and those that pages share: by its name, the content of each and its type.

    Args:
        folder: the page's own files.
        options: what the page is told, by the names of the `meta`s in its head; one that is empty has none.
    """
    files = [*sorted(FOLDER.iterdir()), *sorted(folder.iterdir())]
    contents = {path.name: path.read_bytes() for path in files if path.suffix in CONTENT_TYPES}
    metas = "".join(
        f'  <meta name="{name}" content="{escape(value)}">\n' for name, value in options.items() if value
    )
    contents[INDEX] = contents[INDEX].replace(b"</head>", f"{metas}</head>".encode(), 1)
    return {name: (content, CONTENT_TYPES[Path(name).suffix]) for name, content in contents.items()}
