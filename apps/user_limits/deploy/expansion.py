"""Expand the template as CloudFormation does: by SAM, with conditions and intrinsic functions resolved.

Nothing is deployed. Values that only AWS knows are invented, and always the same: an account, a region, and
for each resource a name, from which its ARN is made.
"""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from boto3.session import Session
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from deploy.intrinsics import NOTHING, Resolver

ACCOUNT = "123456789012"
REGION = "eu-north-1"
STACK = "user-limits"

PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::NoValue": NOTHING,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": STACK,
    "AWS::URLSuffix": "amazonaws.com",
}


def expand(template: Path, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return what CloudFormation would create: `Resources` with their properties, and `Outputs`.

    A resource whose condition is false is left out. If the template does not name a resource, its name is
    `user-limits-` and its logical id in lower case: Ref returns this name, and ARNs are made from it.

    Args:
        template: the file.
        parameters: values of its parameters; the others have their defaults.

    Raises ValueError if a parameter is missing or not allowed, or a rule of the template is violated, and
    samtranslator's InvalidDocumentException if SAM refuses the template.
    """
    document = deepcopy(_parsed(template.read_text()))
    values = _values(document["Parameters"], parameters)
    for function in _functions(document):
        if code := function.get("CodeUri"):
            # SAM accepts only what `sam package` has put into a bucket.
            function["CodeUri"] = {"Bucket": "artifacts", "Key": code}
    translator = Translator({}, Parser(), boto_session=Session(region_name=REGION))
    expanded = translator.translate(document, parameter_values=dict(values))
    translator.metrics.publish()  # to nobody; otherwise it complains that nothing was published
    resolver = Resolver(expanded, {**PSEUDO_PARAMETERS, **values})
    _check_rules(expanded.get("Rules", {}), resolver)
    resolved = {
        section: {
            name: resolver.resolve(value)
            for name, value in expanded[section].items()
            if resolver.holds(value.get("Condition"))
        }
        for section in ("Resources", "Outputs")
    }
    _coerce(resolved["Resources"])
    return resolved


@cache
def _parsed(text: str) -> dict[str, Any]:
    """Parse YAML, which takes three quarters of an expansion's time."""
    document: dict[str, Any] = yaml_parse(text)
    return document


def _functions(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the properties of each function, and those that all functions have."""
    for resource in document["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            yield resource["Properties"]
    yield document.get("Globals", {}).get("Function", {})


def _values(declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """Return the value of each parameter, checked as CloudFormation does."""
    if unknown := given.keys() - declared.keys():
        raise ValueError(f"the template has no parameter {', '.join(sorted(unknown))}")
    values: dict[str, Any] = {}
    for name, rule in declared.items():
        if name not in given and "Default" not in rule:
            raise ValueError(f"the parameter {name} has no default, and is not given")
        value = str(given.get(name, rule.get("Default")))
        if not _is_allowed(value, rule):
            raise ValueError(f"the parameter {name} is {value!r}; it is: {rule['Description']}")
        match rule["Type"]:
            case "Number":
                values[name] = int(value)
            case "CommaDelimitedList":
                values[name] = value.split(",")
            case _:
                values[name] = value
    return values


def _is_allowed(value: str, rule: Mapping[str, Any]) -> bool:
    if rule["Type"] == "Number" and not (
        value.isdecimal() and rule.get("MinValue", 0) <= int(value) <= rule.get("MaxValue", int(value))
    ):
        return False
    return value in {str(each) for each in rule.get("AllowedValues", [value])} and bool(
        re.fullmatch(rule.get("AllowedPattern", "(?s:.*)"), value)
    )


def _check_rules(rules: Mapping[str, Any], resolver: Resolver) -> None:
    for rule in rules.values():
        if resolver.resolve(rule.get("RuleCondition", True)):
            for assertion in rule["Assertions"]:
                if not resolver.resolve(assertion["Assert"]):
                    raise ValueError(assertion["AssertDescription"])


def _coerce(resources: Mapping[str, Any]) -> None:
    """Convert values to the types of their resource's schema, as CloudFormation does."""
    for resource in resources.values():
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::Lambda::Function":
                variables = properties.get("Environment", {}).get("Variables", {})
                variables.update({name: str(value) for name, value in variables.items()})
            case "AWS::Lambda::EventSourceMapping":
                properties["Enabled"] = properties.get("Enabled", "true") == "true"
