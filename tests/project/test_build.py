"""What `build` makes of any application: the same bytes each time, with what it needs and no more."""

import json
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kinesis_handler.cli.commands import app
from kinesis_handler.errors import ConfigurationError
from kinesis_handler.project.artifact import Artifact, Contents, build_with_layer, dockerfile
from kinesis_handler.project.artifact import build as build_artifact
from kinesis_handler.project.dependencies import project_requirements, requirements_of
from kinesis_handler.project.programs import ArtifactError, python_of
from kinesis_handler.project.runtime import RUNTIMES, Runtime

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "build" / ".dependencies"
ON_LAMBDA = {"msgspec", "pybase64", "structlog"}
START = (
    "import sys; sys.path[:0] = sys.argv[1:]; import parcels.application, msgspec; print(msgspec.__file__)"
)


def named(requirements: str) -> set[str]:
    return {line.partition("==")[0] for line in requirements.splitlines()}


class TestDependencies:
    def test_they_are_those_of_the_library_in_the_versions_that_are_installed_here(self) -> None:
        found = requirements_of(["kinesis-handler"], Runtime())
        assert found == "".join(f"{name}=={version(name)}\n" for name in sorted(ON_LAMBDA))

    def test_what_the_runtime_has_is_left_out_with_all_that_it_needs(self) -> None:
        assert named(requirements_of(["kinesis-handler[aws]", "boto3"], Runtime())) == ON_LAMBDA

    def test_what_another_dependency_needs_too_is_not_left_out(self) -> None:
        assert "six" in named(requirements_of(["python-dateutil"], Runtime()))

    def test_extras_bring_what_they_name(self) -> None:
        assert {"rich", "typer"} <= named(requirements_of(["kinesis-handler[cli]"], Runtime()))

    def test_markers_are_those_of_the_runtime_and_not_of_this_machine(self) -> None:
        arm, intel = Runtime("3.13", "arm64"), Runtime("3.13", "x86_64")
        only = "pytest; platform_machine == 'aarch64'"
        assert "pytest" in named(requirements_of([only], arm))
        assert "pytest" not in named(requirements_of([only], intel))
        assert "pytest" not in named(requirements_of(["pytest; python_version < '3.12'"], arm))

    def test_one_that_is_not_installed_was_not_tested_and_is_refused(self) -> None:
        with pytest.raises(ArtifactError, match="no version of it was tested"):
            requirements_of(["nonesuch-at-all"], Runtime())

    def test_one_that_cannot_be_read_is_quoted(self) -> None:
        with pytest.raises(ArtifactError, match="'not a requirement' cannot be read"):
            requirements_of(["not a requirement"], Runtime())

    @pytest.fixture
    def theirs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Return the notes of pip on a distribution that was not installed from an index."""
        folder = tmp_path / "theirs-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        return folder / "direct_url.json"

    def test_one_that_was_installed_from_a_folder_is_in_no_index(self, theirs: Path) -> None:
        theirs.write_text('{"url": "file:///home/ada/theirs", "dir_info": {"editable": true}}')
        with pytest.raises(
            ArtifactError, match="'theirs' was installed from a folder, file:///home/ada/theirs"
        ):
            requirements_of(["theirs"], Runtime())

    def test_one_that_was_installed_from_a_wheel_is_taken_from_there(self, theirs: Path) -> None:
        theirs.write_text('{"url": "file:///wheels/theirs-1.0-py3-none-any.whl", "archive_info": {}}')
        requirements = requirements_of(["theirs"], Runtime())
        assert "theirs @ file:///wheels/theirs-1.0-py3-none-any.whl\n" in requirements
        assert Contents("a", requirements, []).pinned[-1].startswith("theirs @ file:")

    def test_a_project_file_lists_them_and_without_one_it_is_the_library(self, tmp_path: Path) -> None:
        file = tmp_path / "pyproject.toml"
        assert project_requirements(file) == ["kinesis-handler"]
        file.write_text("[project]\ndependencies = ['kinesis-handler[aws]', 'rich']\n")
        assert project_requirements(file) == ["kinesis-handler[aws]", "rich"]
        file.write_text("[project\n")
        with pytest.raises(ConfigurationError, match=r"pyproject\.toml cannot be read"):
            project_requirements(file)


class TestRuntime:
    def test_wheels_are_for_its_processor_the_newest_platform_first(self) -> None:
        assert Runtime("3.13", "arm64").tags[0] == "manylinux_2_34_aarch64"
        assert Runtime("3.12", "x86_64").tags[-1] == "manylinux2014_x86_64"

    def test_this_python_compiles_for_its_own_version(self) -> None:
        assert python_of("{}.{}".format(*sys.version_info)) == sys.executable

    @pytest.mark.other_programs
    def test_a_python_of_another_version_is_refused(self) -> None:
        other = next(each for each in RUNTIMES if each != "{}.{}".format(*sys.version_info))
        with pytest.raises(ArtifactError, match=f"Python {other} makes the bytecode.* is 3[.]"):
            python_of(other, sys.executable)

    @pytest.mark.other_programs
    def test_a_python_that_is_not_there_is_named(self) -> None:
        with pytest.raises(ArtifactError, match=r"/nowhere/python is not there.*--python /path/to/python"):
            python_of("3.13", "/nowhere/python")


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    """Return what an artifact of a new project is made of, for this machine."""
    from kinesis_handler.project.new import make_project

    folder = tmp_path_factory.mktemp("project")
    make_project("parcels", folder)
    pinned = (ROOT / "requirements" / "consumer.txt").read_text()
    return Contents("parcels", pinned, [folder / "parcels"])


def packages(artifact: Artifact) -> set[str]:
    return {path.name for path in artifact.folder.iterdir() if not path.name.endswith(".dist-info")}


def started(*folders: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", START, *map(str, folders)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.other_programs
class TestArtifact:
    def test_a_function_holds_its_package_the_library_and_what_they_need(
        self, contents: Contents, tmp_path: Path
    ) -> None:
        built = build_artifact(contents, None, tmp_path, cache=CACHE)
        assert packages(built) == {*ON_LAMBDA, "kinesis_handler", "parcels"}
        assert not (built.folder / "kinesis_handler" / "project").exists()
        assert started(built.folder).startswith(str(built.folder))

    def test_built_again_elsewhere_it_has_the_same_bytes(self, contents: Contents, tmp_path: Path) -> None:
        one = build_artifact(contents, None, tmp_path / "one", cache=CACHE)
        other = build_artifact(contents, None, tmp_path / "other", cache=CACHE)
        assert one.digest == other.digest

    def test_with_a_layer_the_function_is_small_and_starts_with_both(
        self, contents: Contents, tmp_path: Path
    ) -> None:
        function, layer = build_with_layer(contents, None, tmp_path, cache=CACHE)
        assert packages(function) == {"parcels"}
        assert packages(layer) == {*ON_LAMBDA, "kinesis_handler"}
        assert started(function.folder, layer.folder).startswith(str(layer.folder))
        with zipfile.ZipFile(layer.zip) as archive:
            assert all(name.startswith("python/") for name in archive.namelist())
        [compiled] = (layer.folder / "msgspec" / "__pycache__").glob("structs.*.pyc")
        assert b"/opt/python/msgspec/structs.py" in compiled.read_bytes()


def test_an_image_has_the_folder_and_starts_the_handler() -> None:
    assert dockerfile("parcels", Runtime("3.12", "x86_64"), "parcels.function.handler").splitlines() == [
        "FROM --platform=linux/amd64 public.ecr.aws/lambda/python:3.12",
        "COPY parcels/ ${LAMBDA_TASK_ROOT}/",
        'CMD ["parcels.function.handler"]',
    ]


@pytest.fixture
def in_the_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project)
    monkeypatch.delitem(sys.modules, "parcels", raising=False)  # the example has a module of that name
    monkeypatch.delenv("KINESIS_HANDLER_APP")
    monkeypatch.setattr(sys, "path", [str(project), *sys.path])
    return project


def build(*arguments: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["build", *arguments])
    assert done.exit_code == status, done.output
    return done.output


@pytest.mark.usefixtures("in_the_project")
class TestCommand:
    @pytest.mark.other_programs
    def test_for_graviton_it_takes_wheels_of_graviton_and_shows_what_was_built(
        self, in_the_project: Path
    ) -> None:
        # Stands for a Python 3.13, which a machine may lack: it reports that version, and compiles.
        python = in_the_project / "python3.13"
        python.write_text(
            f'#!/bin/sh\nif [ "$2" = -c ]; then echo "3.13 $0"; else exec {sys.executable} "$@"; fi\n'
        )
        python.chmod(0o755)
        told = json.loads(build("--runtime", "3.13", "--python", str(python), "--json"))
        [artifact] = told["artifacts"]
        assert (told["runtime"], told["architecture"]) == ("python3.13", "arm64")
        assert named("\n".join(told["dependencies"])) == ON_LAMBDA
        assert artifact["zip"] == "build/parcels.zip"
        with zipfile.ZipFile(artifact["zip"]) as archive:
            libraries = [name for name in archive.namelist() if name.endswith(".so")]
            machines = {int.from_bytes(archive.read(name)[18:20], "little") for name in libraries}
        assert machines == {183}  # aarch64, in the header of a library (ELF)
        assert artifact["bytes"] < 2_000_000
        again = build("--runtime", "3.13", "--python", str(python), "--image", "parcels.function.handler")
        assert "build/parcels.zip: 1." in again
        assert artifact["sha256"] in again
        assert Path("build/parcels.Dockerfile").exists()

    def test_the_applications_package_must_be_there(self) -> None:
        told = build("--app", "nonesuch.application:application", status=2)
        assert told.startswith("Error: there is no package or module 'nonesuch' in ")
        assert "and none is installed" in told

    def test_a_module_of_the_interpreter_is_none_of_ones_own(self) -> None:
        assert "no package or module 'sys'" in build("--include", "sys", status=2)

    def test_a_layer_and_an_image_exclude_each_other(self) -> None:
        assert "exclude each other" in build("--layer", "--image", "a.b", status=2)

    def test_requirements_that_are_not_there_are_named(self) -> None:
        assert "--requirements is 'none.txt'" in build("--requirements", "none.txt", status=2)

    @pytest.mark.other_programs
    def test_without_the_runtimes_python_nothing_is_built(self) -> None:
        told = build("--runtime", "3.14", "--python", "/nowhere/python", status=2)
        assert "Python 3.14 makes the bytecode for Lambda" in told
        assert not Path("build/parcels.zip").exists()
