"""The page for front ends, as its readers follow it: its client is generated, compiles, and reads the API."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from api.stored import EXAMPLE, limit, repository_of
from api.test_activity import activities_of
from command_line import ROOT
from testkit.npm_lock import installed
from testkit.serving import serving
from user_limits.api.app import build_api

pytestmark = pytest.mark.other_programs

PAGE = (ROOT / "docs" / "how-to" / "front-end.md").read_text()
FOLDER = Path(__file__).parent / "typescript"
BEYOND_DOUBLES = Decimal("9007199254740993.01")
LIMITS = [
    limit("usr_456", f"{n:04}", value=BEYOND_DOUBLES - n, progress=Decimal(n), type="BET", period="WEEK")
    for n in range(1_000)
]


def commands() -> list[str]:
    """Return the commands of the page, but for the installation."""
    blocks = re.findall(r"^```sh\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if not line.startswith("npm install")]


def run(command: str, folder: Path) -> str:
    done = subprocess.run(
        shlex.split(command), cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Any]]:
    """Do what the page says in a folder with its files, and return what the walk has seen."""
    folder = tmp_path_factory.mktemp("front-end")
    for name, content in re.findall(r'^```\w+ title="([^"]+)"\n(.+?)^```', PAGE, re.MULTILINE | re.DOTALL):
        (folder / name).write_text(content)
    (folder / "walk.ts").write_text((FOLDER / "walk.ts").read_text())
    (folder / "package.json").write_text('{"type": "module"}')
    modules = (
        installed(FOLDER, "typescript-client", purpose="the TypeScript client's packages") / "node_modules"
    )
    (folder / "node_modules").symlink_to(modules)
    app = build_api(repository_of(*LIMITS, EXAMPLE), activities=activities_of(["12.50", "-2.10"]))
    with serving(app) as url:
        generate, compile_it = commands()
        run(generate.replace("http://127.0.0.1:8000", url), folder)
        run(compile_it, folder)
        built = folder / "built" / "walk.js"
        built.write_text(built.read_text().replace('"./limits"', '"./limits.js"'))  # a bundler's work
        yield json.loads(run(f"node {built} {url}", folder))


def test_the_client_reads_a_thousand_limits_over_all_pages(seen: Mapping[str, Any]) -> None:
    assert seen["ids"] == [each.limit_id for each in LIMITS] + ["lmt_123"]


def test_its_amounts_have_all_their_digits(seen: Mapping[str, Any]) -> None:
    assert seen["amounts"] == [str(each.value) for each in LIMITS] + ["9800.10"]
    assert all(type(each) is str for each in seen["percentages"])
    assert (seen["amount"], seen["version"]) == (str(BEYOND_DOUBLES), 1)
    assert seen["changes"] == ["-2.10", "12.50", "9800.10"]


def test_an_answer_that_has_not_changed_is_not_sent_again(seen: Mapping[str, Any]) -> None:
    assert seen["tag"].startswith("W/")
    assert seen["sameAnswer"] is True


def test_a_problem_is_an_error_with_its_code_and_the_id_for_the_log(seen: Mapping[str, Any]) -> None:
    assert (seen["status"], seen["code"]) == (404, "no-such-limit")
    assert seen["message"] == "no-such-limit: this user has no limit of this id"
    assert re.fullmatch("[0-9a-f]{32}", seen["correlationId"])
    assert (seen["wrongType"], seen["allowed"][0]) == ("wrong-parameter", "BALANCE")


def test_filters_links_and_ids_are_as_the_page_says(seen: Mapping[str, Any]) -> None:
    assert seen["active"] == ["0000", "0001"]
    assert 'rel="next"' in seen["link"]
    assert seen["repeated"] == "shop-7"


def test_the_page_installs_what_is_pinned_and_the_lock_names_no_registry() -> None:
    pinned = json.loads((FOLDER / "package.json").read_text())
    on_page = dict(re.findall(r"([\w-]+)@(\d+\.\d+\.\d+)", PAGE))
    assert on_page == pinned["dependencies"] | pinned["devDependencies"]
    lock = json.loads((FOLDER / "package-lock.json").read_text())
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())
    assert not any("resolved" in each for each in packages.values())
