"""Which streams keep the order that an application relies on."""

from typing import Any

import pytest

from kinesis_handler.local.stream.ordering import order_problem

ARN = "arn:aws:kinesis:eu-west-1:000000000000:stream/facts"
AUTO = {"StreamARN": ARN, "RecordDistributionStrategy": "AUTO"}


@pytest.mark.parametrize(
    "summary",
    [{}, {"StreamARN": ARN}, {**AUTO, "RecordDistributionStrategy": "USER_PARTITION_KEY"}],
    ids=["provisioned", "provisioned, with its name", "on demand"],
)
def test_a_stream_that_keeps_the_order_of_a_partition_key_may_be_read(summary: dict[str, Any]) -> None:
    assert order_problem(summary) is None


def test_a_stream_that_spreads_its_records_is_refused_and_the_sentence_says_what_to_do() -> None:
    problem = order_problem(AUTO)
    assert problem is not None
    assert "RecordDistributionStrategy is AUTO" in problem
    assert f"--stream-arn {ARN} --record-distribution-strategy USER_PARTITION_KEY" in problem
    assert "any_order=True" in problem


def test_an_application_that_takes_any_order_may_read_every_stream() -> None:
    assert order_problem(AUTO, any_order=True) is None
