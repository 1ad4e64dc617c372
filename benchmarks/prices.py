"""AWS's prices for what is measured, in one file: dollars, on demand, us-east-1, without free tiers.

Those of DynamoDB are valid since 1 November 2024; all were as below in November 2025. For other prices,
change them here, and write the tables again: `python -m benchmarks --docs`.

Sources: https://aws.amazon.com/dynamodb/pricing/on-demand/, https://aws.amazon.com/lambda/pricing/,
https://aws.amazon.com/kinesis/data-streams/pricing/
"""

PRICE_LIST = "on-demand prices of us-east-1, November 2025"

WRITE_UNIT = 0.625 / 1_000_000
READ_UNIT = 0.125 / 1_000_000
"""Price of a read unit. A consistent read of up to 4 KB takes one."""

LAMBDA_REQUEST = 0.20 / 1_000_000
LAMBDA_GB_SECOND = 0.0000133334
"""Price on arm64. x86_64 costs a quarter more."""

SHARD_HOUR = 0.015
PUT_UNIT = 0.014 / 1_000_000
"""Price per started 25 KB of a record."""


def dollars_per_million(write_units: float, read_units: float, *, events: float) -> float:
    """Return the cost of a table for a million events, from the units that some of them took."""
    return (write_units * WRITE_UNIT + read_units * READ_UNIT) / events * 1_000_000
