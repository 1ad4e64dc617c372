"""What a function needs on AWS: tables, permissions, variables, settings. Pure.

The template of an application is held against this by its tests, and a page for Terraform reads it.
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from kinesis_handler.application import Application
from kinesis_handler.project.watching import ALARMS, GRAPHS, Alarm, Graph
from kinesis_handler.stores import Table
from kinesis_handler.stores.url import url_of


class TableNeeds(Struct, frozen=True, rename="camel"):
    """A DynamoDB table: on demand, both keys strings.

    Args:
        name: its name.
        partition_key: name of its partition key.
        sort_key: name of its sort key.
        time_to_live: the attribute that holds when an item expires, in epoch seconds.
    """

    name: str
    partition_key: str
    sort_key: str
    time_to_live: str


class Permission(Struct, frozen=True):
    """Actions of IAM on a resource.

    Args:
        resource: its ARN. `${…}` stands for what only a deployment knows.
        actions: what must be allowed.
        reason: what they are for.
    """

    resource: str
    actions: tuple[str, ...]
    reason: str


class Variable(Struct, frozen=True, rename="camel"):
    """A variable of the environment that the application has read while it was built.

    Args:
        name: its name.
        is_set: whether it was set then. Its value is not shown: it may be a secret.
    """

    name: str
    is_set: bool


class Setting(Struct, frozen=True):
    """A property of the function, or of its event source mapping, by its name in CloudFormation."""

    name: str
    value: object
    reason: str


FUNCTION = (
    Setting("Timeout", 60, "seconds; during an outage of the table each attempt takes all of them"),
    Setting("MemorySize", 1024, "megabytes; a batch needs 50, and more bring a larger share of a CPU"),
)
MAPPING = (
    Setting("FunctionResponseTypes", ["ReportBatchItemFailures"], "else Lambda ignores what failed (G4)"),
    Setting("BisectBatchOnFunctionError", value=True, reason="a failure costs only its own record's retries"),
    Setting("MaximumRetryAttempts", 10, "the default, -1, lets one bad record block its shard (G9)"),
    Setting(
        "MaximumRecordAgeInSeconds", 518_400, "6 of the 7 days of the stream: too old is stored, not lost"
    ),
    Setting(
        "DestinationConfig", {"OnFailure": {"Destination": "${BucketArn}"}}, "a bucket receives the records"
    ),
    Setting("BatchSize", 1_000, "more events of one key become one write"),
    Setting("MaximumBatchingWindowInSeconds", 1, "fewer invocations, and state that is a second older"),
    Setting("ParallelizationFactor", 1, "more would not keep the order of aggregated records (G2)"),
    Setting("StartingPosition", "TRIM_HORIZON", "LATEST skips what arrived before the first read"),
    Setting("MetricsConfig", {"Metrics": ["EventCount"]}, "nothing else counts what was given up"),
)
"""Settings of the event source mapping. There is no `FilterCriteria`: a filter drops what is not JSON."""

READ_THE_STREAM = tuple(
    f"kinesis:{name}"
    for name in ("DescribeStream", "DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards")
)
LOAD_AND_SAVE = ("dynamodb:BatchGetItem", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate")
READ = ("dynamodb:BatchGetItem", "dynamodb:Query")


class Needs(Struct, frozen=True, rename="camel"):
    """What the function of an application needs.

    Args:
        application: as `--app` names it.
        event_types: the types of events that it takes; others are ignored.
        tables: that must exist before it starts.
        environment: the variables that it reads.
        permissions: of the function's role, which Lambda uses too.
        api_permissions: of the role of a function that only reads, such as an API.
        function: settings of the function.
        mapping: settings of its event source mapping.
        alarms: that somebody must hear of.
        dashboard: the graphs that show what it does.
        missing: what it lacks to run on Lambda, each a sentence.
    """

    application: str
    event_types: Sequence[str]
    tables: Sequence[TableNeeds]
    environment: Sequence[Variable]
    permissions: Sequence[Permission]
    api_permissions: Sequence[Permission]
    function: Sequence[Setting]
    mapping: Sequence[Setting]
    alarms: Sequence[Alarm]
    dashboard: Sequence[Graph]
    missing: Sequence[str]


def needs_of(application: Application, name: str, variables: Iterable[Variable] = ()) -> Needs:
    """Return what an application needs on the store that it was built on."""
    tables = application.tables
    return Needs(
        application=name,
        event_types=sorted({name for each in application.handler.processors for name in each.event_types}),
        tables=[TableNeeds(each.name, *each.keys, each.expires_by) for each in tables],
        environment=list(variables),
        permissions=list(_permissions(tables)),
        api_permissions=[*_of_tables(tables, READ, "to read what is stored"), _LOG]
        if application.api is not None or application.views
        else [],
        function=FUNCTION,
        mapping=MAPPING,
        alarms=ALARMS,
        dashboard=GRAPHS,
        missing=list(_missing(application)),
    )


_LOG = Permission("${LogGroupArn}:*", ("logs:CreateLogStream", "logs:PutLogEvents"), "to write the log")


def _permissions(tables: Sequence[Table]) -> Iterator[Permission]:
    yield Permission("${StreamArn}", READ_THE_STREAM, "Lambda reads the stream with the function's role")
    yield from _of_tables(tables, LOAD_AND_SAVE, "to load and save what is stored")
    yield Permission("${BucketArn}/quarantine/*", ("s3:PutObject",), "to store rejected records")
    yield Permission("${BucketArn}/aws/lambda/*", ("s3:PutObject",), "Lambda stores what it gives up")
    yield Permission("${BucketArn}", ("s3:ListBucket",), "Lambda requires it of each destination")
    yield _LOG


def _of_tables(tables: Sequence[Table], actions: tuple[str, ...], reason: str) -> Iterator[Permission]:
    for each in tables:
        arn = f"arn:${{Partition}}:dynamodb:${{Region}}:${{Account}}:table/{each.name}"
        yield Permission(arn, actions, reason)


def _missing(application: Application) -> Iterator[str]:
    if application.store is None:
        yield "it names no store, so what it stores, and where, is not known here"
    elif not application.tables:
        url = url_of(application.store.address)
        yield f"its store is {url!r}, which is none for Lambda: say --store dynamodb://TABLE"
    if application.quarantine is None:
        yield "it has no quarantine: rejected records are logged, skipped, and lost"
