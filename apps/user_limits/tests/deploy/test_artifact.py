"""What is deployed: the same bytes each time, what the function needs, and no more."""

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest

from deploy.artifact import APPLICATION, FUNCTIONS, ROOT, RUNTIME, Artifact, ArtifactError, build
from deploy.build import AIM

OF_THE_RUNTIME = ["botocore", "dateutil", "jmespath", "six.py", "urllib3"]
NOWHERE = {"boto3", "botocore", "pytest", "rich", "typer", "uvicorn", "opentelemetry", "emulators", "tests"}
MODULES = {name: [function.module] for name, function in FUNCTIONS.items()}
MODULES["consumer"].append("user_limits.lambda_redrive")
AARCH64 = 183
"""The machine in the header of a library (ELF)."""

START = """
import importlib, sys
own = tuple(sys.argv[1:3])
sys.path[:0] = own
handler = importlib.import_module(sys.argv[3]).handler
import kinesis_handler.stores.dynamodb, kinesis_handler.stores.sqlite
assert callable(handler)
files = {getattr(each, "__file__", None) for each in sys.modules.values()} - {None}
assert not [each for each in files if not each.startswith(own) and "/site-packages/" in each]
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    """Return each function, built for this machine."""
    into = tmp_path_factory.mktemp("build")
    return {name: build(function, "host", into) for name, function in FUNCTIONS.items()}


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    """Return a folder with what the runtime has, and no other package."""
    installed = Path(botocore.session.__file__).parents[1]
    for name in OF_THE_RUNTIME:
        (tmp_path / name).symlink_to(installed / name)
    return tmp_path


def names(artifact: Artifact) -> Iterator[Path]:
    return (path.relative_to(artifact.folder) for path in artifact.folder.rglob("*"))


@pytest.mark.parametrize("name", FUNCTIONS)
class TestArtifact:
    def test_built_again_it_has_the_same_bytes(self, name: str, built: dict[str, Artifact]) -> None:
        digest = built[name].digest
        again = build(FUNCTIONS[name], "host", built[name].zip.parent)
        assert again.digest == digest

    def test_the_zip_holds_the_folder_sorted_and_dated_alike(
        self, name: str, built: dict[str, Artifact]
    ) -> None:
        with zipfile.ZipFile(built[name].zip) as archive:
            entries = archive.infolist()
        held = [entry.filename for entry in entries]
        assert held == sorted(held, key=lambda each: Path(each).parts)
        assert set(held) == {
            str(each) for each in names(built[name]) if (built[name].folder / each).is_file()
        }
        assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.external_attr >> 16 & 0o777 for entry in entries} == {0o644}

    def test_it_is_as_small_as_was_aimed_at(self, name: str, built: dict[str, Artifact]) -> None:
        assert built[name].zip.stat().st_size <= AIM

    def test_it_starts_with_nothing_but_itself_and_the_runtimes_libraries(
        self, name: str, built: dict[str, Artifact], runtime: Path
    ) -> None:
        for module in MODULES[name]:
            self.start(built[name], runtime, module)

    def start(self, artifact: Artifact, runtime: Path, module: str) -> None:
        settings = {
            "REPOSITORY_TYPE": "inmemory",
            "QUARANTINE_URL": "s3://failed-records/quarantine",
            "AUTH": "jwt",
            "JWT_ISSUER": "https://issuer.example",
            "JWT_AUDIENCE": "limits",
            "JWT_JWKS": "https://issuer.example/keys",
        }
        done = subprocess.run(
            [
                sys.executable,
                "-I",
                "-S",
                "-B",
                "-c",
                START,
                artifact.folder,
                runtime,
                module,
            ],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def test_it_holds_no_tools_no_tests_and_nothing_that_the_runtime_has(
        self, name: str, built: dict[str, Artifact]
    ) -> None:
        held = {str(each) for each in names(built[name])}
        assert not {each.partition("/")[0] for each in held} & NOWHERE
        assert not held & {"kinesis_handler/cli", "kinesis_handler/testing"}
        assert not [each for each in held if re.search(r"(^|/)tests?(/|$)|\.pyi$|^bin/", each)]

    def test_each_source_has_its_bytecode_which_holds_whatever_the_dates(
        self, name: str, built: dict[str, Artifact]
    ) -> None:
        folder = built[name].folder
        sources = {each for each in names(built[name]) if each.suffix == ".py"}
        compiled = [each for each in names(built[name]) if each.suffix == ".pyc"]
        assert {each.parent.parent / f"{each.name.partition('.')[0]}.py" for each in compiled} == sources
        # PEP 552: bit 0 is for a hash in place of a date, bit 1 for one that is compared.
        assert {int.from_bytes((folder / each).read_bytes()[4:8], "little") for each in compiled} == {0b01}

    def test_nothing_shows_where_or_how_it_was_built(self, name: str, built: dict[str, Artifact]) -> None:
        held = {each.name for each in names(built[name])}
        assert not held & {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
        places = [str(built[name].folder).encode(), str(ROOT).encode()]
        for path in built[name].folder.rglob("*.pyc"):
            content = path.read_bytes()
            assert not any(place in content for place in places), path

    def test_each_dependency_is_to_be_had_for_graviton(self, name: str) -> None:
        pinned = FUNCTIONS[name].requirements.read_text()
        assert "python_" not in pinned.replace(
            "platform_python_implementation", ""
        )  # which Python decides what
        assert len(re.findall(r"^[a-z]", pinned, re.MULTILINE)) == pinned.count("==")


def requirements(name: str) -> str:
    return FUNCTIONS[name].requirements.read_text()


def test_each_function_has_its_own_door_alone(built: dict[str, Artifact]) -> None:
    consumer, api = (set(map(str, names(built[name]))) for name in ("consumer", "api"))
    assert "user_limits/lambda_consumer.py" in consumer - api
    assert "user_limits/lambda_api.py" in api - consumer
    assert "user_limits/api" not in consumer
    assert "user_limits/api/page" not in api  # it knows of no tokens
    assert "user_limits/lambda_redrive.py" in consumer - api  # it runs the consumer's handler
    assert "kinesis_handler/local/redrive" not in api
    assert "litestar" not in {each.partition("/")[0] for each in consumer}


def test_what_is_deployed_has_the_versions_that_are_tested() -> None:
    pins = {
        file.stem: set(re.findall(r"^([\w-]+==[\w.]+)", file.read_text(), re.MULTILINE))
        for file in (ROOT / "requirements").glob("*.txt")
    }
    for name in ("consumer", "api", "run", "serve"):
        assert pins[name] <= pins["dev"]


def test_built_from_nothing_and_elsewhere_it_has_the_same_bytes(
    built: dict[str, Artifact], tmp_path: Path
) -> None:
    elsewhere = build(FUNCTIONS["consumer"], "host", tmp_path / "build", cache=tmp_path / "kept")
    assert elsewhere.digest == built["consumer"].digest
    assert len(list((tmp_path / "kept").iterdir())) == 2  # as installed, and with bytecode: nothing half made


def test_without_the_runtimes_python_nothing_is_built(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=f"Python {RUNTIME} makes the bytecode.*--python "):
        build(FUNCTIONS["consumer"], "lambda", tmp_path / "build", python=str(tmp_path / "python"))
    assert not (tmp_path / "build").exists()


def test_an_unknown_function_is_refused_and_the_known_ones_are_reported() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.build", "consumers"],
        cwd=APPLICATION,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "there is no function consumers" in done.stderr
    assert "consumer, api" in done.stderr
