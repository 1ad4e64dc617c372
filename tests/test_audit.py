"""`make audit`: what may be in an artifact, and what is known against it."""

import gzip
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import PathDistribution
from pathlib import Path
from threading import Thread

import pytest

from audit import licences, policy, vulnerabilities
from audit.__main__ import holds, main
from audit.artifacts import PYTHON, Component, in_each_artifact, installed
from audit.licences import Licensed, licence_of
from audit.vulnerabilities import NotCheckedError
from local_emulators import empty_path

programs = pytest.fixture(empty_path)

# Licences.


def distribution(folder: Path, *headers: str) -> PathDistribution:
    info = folder / "some-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "\n".join(["Metadata-Version: 2.4", "Name: some", "Version: 1.0", *headers, ""])
    )
    return PathDistribution(info)


OSI = "Classifier: License :: OSI Approved ::"


@pytest.mark.parametrize(
    ("headers", "licence"),
    [
        (["License-Expression: MIT OR Apache-2.0"], "MIT OR Apache-2.0"),
        (["License: bsd-3-clause", f"{OSI} BSD License"], "BSD-3-Clause"),
        (["License: MIT License", f"{OSI} MIT License"], "MIT"),
        ([f"{OSI} MIT License", f"{OSI} Apache Software License"], "Apache-2.0 AND MIT"),
        ([f"{OSI} MIT License", f"{OSI} BSD License"], None),
        ([f"{OSI} BSD License"], None),
        (["License: see the file"], None),
        ([], None),
    ],
)
def test_a_licence_is_what_the_metadata_says_without_doubt(
    headers: list[str], licence: str | None, tmp_path: Path
) -> None:
    assert licence_of(Component("some", distribution(tmp_path, *headers))) == licence


@pytest.mark.parametrize(
    ("expression", "refused"),
    [
        ("MIT", []),
        ("(MIT OR CC0-1.0) AND Apache-2.0", []),
        ("GPL-3.0-only", ["GPL-3.0-only"]),
        ("MIT AND LGPL-2.1-or-later", ["LGPL-2.1-or-later"]),
        ("MIT OR GPL-2.0-only", ["GPL-2.0-only"]),
        ("Apache-2.0 WITH LLVM-exception", ["WITH", "LLVM-exception"]),
        ("LicenseRef-Some", ["LicenseRef-Some"]),
        (None, ["no licence that can be read"]),
    ],
)
def test_a_licence_that_is_not_listed_is_refused(expression: str | None, refused: list[str]) -> None:
    assert policy.refused(expression) == refused
    package = Licensed("some", "1.0", expression, ("consumer.zip",))
    assert licences.not_allowed([package]) == [
        f"some 1.0, in consumer.zip: {', '.join(refused)}" for _ in [1] if refused
    ]


@pytest.mark.other_programs
def test_each_package_of_an_artifact_has_a_licence_that_is_allowed_and_no_allowance_is_unused() -> None:
    packages = [*licences.of_artifacts(), *licences.of_toolchains()]
    assert licences.not_allowed(packages) == []
    assert policy.ALLOWED.keys() == {each for one in packages for each in policy.named(one.licence or "")}
    assert policy.READ.keys() <= {package.name for package in packages}


@pytest.mark.other_programs
def test_all_that_an_artifact_brings_is_installed_here_but_for_amazons_kcl() -> None:
    found = in_each_artifact()
    assert {name for each in found.values() for name in each if installed(name) is None} == {"amazon-kclpy"}
    assert {
        "consumer.zip",
        "api.zip",
        "kinesis-handler",
        "kinesis-handler[cli]",
        "user-limits[api]",
    } <= found.keys()
    assert found["consumer.zip"].keys() == {"msgspec", "pybase64", "structlog"}


@pytest.mark.other_programs
def test_markers_are_those_of_the_functions() -> None:
    from deploy.artifact import RUNTIME

    assert PYTHON == RUNTIME


# Known vulnerabilities, of databases on this machine that know what a test says.

Answers = Mapping[tuple[str, str], str]
KNOWN = {vulnerabilities.KNOWN: "PYSEC-KNOWN", ("bad", "1.0"): "PYSEC-1", ("bad", "3.0"): "PYSEC-3"}


