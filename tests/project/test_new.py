"""What `new` makes: a small project that runs, is tested, and stands by itself."""

import re
import sys
import tomllib
from pathlib import Path
from typing import get_args

import pytest
import yaml
from typer.testing import CliRunner

from kinesis_handler import ConfigurationError
from kinesis_handler.cli.commands import app
from kinesis_handler.project.envelope import EnvelopeName
from kinesis_handler.project.new import PACKAGE, SKELETON, Choices, ProjectStore, make_project, rendered
from kinesis_handler.project.runtime import own_runtime
from kinesis_handler.version import __version__
from project.conftest import RESULT, contents, run

PROGRAMS = Path(sys.executable).parent


def assert_linted(folder: Path) -> None:
    """Check a project as its owner would, whose line length is ours."""
    third_party = 'lint.isort.known-third-party=["kinesis_handler"]'
    ruff, options = str(PROGRAMS / "ruff"), ["--isolated", "--line-length", "110"]
    run(folder, ruff, "check", *options, "--select", "E,F,I,B,UP", "--config", third_party)
    run(folder, ruff, "format", "--check", *options)


class TestSkeleton:
    """The files that are copied, as they are."""

    @pytest.mark.other_programs
    def test_they_run_and_pass_their_own_tests(self, tmp_path: Path) -> None:
        for path, content in contents(SKELETON).items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(content)
        assert run(tmp_path, str(PROGRAMS / "kinesis-handler"), "run").endswith(RESULT)
        assert "3 passed" in run(tmp_path, str(PROGRAMS / "python"), "-m", "pytest", "-q")

    def test_under_its_own_name_and_with_all_parts_only_what_must_differ_does(self, tmp_path: Path) -> None:
        make_project(PACKAGE, tmp_path, Choices(api=True))
        before, after = contents(SKELETON), contents(tmp_path)
        changed = {path for path in before if before[path] != after[path]}
        marked = {"Makefile", "template.yaml", "README.md", ".gitignore", f"{PACKAGE}/function.py"}
        assert before.keys() == after.keys()
        assert changed <= {"pyproject.toml", *marked}

    def test_each_block_is_of_a_part_that_can_be_chosen_and_is_closed(self) -> None:
        for content in contents(SKELETON).values():
            begun = re.findall(r"^ *(?:#|<!--) if (\w+)", content, re.MULTILINE)
            ended = re.findall(r"^ *(?:#|<!--) end (\w+)", content, re.MULTILINE)
            lines = re.findall(r"\S +# if (\w+)$", content, re.MULTILINE)
            assert begun == ended
            assert {*begun, *lines} <= Choices(api=True).parts | Choices("sqlite").parts


class TestChoices:
    @pytest.mark.parametrize("envelope", get_args(EnvelopeName))
    @pytest.mark.parametrize("api", [False, True])
    @pytest.mark.parametrize("store", get_args(ProjectStore))
    def test_it_has_three_hundred_lines_at_most_whatever_is_chosen(
        self, store: ProjectStore, api: bool, envelope: EnvelopeName
    ) -> None:
        files = rendered(contents(SKELETON), "parcels", Choices(store, api, envelope))
        assert sum(len(content.splitlines()) for content in files.values()) <= 300

    def test_without_an_api_it_has_nothing_of_one(self) -> None:
        files = rendered(contents(SKELETON), "parcels", Choices())
        assert not [path for path, content in files.items() if re.search(r"\b(api|Api|JsonApi)\b", content)]

    @pytest.mark.other_programs
    @pytest.mark.parametrize("envelope", ["cloudevents", "eventbridge"])
    def test_in_another_envelope_the_same_events_lead_to_the_same_state(
        self, envelope: EnvelopeName, tmp_path: Path
    ) -> None:
        make_project("parcels", tmp_path, Choices(envelope=envelope))
        assert run(tmp_path, str(PROGRAMS / "kinesis-handler"), "run").endswith(RESULT)
        assert "3 passed" in run(tmp_path, str(PROGRAMS / "python"), "-m", "pytest", "-q")
        assert_linted(tmp_path)

    @pytest.mark.parametrize("choices", [Choices(), Choices(api=True), Choices("sqlite")])
    def test_no_mark_of_a_part_is_left(self, choices: Choices) -> None:
        files = rendered(contents(SKELETON), "parcels", choices)
        assert not [path for path, content in files.items() if re.search(r"(#|<!--) (if|end) \w+", content)]
        assert not [path for path, content in files.items() if "\n\n\n\n" in content]

    @pytest.mark.other_programs
    def test_in_a_file_it_runs_on_where_it_ended_and_has_nothing_of_aws(self, tmp_path: Path) -> None:
        make_project("parcels", tmp_path, Choices("sqlite"))
        assert not {"template.yaml", "parcels/function.py"} & contents(tmp_path).keys()
        program = str(PROGRAMS / "kinesis-handler")
        assert run(tmp_path, program, "run").endswith(RESULT)
        assert "6 records: 5 duplicate, 1 rejected" in run(tmp_path, program, "run")
        assert "3 passed" in run(tmp_path, str(PROGRAMS / "python"), "-m", "pytest", "-q")
        makefile = (tmp_path / "Makefile").read_text()
        assert not {"sam", "build", "deploy"} & set(re.findall(r"\w+", makefile))


