"""The wheels: the library brings itself alone, the application brings itself and asks for the library."""

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator

from audit.artifacts import installed
from audit.wheels import bill_of_materials, build

pytestmark = pytest.mark.other_programs

ROOT = Path(__file__).parent.parent
PARTS = ("kinesis_handler", "user_limits")
NAMES_AN_APPLICATION = re.compile(rb"user_?limits|testkit|apps/", re.IGNORECASE)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    built = build(tmp_path_factory.mktemp("wheels"))
    return {name.replace("-", "_"): wheel for name, wheel in built.items()}


def files(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def metadata(wheel: Path) -> Message:
    [content] = [content for name, content in files(wheel).items() if name.endswith(".dist-info/METADATA")]
    return message_from_bytes(content)


def packages(wheel: Path) -> set[str]:
    return {name.partition("/")[0] for name in files(wheel) if ".dist-info/" not in name}


@pytest.mark.parametrize("name", PARTS)
def test_a_wheel_brings_its_own_package_and_no_other(wheels: dict[str, Path], name: str) -> None:
    assert packages(wheels[name]) == {name}


def test_the_librarys_wheel_names_no_application(wheels: dict[str, Path]) -> None:
    modules = {
        name: content for name, content in files(wheels["kinesis_handler"]).items() if name.endswith(".py")
    }
    assert modules
    assert not [name for name, content in modules.items() if NAMES_AN_APPLICATION.search(content)]


def test_the_description_of_the_library_is_the_page_for_its_package(wheels: dict[str, Path]) -> None:
    description = metadata(wheels["kinesis_handler"]).get_payload()
    assert description == (ROOT / "src" / "README.md").read_text()


def test_the_librarys_wheel_has_the_operators_page_and_what_pages_share(wheels: dict[str, Path]) -> None:
    found = files(wheels["kinesis_handler"])
    for folder in ("operator_page/files", "page_parts"):
        names = {
            path.name for path in (ROOT / "src" / "kinesis_handler" / folder).iterdir() if path.is_file()
        }
        assert names
        assert {f"kinesis_handler/{folder}/{name}" for name in names} <= found.keys()
    assert not [name for name in found if name.endswith((".js", ".html")) and b"limit" in found[name]]


def test_the_applications_wheel_has_its_page(wheels: dict[str, Path]) -> None:
    assert {"user_limits/api/page/index.html", "user_limits/py.typed"} <= files(wheels["user_limits"]).keys()


@pytest.mark.parametrize("name", PARTS)
def test_a_wheel_in_an_empty_environment_is_imported_from_there(
    wheels: dict[str, Path], name: str, tmp_path: Path
) -> None:
    install = ["-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps", "--no-index"]
    needed = {wheels[name], wheels["kinesis_handler"]}
    subprocess.run(
        [sys.executable, *install, "--target", str(tmp_path), *map(str, needed)],
        check=True,
        capture_output=True,
    )
    [libraries] = {str(Path(pytest.__file__).parent.parent)}
    program = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}]; sys.path.append({libraries!r}); "
        f"import {name}; print({name}.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], check=True, capture_output=True, text=True
    )
    assert Path(done.stdout.strip()).is_relative_to(tmp_path)


def test_what_the_application_needs_is_the_library_and_its_api(wheels: dict[str, Path]) -> None:
    asked = metadata(wheels["user_limits"]).get_all("Requires-Dist") or []
    assert [each for each in asked if "extra ==" not in each] == ["kinesis-handler[aws]"]
    assert {"litestar", "mangum", "joserfc"} == {
        re.split(r"[^a-z]", each)[0] for each in asked if 'extra == "api"' in each
    }


def bill(wheels: dict[str, Path], name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(bill_of_materials(name.replace("_", "-"), wheels[name]))
    return read


def scopes(wheels: dict[str, Path], name: str) -> dict[str, str]:
    return {each["name"]: each["scope"] for each in bill(wheels, name)["components"]}


@pytest.mark.parametrize("name", PARTS)
def test_a_wheels_bill_of_materials_is_valid_by_the_official_schema_and_names_the_wheel(
    wheels: dict[str, Path], name: str
) -> None:
    document = bill(wheels, name)
    validator = make_schemabased_validator(OutputFormat.JSON, SchemaVersion.V1_6)
    assert validator.validate_str(json.dumps(document)) is None
    assert validator.validate_str(json.dumps({**document, "components": 1})) is not None
    subject = document["metadata"]["component"]
    assert subject["version"] == metadata(wheels[name])["Version"]
    assert subject["hashes"] == [
        {"alg": "SHA-256", "content": hashlib.sha256(wheels[name].read_bytes()).hexdigest()}
    ]


def test_it_says_what_an_installation_always_brings_and_what_an_extra_adds(wheels: dict[str, Path]) -> None:
    library, application = scopes(wheels, "kinesis_handler"), scopes(wheels, "user_limits")
    required = {name for name, scope in library.items() if scope == "required"}
    assert required == {"msgspec", "pybase64", "structlog"}
    assert {library[name] for name in ("botocore", "typer", "uvicorn", "kcl-rs", "aws-cdk-lib")} == {
        "optional"
    }
    assert {application[name] for name in (*required, "kinesis-handler", "botocore", "urllib3")} == {
        "required"
    }
    assert {application[name] for name in ("litestar", "cryptography", "cffi")} == {"optional"}


@pytest.mark.parametrize("name", PARTS)
def test_each_component_has_a_licence_the_installed_version_and_what_it_needs(
    wheels: dict[str, Path], name: str
) -> None:
    document = bill(wheels, name)
    assert all(each["licenses"] for each in document["components"])
    for each in document["components"]:
        found = installed(each["name"])
        assert each.get("version") == (found and found.version)
    refs = {each["bom-ref"] for each in document["components"]}
    needs = {each["ref"]: set(each["dependsOn"]) for each in document["dependencies"]}
    assert refs <= needs.keys()
    assert set().union(*needs.values()) == refs


def test_built_again_a_wheel_has_the_same_bytes(wheels: dict[str, Path], tmp_path: Path) -> None:
    again = build(tmp_path / "again")
    assert {wheel.read_bytes() for wheel in again.values()} == {
        wheel.read_bytes() for wheel in wheels.values()
    }
