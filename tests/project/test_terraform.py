"""The page for Terraform: its module is well-formed, and reads what `describe` prints, by its names."""

import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import hcl2
import pytest

from described import described
from kinesis_handler.project.new import PACKAGE, SKELETON

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "terraform.md").read_text()
FILES = dict(re.findall(r'```terraform title="(.+?)"\n(.*?)```', PAGE, re.DOTALL))
MODULE = "\n".join(FILES.values())


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SKELETON)
    monkeypatch.syspath_prepend(str(SKELETON))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


@cache
def needs() -> dict[str, Any]:
    return described(f"{PACKAGE}.application:application", "parcels")


def named(pattern: str) -> set[str]:
    return set(re.findall(pattern, MODULE))


@pytest.mark.parametrize("name", FILES)
def test_each_file_is_well_formed(name: str) -> None:
    assert hcl2.loads(FILES[name])


def test_each_part_of_the_description_that_it_reads_is_there() -> None:
    assert named(r"local\.needs\.(\w+)") <= needs().keys()
    assert named(r"local\.needs\.(\w+)") == {
        "mapping",
        "function",
        "tables",
        "permissions",
        "alarms",
        "dashboard",
    }
    [table] = needs()["tables"]
    assert set(re.findall(r"each\.value\.(\w+)", FILES["tables.tf"])) == table.keys()


def test_its_alarms_and_its_dashboard_are_the_ones_that_are_needed() -> None:
    watched = set(re.findall(r'"\$(\$\{\w+\})"\s+=', FILES["alarms.tf"]))
    graphs = needs()["dashboard"]
    metrics = [each["metric"] for each in needs()["alarms"]]
    metrics += [metric for graph in graphs for metric in graph["metrics"]]
    assert {each["value"] for each in metrics} == watched
    for alarm in needs()["alarms"]:
        read = re.findall(r"each\.value\.(\w+)", FILES["alarms.tf"])
        assert {*read, "name"} == alarm.keys()
        read = re.findall(r"each\.value\.metric\.(\w+)", FILES["alarms.tf"])
        assert set(read) == alarm["metric"].keys()
    assert set(re.findall(r"\bgraph\.(\w+)", FILES["dashboard.tf"])) == graphs[0].keys()
    assert set(re.findall(r"\bmetric\.(\w+)", FILES["dashboard.tf"])) == metrics[0].keys()


def test_it_sets_the_function_and_the_mapping_as_is_said_and_leaves_nothing_out() -> None:
    assert named(r'local\.function\["(\w+)"\]') == {each["name"] for each in needs()["function"]}
    settings = {each["name"] for each in needs()["mapping"]}
    assert named(r'local\.settings\["(\w+)"\]') == settings - {"DestinationConfig"}
    assert "on_failure { destination_arn = aws_s3_bucket.failed.arn }" in MODULE


def test_all_that_only_the_deployment_knows_is_put_into_the_permissions() -> None:
    known = named(r'"\$(\$\{\w+\})"\s+=')
    [written] = named(r'regexall\("(.+?)", each\.resource\)')
    pattern = written.replace("\\\\", "\\")
    for each in needs()["permissions"]:
        parts = re.findall(pattern, each["resource"])
        assert "".join(parts) == each["resource"]
        assert {part for part in parts if part.startswith("$")} <= known


def test_the_variables_that_it_sets_are_read_by_a_new_project() -> None:
    read = {each["name"] for each in needs()["environment"]}
    written = named(r'([A-Z_]+)\s+= "(?:dynamodb|s3)://')
    assert written == {"STORE_URL", "QUARANTINE_URL"} <= read
