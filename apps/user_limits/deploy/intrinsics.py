"""CloudFormation's intrinsic functions, as far as our template uses them."""

import re
from collections.abc import Callable, Mapping
from typing import Any

NOTHING = object()
"""AWS::NoValue: a property with this value is left out."""

_ARNS = {
    "AWS::CloudWatch::Alarm": "arn:aws:cloudwatch:{region}:{account}:alarm:{name}",
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:{region}:{account}:table/{name}",
    "AWS::Events::Rule": "arn:aws:events:{region}:{account}:rule/{name}",
    "AWS::IAM::Role": "arn:aws:iam::{account}:role/{name}",
    "AWS::Kinesis::Stream": "arn:aws:kinesis:{region}:{account}:stream/{name}",
    "AWS::Lambda::Function": "arn:aws:lambda:{region}:{account}:function:{name}",
    "AWS::Logs::LogGroup": "arn:aws:logs:{region}:{account}:log-group:{name}:*",
    "AWS::S3::Bucket": "arn:aws:s3:::{name}",
    "AWS::SNS::Topic": "arn:aws:sns:{region}:{account}:{name}",
}
_ATTRIBUTES = {(kind, "Arn"): arn for kind, arn in _ARNS.items()} | {
    ("AWS::Lambda::Url", "FunctionUrl"): "https://{name}.lambda-url.{region}.on.aws/"
}
_NAMES = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::Logs::LogGroup": "LogGroupName",
}
_OF_VALUES: dict[str, Callable[..., Any]] = {
    "And": lambda *conditions: all(conditions),
    "Equals": lambda one, other: str(one) == str(other),
    "Join": lambda separator, parts: separator.join(map(str, parts)),
    "Not": lambda condition: not condition,
    "Or": lambda *conditions: any(conditions),
    "Select": lambda index, choices: choices[int(index)],
    "Split": lambda separator, text: text.split(separator),
}
_REFERRED_TO_BY_ARN = {"AWS::SNS::Topic"}


class Resolver:
    """Resolves the intrinsic functions of one template.

    Args:
        template: the template with its sections.
        values: values of its parameters and of the pseudo parameters.
    """

    def __init__(self, template: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        self._resources = template["Resources"]
        self._conditions = template.get("Conditions", {})
        self._values = values

    def holds(self, condition: str | None) -> bool:
        """Return whether a resource's condition is true; without a condition it always is."""
        return condition is None or bool(self.resolve(self._conditions[condition]))

    def resolve(self, value: Any) -> Any:
        """Return a value with its functions resolved. NOTHING is removed from objects and lists.

        Raises ValueError if something cannot be resolved.
        """
        match value:
            case {"Condition": str(name)} if len(value) == 1:
                return self.holds(name)
            case {"Ref": name}:
                return self._ref(name)
            case dict() if len(value) == 1 and next(iter(value)).startswith("Fn::"):
                [(function, argument)] = value.items()
                return self._call(function.removeprefix("Fn::"), argument)
            case dict():
                resolved = {name: self.resolve(each) for name, each in value.items()}
                return {name: each for name, each in resolved.items() if each is not NOTHING}
            case list():
                return [each for each in map(self.resolve, value) if each is not NOTHING]
        return value

    def _call(self, function: str, argument: Any) -> Any:
        if function == "If":  # only the chosen branch
            condition, then, otherwise = argument
            return self.resolve(then if self.holds(condition) else otherwise)
        if function == "Sub":
            text, variables = argument if isinstance(argument, list) else (argument, {})
            return self._sub(text, self.resolve(variables))
        if function == "GetAtt":
            name, attribute = argument if isinstance(argument, list) else argument.split(".")
            return self._attribute(name, attribute)
        if function in _OF_VALUES:
            return _OF_VALUES[function](*self.resolve(argument))
        raise ValueError(f"Fn::{function} is not known here")

    def _ref(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        if self._resource(name)["Type"] in _REFERRED_TO_BY_ARN:
            return self._attribute(name, "Arn")
        return self._name(name)

    def _sub(self, text: str, variables: Mapping[str, Any]) -> str:
        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name in variables:
                return str(variables[name])
            return str(self._attribute(*name.split(".")) if "." in name else self._ref(name))

        return re.sub(r"\$\{([A-Za-z0-9:.]+)\}", value, text)

    def _attribute(self, name: str, attribute: str) -> str:
        kind = self._resource(name)["Type"]
        if (kind, attribute) not in _ATTRIBUTES:
            raise ValueError(f"the attribute {attribute} of {name}, of type {kind}, is not known here")
        return _ATTRIBUTES[kind, attribute].format(
            region=self._values["AWS::Region"], account=self._values["AWS::AccountId"], name=self._name(name)
        )

    def _name(self, name: str) -> str:
        resource = self._resource(name)
        given = resource.get("Properties", {}).get(_NAMES.get(resource["Type"]))
        return str(self.resolve(given)) if given else f"{self._values['AWS::StackName']}-{name}".lower()

    def _resource(self, name: str) -> Mapping[str, Any]:
        """Return a resource. A reference to a resource that is left out is an error, as in CloudFormation."""
        resource: Mapping[str, Any] | None = self._resources.get(name)
        if resource is None or not self.holds(resource.get("Condition")):
            raise ValueError(f"{name} is referred to, and there is none")
        return resource