@contextmanager
def database(known: Answers, *, status: int = 200) -> Iterator[str]:
    """Answer as OSV and as a registry of npm do. Yields the address."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked = json.loads(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            answer = json.dumps(osv(asked) if "version" in asked else npm(asked)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    def osv(asked: dict[str, object]) -> dict[str, object]:
        name = asked["package"]["name"]  # type: ignore[index]
        number = known.get((name, str(asked["version"])))
        affected = {
            "package": {"name": name, "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9.9"}]}],
        }
        return {"vulns": [{"id": number, "summary": "It breaks.", "affected": [affected]}]} if number else {}

    def npm(asked: dict[str, list[str]]) -> dict[str, object]:
        return {
            name: [{"id": 1, "title": "", "url": url, "severity": "high", "vulnerable_versions": "*"}]
            for (name, version), url in known.items()
            if version in asked.get(name, ())
        }

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


def asked_of(url: str, folder: Path, *lines: str) -> list[str]:
    file = folder / "some.txt"
    file.write_text(
        "".join(f"{line} \\\n    --hash=sha256:{'0' * 64}\n    # via\n    #   other\n" for line in lines)
    )
    return vulnerabilities.in_python([file], ("--vulnerability-service", "osv", "--osv-url", url))


@pytest.mark.other_programs
def test_a_release_with_a_known_vulnerability_is_found_in_each_version_and_whatever_its_marker(
    tmp_path: Path,
) -> None:
    pins = ["good==1.0", "bad==1.0 ; python_full_version < '3.0'", "bad==3.0 ; python_full_version >= '3.0'"]
    with database(KNOWN) as url:
        assert asked_of(url, tmp_path, *pins) == [
            "bad 1.0: PYSEC-1, fixed in 9.9",
            "bad 3.0: PYSEC-3, fixed in 9.9",
        ]


@pytest.mark.other_programs
@pytest.mark.parametrize(("known", "status"), [({}, 200), (KNOWN, 405)])
def test_without_a_database_nothing_has_been_checked(known: Answers, status: int, tmp_path: Path) -> None:
    with database(known, status=status) as url, pytest.raises(NotCheckedError):
        asked_of(url, tmp_path, "good==1.0")


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Let npm use a cache of its own, without trying a request again."""
    monkeypatch.setenv("npm_config_cache", str(tmp_path))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    return monkeypatch


@pytest.mark.other_programs
def test_an_npm_package_with_a_known_vulnerability_is_found(registry: pytest.MonkeyPatch) -> None:
    known = {("minimist", "0.0.8"): "known", ("typescript", "5.9.3"): "https://example.com/1"}
    with database(known) as url:
        registry.setenv("npm_config_registry", url)
        assert vulnerabilities.in_npm() == ["typescript: high, https://example.com/1"]


@pytest.mark.other_programs
@pytest.mark.parametrize(("known", "status"), [({}, 200), ({("minimist", "0.0.8"): "known"}, 405)])
def test_a_registry_without_vulnerabilities_has_checked_nothing(
    known: Answers, status: int, registry: pytest.MonkeyPatch
) -> None:
    with database(known, status=status) as url:
        registry.setenv("npm_config_registry", url)
        with pytest.raises(NotCheckedError):
            vulnerabilities.in_npm()


def test_without_npm_nothing_has_been_checked(programs: Path) -> None:
    assert not list(programs.iterdir())
    with pytest.raises(NotCheckedError, match="there is no npm"):
        vulnerabilities.in_npm()


# The command.


def raise_not_checked() -> list[str]:
    raise NotCheckedError("no answer")


def test_what_could_not_be_checked_does_not_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert holds("good", list)
    assert not holds("bad", lambda: ["this", "that"])
    assert not holds("unknown", raise_not_checked)
    assert capsys.readouterr().out.splitlines() == [
        "ok           good",
        "FAILED       bad",
        "             this",
        "             that",
        "NOT CHECKED  unknown",
        "             no answer",
    ]


@pytest.mark.other_programs
def test_offline_it_passes_and_says_what_was_not_checked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["audit", "--offline"])
    assert main() == 0
    shown = capsys.readouterr().out
    assert shown.count("ok  ") == 3
    assert "Not checked: known vulnerabilities." in shown
