"""What a role allows, and what a call of AWS's API asks of it.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from deploy.expansion import ACCOUNT

OF_AWS_ITSELF = {
    "logs:CreateLogStream": "Lambda writes the function's log",
    "logs:PutLogEvents": "Lambda writes the function's log",
    "xray:PutTraceSegments": "Lambda sends the traces of its invocations",
    "xray:PutTelemetryRecords": "Lambda sends the traces of its invocations",
}
"""What a role allows and no emulator here uses, and why it must."""

_STATEMENT = re.compile(r'(?:(INSERT) INTO|(UPDATE)|(DELETE) FROM|(SELECT) .* FROM) "([^"]+)"')


class Need(NamedTuple):
    """An action on a resource."""

    action: str
    resource: str


class Permission(NamedTuple):
    """An action that a role allows, and a pattern of the resources on which it does."""

    action: str
    pattern: str

    def covers(self, need: Need) -> bool:
        """Tell whether it allows that. As in IAM, `*` stands for anything and a resource's case counts."""
        return fnmatchcase(need.action.lower(), self.action.lower()) and fnmatchcase(
            need.resource, self.pattern.replace("[", "[[]")
        )


def needs(call: Mapping[str, Any]) -> set[Need]:
    """Return what a call asks for. Raises AssertionError at a call that is not known here."""
    service, operation, told = call["service"], call["operation"], call["parameters"]
    table = f"arn:aws:dynamodb:{call['region']}:{ACCOUNT}:table/"
    match service, operation:
        case "dynamodb", "BatchGetItem":
            return {Need("dynamodb:BatchGetItem", f"{table}{name}") for name in told["RequestItems"]}
        case "dynamodb", "Query":
            index = f"/index/{told['IndexName']}" if "IndexName" in told else ""
            return {Need("dynamodb:Query", f"{table}{told['TableName']}{index}")}
        case "dynamodb", "BatchExecuteStatement":
            # There is no action of that name: each statement asks for its own.
            return {_of_statement(each["Statement"], table) for each in told["Statements"]}
        case "s3", "PutObject" | "GetObject":
            return {Need(f"s3:{operation}", f"arn:aws:s3:::{told['Bucket']}/{told['Key']}")}
        case "s3", "HeadBucket" | "ListObjectsV2":
            return {Need("s3:ListBucket", f"arn:aws:s3:::{told['Bucket']}")}
        case "kinesis", _:
            return {Need(f"kinesis:{operation}", told["StreamARN"])}
    raise AssertionError(f"nothing is known of what {service}.{operation} asks for")


def _of_statement(statement: str, table: str) -> Need:
    found = _STATEMENT.match(statement)
    assert found, statement
    *verbs, name = found.groups()
    [verb] = filter(None, verbs)
    return Need(f"dynamodb:PartiQL{verb.title()}", f"{table}{name}")


def needs_of_the_agent(path: str, region: str) -> set[Need]:
    """Return what AppConfig's agent asks for when it is asked for a configuration."""
    configuration = re.fullmatch(r"/applications/(.+)/environments/(.+)/configurations/([^?]+)([?].*)?", path)
    assert configuration, path
    application, environment, profile, _ = configuration.groups()
    place = f"application/{application}/environment/{environment}/configuration/{profile}"
    return {
        Need(f"appconfig:{operation}", f"arn:aws:appconfig:{region}:{ACCOUNT}:{place}")
        for operation in ("StartConfigurationSession", "GetLatestConfiguration")
    }


def permissions(role: Mapping[str, Any], attached: Iterable[Mapping[str, Any]] = ()) -> list[Permission]:
    """Return what a role allows, with the policies that are resources of their own.

    Raises AssertionError where this cannot tell: conditions, exceptions, policies that are elsewhere.
    """
    assert not role.keys() & {"ManagedPolicyArns", "PermissionsBoundary"}, (
        "the role's policies are written out"
    )
    policies = [*role["Policies"], *attached]
    return [each for policy in policies for each in _of_document(policy["PolicyDocument"])]


def _of_document(document: Mapping[str, Any]) -> Iterator[Permission]:
    for statement in document["Statement"]:
        assert statement.keys() <= {"Sid", "Effect", "Action", "Resource"}, statement
        assert statement["Effect"] == "Allow", statement
        for action in _list(statement["Action"]):
            for pattern in _list(statement["Resource"]):
                yield Permission(action, pattern)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
