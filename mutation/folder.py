"""The folder that mutmut works in: both packages side by side, as it finds them, and the tests."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".cache" / "mutation"
PACKAGES = ("src/kinesis_handler", "apps/user_limits/src/user_limits")
BESIDE = (
    *("tests", "testkit", "chaos", "apps/user_limits/tests", "apps/user_limits/data"),
    *("conftest.py", "pyproject.toml"),
)
IGNORED = shutil.ignore_patterns("__pycache__")


def lay_out() -> None:
    """Copy what has changed; mutmut sees by the time of a file that it has not."""
    for path in PACKAGES:
        _copy(path, FOLDER / "src" / Path(path).name)
    for path in BESIDE:
        _copy(path, FOLDER / path)


def _copy(path: str, target: Path) -> None:
    source = ROOT / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=IGNORED, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)
