"""What AWS asks for what is measured, in one place: dollars, on demand, us-east-1, without free tiers.

Those of DynamoDB hold since 1 November 2024; all were as below in November 2025. Whoever has others changes
them here, and makes the tables anew: `python -m benchmarks --docs`.

Sources: https://aws.amazon.com/dynamodb/pricing/on-demand/, https://aws.amazon.com/lambda/pricing/,
https://aws.amazon.com/kinesis/data-streams/pricing/
"""

PRICE_LIST = "on-demand prices of us-east-1, November 2025"

WRITE_UNIT = 0.625 / 1_000_000
READ_UNIT = 0.125 / 1_000_000
"""A consistent read of up to 4 KB takes one."""

LAMBDA_REQUEST = 0.20 / 1_000_000
LAMBDA_GB_SECOND = 0.0000133334
"""On arm64. x86_64 takes a quarter more."""

SHARD_HOUR = 0.015
PUT_UNIT = 0.014 / 1_000_000
"""For each started 25 KB of a record."""


def dollars_per_million(write_units: float, read_units: float, *, events: float) -> float:
    """Return what a table costs for a million events, of which some took these units."""
    return (write_units * WRITE_UNIT + read_units * READ_UNIT) / events * 1_000_000
