import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from audit.vulnerabilities import NotCheckedError, in_npm
from local_emulators import empty_cache, stub
from testkit.npm_lock import installed

pytestmark = pytest.mark.other_programs

cache = pytest.fixture(empty_cache)


def install(folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        (folder / name).write_text("{}")
    installed(folder, "example", purpose="nothing")


def audit(_: Path) -> None:
    with suppress(NotCheckedError):  # what npm prints instead is no answer
        in_npm()


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("use_npm", [install, audit])
def test_npm_has_the_global_settings_of_the_machine(
    use_npm: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm, asked = shutil.which("npm"), tmp_path / "asked"
    assert npm
    command = [npm, "config", "get", "globalconfig"]
    of_the_machine = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=True)
    # Npm itself says where it looks, called as it was called for something else.
    stub(tmp_path / "npm", f'shift; exec "{npm}" config get globalconfig "$@" > "{asked}"')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    use_npm(tmp_path)
    assert asked.read_text() == of_the_machine.stdout
