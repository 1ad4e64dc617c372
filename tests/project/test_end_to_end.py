"""A new project as it is deployed: its template and its artifact, on the emulators of this machine."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen
from zipfile import ZipFile

import pytest
from end_to_end.stack import Stack

from deploy.expansion import expand
from kinesis_handler.local.stream.stop import Stop
from kinesis_handler.project.artifact import Contents, build
from kinesis_handler.project.new import Choices, make_project
from kinesis_handler.stores.memory import MemoryRepository
from telemetry.emf import metrics_in
from testkit.emulators.event_source import PREFIX, DeployedMapping
from testkit.emulators.http_api import http_api
from testkit.emulators.lambda_runtime import LambdaRuntime

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.other_programs


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    make_project("parcels", folder, Choices(api=True))
    return folder


@pytest.fixture(scope="module")
def stack(
    project: Path, dynamodb_endpoint: str, kinesis_endpoint: str, moto_endpoint: str
) -> Iterator[Stack]:
    endpoints = {"dynamodb": dynamodb_endpoint, "kinesis": kinesis_endpoint, "s3": moto_endpoint}
    made = Stack(expand(project / "template.yaml", {}), endpoints)
    made.make()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def log(stack: Stack, project: Path) -> list[str]:
    """Put the project's events on the stream, let the deployed function read them, and return its log."""
    pinned = (ROOT / "requirements" / "consumer.txt").read_text()
    contents = Contents("parcels", pinned, [project / "parcels"])
    built = build(contents, None, project / "build", cache=ROOT / "build" / ".dependencies")
    with ZipFile(built.zip) as archive:
        archive.extractall(project / "unpacked")
    for line in (project / "events.jsonl").read_bytes().splitlines():
        key = json.loads(line)["payload"]["account"]
        stack.kinesis.put_record(StreamName=stack.stream, PartitionKey=key, Data=line)
    function = stack.function("Consumer", project / "unpacked", on_this_machine=stack.on_this_machine())
    with LambdaRuntime(function) as consumer:
        mapping = DeployedMapping(
            stack.properties("ConsumerRecords"),
            consumer,
            kinesis=stack.client("kinesis"),
            s3=stack.client("s3"),
            checkpoints=MemoryRepository(),
            retry_wait=0,
        )
        mapping.consumer(stop=Stop(), until_caught_up=True).run()
    return consumer.log


def test_the_table_holds_the_balance_of_each_account(stack: Stack, log: list[str]) -> None:
    assert log
    items = stack.dynamodb.scan(TableName=stack.table)["Items"]
    assert {(each["customer"]["S"], each["account"]["S"]): each["balance"]["N"] for each in items} == {
        ("ada", "daily"): "100.25",
        ("ada", "savings"): "900",
        ("bob", "daily"): "-5",
    }


def test_what_was_rejected_is_in_the_quarantine_and_nothing_was_given_up(
    stack: Stack, log: list[str]
) -> None:
    assert log
    listed = stack.s3.list_objects_v2(Bucket=stack.bucket).get("Contents", [])
    assert [each["Key"].partition("/")[0] for each in listed] == ["quarantine"]
    assert PREFIX not in {each["Key"].rpartition("/")[0] for each in listed}


def test_the_api_shows_what_is_stored(stack: Stack, log: list[str], project: Path) -> None:
    assert log
    function = stack.function("Api", project / "unpacked", on_this_machine=stack.on_this_machine())
    with LambdaRuntime(function) as runtime, http_api(runtime) as address:
        with urlopen(f"{address}/accounts/ada/daily") as answer:  # noqa: S310 - our own emulator
            assert json.load(answer)["data"]["state"] == {"balance": 100.25, "movements": 2}
        with urlopen(f"{address}/accounts/ada") as answer:  # noqa: S310 - our own emulator
            assert len(json.load(answer)["data"]) == 2


def test_the_figures_that_alarms_are_made_of_are_in_the_log(stack: Stack, log: list[str]) -> None:
    lines = [line for line in log if '"_aws"' in line]
    assert sum(metrics_in(line)["Applied"][1][0] for line in lines) == 4
    [dimension] = stack.properties("Rejected")["Dimensions"]
    assert {json.loads(line)[dimension["Name"]] for line in lines} == {dimension["Value"]}
