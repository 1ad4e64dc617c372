"""The template and the artifacts, seen to work before they get to AWS."""

import json
from collections.abc import Iterator
from decimal import Decimal
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit
from zipfile import ZipFile

import pytest

from clean_pass import check_limits, check_quarantines
from deploy.artifact import FUNCTIONS, build
from deploy.expansion import expand
from deployed import REDRIVING, TEMPLATE
from end_to_end.issuer import AUDIENCE, ISSUER, Issuer, issuer
from end_to_end.policy import OF_AWS_ITSELF, Need, needs, permissions
from end_to_end.run import KILLED_IN, LAYER, Run
from end_to_end.stack import Stack
from kinesis_handler import KinesisHandler
from kinesis_handler.application import Application
from kinesis_handler.telemetry.metrics import DIMENSION, NAMESPACE, READER
from redrive.waiting import FailingProcessor, created, give_up, on_shard, progress
from telemetry.emf import metrics_in
from testkit.emulators.event_source import PREFIX
from testkit.emulators.http_api import http_api, routes_of
from testkit.emulators.lambda_runtime import LambdaRuntime
from user_limits.processor import ActivityProcessor
from user_limits.wiring import application

ROOT = Path(__file__).parents[4]
WAITS, GIVEN_UP, NEW = "waits-to-be-redriven", "given-up-to-be-redriven", "new-to-be-redriven"


