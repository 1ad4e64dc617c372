"""The template as tests look at it: expanded once for each set of parameters."""

from functools import cache
from pathlib import Path
from typing import Any

from deploy.expansion import expand

ROOT = Path(__file__).parent.parent
TEMPLATE = ROOT / "apps" / "user_limits" / "template.yaml"

TOKENS = {
    "Auth": "jwt",
    "JwtIssuer": "https://issuer.example",
    "JwtAudience": "limits",
    "JwtJwks": "https://issuer.example/keys",
}
JOINED = {
    "StreamArn": "arn:aws:kinesis:eu-north-1:123456789012:stream/facts",
    "TableName": "Limits",
    "AlarmTopicArn": "arn:aws:sns:eu-north-1:123456789012:on-call",
}
KEY = "arn:aws:kms:eu-north-1:123456789012:key/0123abcd"
LAYER = "arn:aws:lambda:eu-north-1:123456789012:layer:spans:1"
MOVING = {
    "MigrationTarget": "LimitsNew",
    "MigrationSwitch": "abc1234/def5678/ghi9012",
    "AppConfigLayerArn": "arn:aws:lambda:eu-north-1:123456789012:layer:AWS-AppConfig-Extension-Arm64:1",
}
REDRIVING = {"RedriveSchedule": "rate(1 hour)"}
ALL_ON = {
    **TOKENS,
    **MOVING,
    **REDRIVING,
    "KmsKeyArn": KEY,
    "JoinedKeyArns": f"{KEY}1,{KEY}2",
    "TracingLayerArn": LAYER,
    "EventTypeFilter": "on",
    "ConsumerConcurrency": "8",
    "ApiConcurrency": "20",
    "AlarmEmail": "on-call@example",
    "StreamShards": "4",
}


@cache
def _expanded(parameters: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    return expand(TEMPLATE, dict(parameters))


def expanded(**parameters: str) -> dict[str, Any]:
    """Return the expanded template. It is shared: read it only."""
    return _expanded(tuple(sorted({"Auth": "iam", **parameters}.items())))


def resources(**parameters: str) -> dict[str, Any]:
    """Return its resources by their logical ids."""
    found: dict[str, Any] = expanded(**parameters)["Resources"]
    return found


def properties(logical_id: str, **parameters: str) -> dict[str, Any]:
    """Return the properties of one resource."""
    found: dict[str, Any] = resources(**parameters)[logical_id]["Properties"]
    return found


def environment(function: str, **parameters: str) -> dict[str, str]:
    """Return the variables of a function's environment."""
    found: dict[str, str] = properties(function, **parameters)["Environment"]["Variables"]
    return found


def of_type(kind: str, **parameters: str) -> dict[str, Any]:
    """Return the properties of all resources of a type, by their logical ids."""
    return {
        name: each["Properties"] for name, each in resources(**parameters).items() if each["Type"] == kind
    }


def attached(role: str, **parameters: str) -> list[dict[str, Any]]:
    """Return the properties of the policies that are resources of their own and belong to a role."""
    name = f"user-limits-{role.lower()}"
    return [each for each in of_type("AWS::IAM::Policy", **parameters).values() if name in each["Roles"]]


def default_route(**parameters: str) -> dict[str, Any]:
    """Return the API's route for whatever has none of its own."""
    paths = properties("HttpApi", **parameters)["Body"]["paths"]
    route: dict[str, Any] = paths["/$default"]["x-amazon-apigateway-any-method"]
    return route
