"""Files that pages share: colours and forms, polling, sign-in."""

from pathlib import Path

FOLDER = Path(__file__).parent
"""Where they are. Each is served beside the page's own files; an import of `/arrange.js` is one of those."""
