"""The bill of materials of each artifact: what is in it, in CycloneDX's format, the same bytes each time."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pytest
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator

from deploy.artifact import FUNCTIONS, Artifact, build

VALIDATOR = make_schemabased_validator(OutputFormat.JSON, SchemaVersion.V1_6)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Artifact]:
    into = tmp_path_factory.mktemp("build")
    return {name: build(function, "host", into) for name, function in FUNCTIONS.items()}


def bill(artifact: Artifact) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(artifact.bill_of_materials.read_text())
    return read


@pytest.mark.parametrize("name", FUNCTIONS)
class TestBillOfMaterials:
    def test_it_is_valid_by_the_official_schema(self, name: str, built: Mapping[str, Artifact]) -> None:
        text = built[name].bill_of_materials.read_text()
        assert VALIDATOR.validate_str(text) is None
        assert VALIDATOR.validate_str(text.replace('"library"', '"book"')) is not None

    def test_it_lists_all_that_is_pinned_and_nothing_else(
        self, name: str, built: Mapping[str, Artifact]
    ) -> None:
        listed = {f"{each['name']}=={each['version']}" for each in bill(built[name])["components"][1:]}
        assert listed <= set(FUNCTIONS[name].contents.pinned)
        folders = [each.name for each in built[name].folder.glob("*.dist-info")]
        assert len(listed) == len(folders) > 0

    def test_each_component_has_a_licence(self, name: str, built: Mapping[str, Artifact]) -> None:
        components = bill(built[name])["components"]
        assert components[0]["name"] == "kinesis-handler"
        assert not [each["name"] for each in components if not each.get("licenses")]

    def test_it_names_the_zip_by_its_digest(self, name: str, built: Mapping[str, Artifact]) -> None:
        [stated] = bill(built[name])["metadata"]["component"]["hashes"]
        assert stated["content"] == hashlib.sha256(built[name].zip.read_bytes()).hexdigest()

    def test_built_again_it_has_the_same_bytes(self, name: str, built: Mapping[str, Artifact]) -> None:
        before = built[name].bill_of_materials.read_bytes()
        again = build(FUNCTIONS[name], "host", built[name].zip.parent)
        assert again.bill_of_materials.read_bytes() == before
