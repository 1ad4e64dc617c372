"""AWS's prices for what is measured, in one file: dollars, on demand, us-east-1, without free tiers.

Those of DynamoDB are valid since 1 November 2024; all were as below in November 2025. For other prices,
change them here, and write the tables again: `python -m benchmarks --docs`.

Sources: https://aws.amazon.com/dynamodb/pricing/on-demand/, https://aws.amazon.com/lambda/pricing/,
https://aws.amazon.com/kinesis/data-streams/pricing/
"""

PRICE_LIST = "on-demand prices of us-east-1, November 2025"

WRITE_UNIT = 0.625 / 1_000_000
READ_UNIT = 0.125 / 1_000_000  # a consistent read of up to 4 KB takes one

LAMBDA_REQUEST = 0.20 / 1_000_000
LAMBDA_GB_SECOND = 0.0000133334  # on arm64; x86_64 costs a quarter more

SHARD_HOUR = 0.015
PUT_UNIT = 0.014 / 1_000_000  # for each started 25 KB of a record

HOURS = 730  # of a month

# Provisioned units. Not held against AWS's page, which shows them by a script: other pages that were written
# in 2025 and 2026 name the same. Source: https://aws.amazon.com/dynamodb/pricing/provisioned/
WRITE_CAPACITY_HOUR, READ_CAPACITY_HOUR = 0.00065, 0.00013

# Fargate on arm64. Source: https://aws.amazon.com/fargate/pricing/, by https://www.vantage.sh/blog/fargate-pricing
VCPU_HOUR, GB_HOUR = 0.03238, 0.00356

# On-demand Advantage streams, for a GB. AWS says that they are at least 60 % below those of on-demand
# Standard, 0.08 and 0.04 dollars: this is 60 %. An account pays at least for so many bytes a second in, and
# as many out, by what was known of it in November 2025. A record is billed as whole KB in; assumed to be as
# in Standard. Not held against AWS's price list.
# Source: https://docs.aws.amazon.com/streams/latest/dev/how-do-i-size-a-stream.html
ADVANTAGE_GB_IN, ADVANTAGE_GB_OUT = 0.4 * 0.08, 0.4 * 0.04
ADVANTAGE_LEAST_BYTES = 25 * 1_024 * 1_024
ADVANTAGE_RECORD_BYTES = 1_024


def dollars_per_million(write_units: float, read_units: float, *, events: float) -> float:
    """Return the cost of a table for a million events, from the units that some of them took."""
    return (write_units * WRITE_UNIT + read_units * READ_UNIT) / events * 1_000_000