class TestProject:
    def test_nothing_of_the_skeletons_name_is_left(self) -> None:
        files = rendered(contents(SKELETON), "my-parcels", Choices(api=True))
        assert not [path for path, content in files.items() if PACKAGE in content or "my-accounts" in content]
        assert "my_parcels/projection.py" in files
        assert "sam deploy --stack-name my-parcels" in files["Makefile"]

    def test_it_asks_for_the_library_that_made_it_and_for_the_python_that_runs_here(
        self, project: Path
    ) -> None:
        described = tomllib.loads((project / "pyproject.toml").read_text())["project"]
        assert described["dependencies"] == [f"kinesis-handler[aws]=={__version__}"]
        assert f"--runtime {own_runtime()}\n" in (project / "Makefile").read_text()
        assert f"Runtime: python{own_runtime()}," in (project / "template.yaml").read_text()

    @pytest.mark.other_programs
    def test_both_its_commands_pass(self, installed: Path) -> None:
        assert run(installed, "make", "run").endswith(RESULT)
        assert "3 passed" in run(installed, "make", "test")

    @pytest.mark.other_programs
    def test_linters_have_nothing_to_say(self, tmp_path: Path) -> None:
        make_project("parcels", tmp_path, Choices(api=True))
        assert_linted(tmp_path)

    def test_its_workflow_runs_a_command_of_the_makefile(self, project: Path) -> None:
        [job] = yaml.safe_load((project / ".github/workflows/test.yml").read_text())["jobs"].values()
        [command] = [step["run"] for step in job["steps"] if "run" in step]
        assert f"\n{command.removeprefix('make ')}: " in (project / "Makefile").read_text()

    @pytest.mark.other_programs
    def test_what_was_rejected_waits_in_a_quarantine_and_the_state_in_a_file(self, project: Path) -> None:
        told = {"QUARANTINE_URL": f"file://{project}/rejected", "STORE_URL": "sqlite:///parcels.db"}
        program = str(PROGRAMS / "kinesis-handler")
        assert run(project, program, "run", variables=told).endswith(RESULT)
        assert "missing required field `amount`" in run(
            project, program, "quarantine", "list", variables=told
        )
        assert "6 records: 5 duplicate, 1 rejected" in run(project, program, "run", variables=told)


class TestRefused:
    def test_a_folder_with_something_in_it_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("mine")
        with pytest.raises(ConfigurationError, match="is not empty, and nothing in it was changed"):
            make_project("parcels", tmp_path)
        assert [each.name for each in tmp_path.iterdir()] == ["notes.txt"]

    def test_a_folder_with_a_fresh_repository_and_environment_counts_as_empty(self, tmp_path: Path) -> None:
        (tmp_path / ".git").mkdir()
        (tmp_path / ".venv").mkdir()
        make_project("parcels", tmp_path)
        assert (tmp_path / "parcels" / "projection.py").exists()

    def test_a_folder_that_cannot_be_written_to_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(ConfigurationError, match="cannot be written to"):
            make_project("parcels", tmp_path / "file")

    @pytest.mark.parametrize("name", ["Parcels", "1st", "a b", "", "a--b", "-a", "é", "x" * 41, "../up"])
    def test_a_name_that_is_none_of_a_package_is_refused_with_what_is_allowed(
        self, name: str, tmp_path: Path
    ) -> None:
        with pytest.raises(ConfigurationError, match="lower-case letters and digits"):
            make_project(name, tmp_path / "folder")
        assert not (tmp_path / "folder").exists()

    @pytest.mark.parametrize("name", ["class", "json", "kinesis-handler", "tests", "msgspec"])
    def test_a_name_that_python_or_the_project_needs_is_refused(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="take another one"):
            make_project(name, tmp_path)


class TestCommand:
    def test_it_says_what_to_do_next(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        done = CliRunner().invoke(app, ["new", "my-parcels"])
        assert done.exit_code == 0
        assert done.output.startswith("made my-parcels: 12 files, 279 lines.")
        assert "\n  cd my-parcels\n  make run " in done.output
        assert (tmp_path / "my-parcels" / "my_parcels").is_dir()

    def test_an_api_in_front_of_a_file_is_refused(self, tmp_path: Path) -> None:
        done = CliRunner().invoke(
            app, ["new", "parcels", "--into", str(tmp_path), "--api", "--store", "sqlite"]
        )
        assert done.exit_code == 2
        assert "--api is for AWS" in done.output
        assert not list(tmp_path.iterdir())

    def test_an_error_is_one_sentence_and_the_status_2(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        done = CliRunner().invoke(app, ["new", "class"])
        assert done.exit_code == 2
        assert done.output.startswith("Error: the name is 'class'")


class TestApplicationThatCannotBeImported:
    """The traceback is that of their error, and begins in their code."""

    @pytest.mark.parametrize(
        ("source", "said"),
        [
            ("import nonesuch", "ModuleNotFoundError: No module named 'nonesuch'"),
            ("def make(:", "SyntaxError: invalid syntax"),
            ("import os\nos.nonesuch", "AttributeError: module 'os' has no attribute 'nonesuch'"),
            ("def make():\n    return {}['key']", "KeyError: 'key'"),
        ],
    )
    def test_it_is_shown(
        self, source: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name = f"theirs_{abs(hash(source))}"
        (tmp_path / f"{name}.py").write_text(f"{source}\n")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "path", [*sys.path])
        done = CliRunner().invoke(app, ["run", "--app", f"{name}:make"])
        assert done.exit_code == 2
        first, *traceback = done.output.splitlines()
        assert first.startswith(f"Error: --app is '{name}:make'; when it is ")
        assert traceback[-1] == said
        files = [line for line in traceback if line.lstrip().startswith("File ")]
        assert f"/{name}.py" in files[0]
        assert not [line for line in traceback if "kinesis_handler" in line]
