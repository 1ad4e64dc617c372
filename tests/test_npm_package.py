import base64
import hashlib
import re
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from local_emulators import PACKAGES, empty_cache, empty_path, files, stub
from testkit.emulators.npm_package import EmulatorError, NpmPackage

programs = pytest.fixture(empty_path)
cache = pytest.fixture(empty_cache)


@pytest.fixture(params=PACKAGES, ids=lambda package: package.emulator)
def pinned(request: pytest.FixtureRequest) -> NpmPackage:
    """Return a package as it is pinned."""
    package: NpmPackage = request.param
    return package


def stub_npm(programs: Path, pinned: NpmPackage, *, then: str = "") -> NpmPackage:
    """Let npm fetch a small package instead. Returns the package for which that one is the right one."""
    tarball = programs / "package.tgz"
    file = programs / "file"
    file.touch()
    with tarfile.open(tarball, "w:gz") as archive:
        for name in ("other/index.js", f"{pinned.folder}/main", f"{pinned.folder}/lib/a.so"):
            archive.add(file, name)
    stub(programs / "npm", f'/bin/cp "{tarball}" "$4/{pinned.name}-{pinned.version}.tgz"\n{then}')
    digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    return replace(pinned, integrity=f"sha512-{digest}")


def test_without_npm_and_with_an_empty_cache_a_sentence_says_so(
    pinned: NpmPackage, programs: Path, cache: Path
) -> None:
    assert not list(programs.iterdir())
    sentence = rf"There is no npm on the PATH\. It fetches {pinned.emulator}, once: install Node\.js\."
    with pytest.raises(EmulatorError, match=sentence):
        pinned.fetch()
    assert not list(cache.iterdir())


@pytest.mark.other_programs
def test_if_npm_fails_its_last_lines_are_reported(pinned: NpmPackage, programs: Path, cache: Path) -> None:
    stub(programs / "npm", "echo 'npm error network No way out' >&2; exit 1")
    with pytest.raises(EmulatorError, match=r"npm could not fetch [^\n]*\nnpm error network No way out$"):
        pinned.fetch()
    assert not list(cache.iterdir())


@pytest.mark.other_programs
def test_a_package_whose_integrity_differs_is_refused_and_not_kept(
    pinned: NpmPackage, programs: Path, cache: Path
) -> None:
    other = stub_npm(programs, pinned)
    integrities = rf"its integrity is {re.escape(other.integrity)}, not {re.escape(pinned.integrity)}\.$"
    with pytest.raises(EmulatorError, match=rf"is not kept: {integrities}"):
        pinned.fetch()
    assert not list(cache.iterdir())


@pytest.mark.other_programs
def test_the_emulator_alone_is_taken_from_the_package_and_fetched_once(
    pinned: NpmPackage, programs: Path, cache: Path
) -> None:
    package = stub_npm(programs, pinned)
    folder = package.fetch()
    assert files(cache) == [f"{folder.name}/lib/a.so", f"{folder.name}/main"]
    assert list(cache.iterdir()) == [folder]
    (programs / "npm").unlink()
    assert package.fetch() == folder


@pytest.mark.other_programs
def test_of_two_sessions_that_fetch_at_once_both_take_what_the_first_has_fetched(
    pinned: NpmPackage, programs: Path, cache: Path
) -> None:
    first = cache / f"{pinned.emulator.lower().replace(' ', '-')}-{pinned.version}"
    package = stub_npm(programs, pinned, then=f'/bin/mkdir "{first}"; : > "{first}/of the first"')
    assert package.fetch() == first
    assert files(cache) == [f"{first.name}/of the first"]
    assert list(cache.iterdir()) == [first]