class Redriven(NamedTuple):
    """What a run of the redrive led to: its figures, the versions of the limits, its log."""

    figures: dict[str, int]
    versions: list[int]
    log: list[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("end-to-end")


@pytest.fixture(scope="module")
def artifacts(folder: Path) -> Path:
    """Build the functions for this machine, and unpack the zips as Lambda does."""
    for function in FUNCTIONS.values():
        built = build(function, "host", ROOT / "build" / "host")
        with ZipFile(built.zip) as archive:
            archive.extractall(folder / function.name)
    return folder


@pytest.fixture(scope="module")
def tokens(folder: Path) -> Iterator[Issuer]:
    with issuer(folder) as made:
        yield made


@pytest.fixture(scope="module")
def stack(
    dynamodb_endpoint: str, kinesis_endpoint: str, moto_endpoint: str, tokens: Issuer
) -> Iterator[Stack]:
    """Make what the template describes: with those of its parameters that have no default, and a redrive."""
    access = {"Auth": "jwt", "JwtIssuer": ISSUER, "JwtAudience": AUDIENCE, "JwtJwks": tokens.jwks}
    parameters = {**access, **REDRIVING}
    endpoints = {"dynamodb": dynamodb_endpoint, "kinesis": kinesis_endpoint, "s3": moto_endpoint}
    made = Stack(expand(TEMPLATE, parameters), endpoints)
    made.make()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def run(stack: Stack, artifacts: Path, folder: Path) -> Run:
    """Write the stream, and let the consumer read it."""
    made = Run(stack, folder)
    made.consume(artifacts / "consumer")
    return made


@pytest.fixture(scope="module")
def api(run: Run, artifacts: Path, tokens: Issuer) -> Iterator[str]:
    """Serve the API, when all has been read."""
    trusted = run.recorded(SSL_CERT_FILE=str(tokens.certificate))
    function = run.stack.function("Api", artifacts / "api", layers=[LAYER], on_this_machine=trusted)
    definition = run.stack.properties("HttpApi")["Body"]
    with LambdaRuntime(function) as runtime, http_api(runtime, routes_of(definition)) as address:
        yield address


@pytest.fixture(scope="module")
def every_route(run: Run, api: str, tokens: Issuer) -> None:
    """Ask the API for each thing that it can be asked for, so that it has called all that it ever calls."""
    user_id, limit_id = min(items(run.stack))
    bearer = f"Bearer {tokens.token(user_id)}"
    for path in ("", "/active", f"/{quote(limit_id)}"):
        assert get(api, limits_of(user_id) + path, Authorization=bearer)[0].status == 200
    assert get(api, "/healthz")[0].status == 200


@pytest.fixture(scope="module")
def tools(run: Run) -> Iterator[Application]:
    """Return what the command line works with, set up as the stack tells its owner."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in run.stack.on_this_machine().items():
            patch.setenv(name, value)
        yield application(dict(each.split("=", 1) for each in run.stack.outputs["ToolSettings"].split()))


@pytest.fixture(scope="module")
def redriven(run: Run, artifacts: Path, tools: Application) -> Redriven:
    """Run the scheduled redrive, when one event is parked that can be applied now, and one was given up."""
    [view] = tools.views
    limits: Any = view.repository
    assert tools.quarantine is not None
    assert tools.on_failure is not None
    parked = on_shard([created("r1", WAITS), progress("r2", 5, WAITS)], first=100, stream=run.stack.stream)
    given_up = on_shard(
        [created("r3", GIVEN_UP), progress("r4", 5, GIVEN_UP), created("r5", NEW)],
        first=200,
        stream=run.stack.stream,
    )
    activities: Any = tools.handler.repositories["ActivityProcessor"]
    KinesisHandler([ActivityProcessor(activities)]).handle({"Records": given_up[:1]})
    failing = FailingProcessor(limits, "r2", park_after=0)
    KinesisHandler([failing], quarantine=tools.quarantine).handle({"Records": parked})
    give_up(tools.on_failure, given_up)
    function = run.stack.function(
        "Redrive", artifacts / "consumer", layers=[LAYER], on_this_machine=run.recorded()
    )
    with LambdaRuntime(function) as runtime:
        figures = runtime({})
    found = limits.load([(WAITS, "bet"), (GIVEN_UP, "bet"), (NEW, "bet")]).found
    limits.delete(list(found))  # they are none of the stream's
    activities.delete(list(found))
    versions = [found[user_id, "bet"].version for user_id in (WAITS, GIVEN_UP, NEW)]
    return Redriven(figures, versions, runtime.log)


def get(address: str, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, Any]:
    connection = HTTPConnection(urlsplit(address).netloc, timeout=60)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    return response, json.loads(content, parse_float=Decimal) if content else None


def limits_of(user_id: str) -> str:
    return f"/api/v1/users/{quote(user_id)}/limits"


def items(stack: Stack) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what is in the table, as DynamoDB has it."""
    found = stack.dynamodb.get_paginator("scan").paginate(TableName=stack.table)
    return {(each["userId"]["S"], each["limitId"]["S"]): each for page in found for each in page["Items"]}


def test_the_table_holds_what_one_clean_pass_leads_to(run: Run, tools: Application) -> None:
    [view] = tools.views
    check_limits(view.repository, run.put)


def test_the_tables_are_as_the_tools_want_them(tools: Application, stack: Stack) -> None:
    assert [table.name for table in tools.tables] == stack.tables
    for table in tools.tables:
        described = table.describe()
        assert described["keys"] == ["userId", "limitId"]
        assert described["timeToLive"] == "expiresAt"
        assert described["deletionProtection"] is True
        assert described["billing"] == "PAY_PER_REQUEST"


def test_all_that_failed_is_whole_in_the_bucket_and_nothing_else(run: Run, tools: Application) -> None:
    assert tools.quarantine is not None
    assert tools.on_failure is not None
    check_quarantines([tools.quarantine, tools.on_failure], run.put)


def test_its_process_was_killed_in_the_middle_of_batches(run: Run) -> None:
    assert run.kills_left == []
    assert sum("Runtime exited with error: signal: killed" in line for line in run.log) == len(KILLED_IN)


def test_it_had_enough_memory(run: Run) -> None:
    assert run.max_memory < run.stack.function("Consumer", ROOT).memory_size


def test_its_metrics_keep_the_rules_of_the_format_and_add_up(run: Run) -> None:
    metered = [line for line in run.log if '"_aws"' in line]
    readers = {json.loads(line).get(READER) for line in metered}
    assert readers == {None, "UserLimitEventProcessor", "ActivityProcessor"}
    lines = [metrics_in(line) for line in metered if READER not in json.loads(line)]
    outcomes = ("Applied", "Duplicate", "Superseded", "Ignored", "Rejected", "Parked", "Failed")
    for metrics in lines:
        counts = {name: values[0] for name, (unit, values) in metrics.items() if unit == "Count"}
        assert counts["Records"] == sum(counts[name] for name in outcomes)
    # Each repeat is of one of the last events, and what fails is given up within a minute.
    for name in {*outcomes} - {"Superseded", "Parked"}:
        assert any(metrics[name][1][0] for metrics in lines), name


def test_what_is_parked_or_given_up_gets_through_the_scheduled_redrive(redriven: Redriven) -> None:
    assert redriven.versions == [2, 2, 1]
    assert redriven.figures["released"] == 4
    assert redriven.figures["waiting"] > 0  # what the stream's own run gave up fails again


def test_the_alarms_are_about_metrics_that_came(run: Run, redriven: Redriven) -> None:
    emitted = {
        (json.loads(line)[DIMENSION], name)
        for line in run.log + redriven.log
        if '"_aws"' in line
        for name in metrics_in(line)
    }
    alarms = run.stack.of_type("AWS::CloudWatch::Alarm").values()
    metrics = [metric for alarm in alarms for metric in metrics_of(alarm) if metric["Namespace"] == NAMESPACE]
    assert metrics
    for metric in metrics:
        [dimension] = metric["Dimensions"]
        assert dimension["Name"] == DIMENSION
        assert (dimension["Value"], metric["MetricName"]) in emitted


def metrics_of(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what an alarm looks at."""
    if "MetricName" in alarm:
        return [alarm]
    return [each["MetricStat"]["Metric"] for each in alarm["Metrics"] if "MetricStat" in each]


def test_the_api_answers_what_the_table_holds(run: Run, api: str, tokens: Issuer) -> None:
    stored = items(run.stack)
    for user_id in sorted({user_id for user_id, _ in stored}):
        token = tokens.token(user_id)
        response, answer = get(api, limits_of(user_id), Authorization=f"Bearer {token}")
        assert response.status == 200, answer
        told = {each["limitId"]: each for each in answer["data"]}
        assert told.keys() == {limit_id for user, limit_id in stored if user == user_id}
        for limit_id, limit in told.items():
            item = stored[user_id, limit_id]
            assert limit["version"] == int(item["version"]["N"])
            assert limit["amount"] == Decimal(item["value"]["N"])
            assert limit["progress"] == Decimal(item["progress"]["N"])


def test_one_limit_is_answered_as_it_is_in_the_list(run: Run, api: str, tokens: Issuer) -> None:
    user_id, limit_id = min(items(run.stack))
    bearer = f"Bearer {tokens.token(user_id)}"
    _, listed = get(api, limits_of(user_id), Authorization=bearer)
    response, answer = get(api, f"{limits_of(user_id)}/{limit_id}", Authorization=bearer)
    [same] = [each for each in listed["data"] if each["limitId"] == limit_id]
    assert {**answer["data"], **answer["meta"]} == same
    again, nothing = get(
        api,
        f"{limits_of(user_id)}/{limit_id}",
        Authorization=bearer,
        **{"If-None-Match": response.headers["etag"]},
    )
    assert (again.status, nothing) == (304, None)


def test_nobody_reads_without_a_token_of_their_own(run: Run, api: str, tokens: Issuer) -> None:
    user_id, _ = min(items(run.stack))
    assert get(api, limits_of(user_id))[0].status == 401
    assert get(api, limits_of(user_id), Authorization="Bearer x.y.z")[0].status == 401
    another = f"Bearer {tokens.token('somebody-else')}"
    assert get(api, limits_of(user_id), Authorization=another)[0].status == 403
    assert get(api, "/healthz")[0].status == 200


@pytest.mark.usefixtures("every_route", "redriven")
@pytest.mark.parametrize("function", ["Consumer", "Api", "Redrive"])
def test_each_call_of_aws_is_allowed_to_the_functions_role(run: Run, function: str) -> None:
    allowed = permissions(run.stack.role_of(function))
    asked = asked_by(run, function)
    assert asked
    assert {each for each in asked if not any(permission.covers(each) for permission in allowed)} == set()


@pytest.mark.usefixtures("every_route", "redriven")
@pytest.mark.parametrize("function", ["Consumer", "Api", "Redrive"])
def test_no_role_allows_what_nobody_uses(run: Run, function: str) -> None:
    allowed = permissions(run.stack.role_of(function))
    asked = asked_by(run, function)
    unused = {each for each in allowed if not any(each.covers(need) for need in asked)}
    assert {each.action for each in unused} == set(OF_AWS_ITSELF)


@pytest.mark.usefixtures("every_route", "redriven")
@pytest.mark.parametrize("function", ["Consumer", "Api", "Redrive"])
def test_what_a_role_allows_it_does_on_these_resources_alone(run: Run, function: str) -> None:
    bucket = f"arn:aws:s3:::{run.stack.bucket}"
    chosen_as_they_are_written = {f"{bucket}/quarantine/*", f"{bucket}/{PREFIX}/*"}
    patterns = {
        each.pattern for each in permissions(run.stack.role_of(function)) if each.action not in OF_AWS_ITSELF
    }
    assert patterns - chosen_as_they_are_written <= {each.resource for each in asked_by(run, function)}


def asked_by(run: Run, function: str) -> set[Need]:
    """Return what a function asked for, or Lambda in its name."""
    return {need for call in run.calls(function) for need in needs(call)}
