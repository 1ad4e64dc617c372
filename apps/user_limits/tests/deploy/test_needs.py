"""The template gives the functions what `describe` says that they need: no less, and no more."""

from functools import cache
from typing import Any

from deployed import environment, properties, resources
from described import allowed, arns, assert_settings, assert_table, described, needed

TABLE = "user-limits-table"
ACTIVITY = f"{TABLE}-activity"
TRACING = {"*": {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}}
"""What the template adds: spans are a choice, which the application does not know of."""

OF_LAMBDA_AND_ITS_LAYERS = {"AWS_LAMBDA_EXEC_WRAPPER", "AWS_APPCONFIG_EXTENSION_POLL_INTERVAL_SECONDS"}


@cache
def needs() -> dict[str, Any]:
    return described("user_limits.wiring:application", TABLE)


def test_its_tables_are_those_that_the_application_opens() -> None:
    assert [each["name"] for each in needs()["tables"]] == [TABLE, ACTIVITY]
    assert_table(properties("Table"), needs(), TABLE)
    assert_table(properties("ActivityTable"), needs(), ACTIVITY)


def test_the_consumer_may_do_what_it_needs_and_trace() -> None:
    known = arns(resources(), stack="user-limits", log_group="/aws/lambda/user-limits-consumer")
    assert allowed(properties("ConsumerRole")) == needed(needs()["permissions"], known) | TRACING


def test_the_api_may_do_what_it_needs_and_trace() -> None:
    known = arns(resources(), stack="user-limits", log_group="/aws/lambda/user-limits-api")
    expected = needed(needs()["apiPermissions"], known) | TRACING
    [activity] = [each for each in expected if each.endswith(ACTIVITY)]
    expected[activity] = expected[activity] - {"dynamodb:Query"}  # the API lists nobody's activities
    assert allowed(properties("ApiRole")) == expected


def test_the_function_and_its_mapping_are_set_as_is_said() -> None:
    [bucket] = [each for each in allowed(properties("ConsumerRole")) if each.endswith("-failedrecords")]
    assert_settings(properties("Consumer"), properties("ConsumerRecords"), needs(), bucket)


def test_every_variable_that_is_set_is_one_that_the_application_reads() -> None:
    read = {each["name"] for each in needs()["environment"]}
    for function in ("Consumer", "Api"):
        assert environment(function).keys() - OF_LAMBDA_AND_ITS_LAYERS <= read


def test_the_events_that_are_filtered_for_are_those_that_it_takes() -> None:
    [pattern] = properties("ConsumerRecords", EventTypeFilter="on")["FilterCriteria"]["Filters"]
    assert all(f'"{each}"' in pattern["Pattern"] for each in needs()["eventTypes"])
