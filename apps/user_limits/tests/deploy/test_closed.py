"""Nothing that the template makes is open: not the API, not the bucket, not the function."""

import json

import pytest

from deploy.expansion import expand
from deployed import TEMPLATE, TOKENS, default_route, environment, of_type, properties


def test_who_may_read_the_api_must_be_said() -> None:
    with pytest.raises(ValueError, match="Auth has no default"):
        expand(TEMPLATE, {})


@pytest.mark.parametrize("missing", ["JwtIssuer", "JwtAudience", "JwtJwks"])
def test_tokens_that_are_described_by_half_are_refused(missing: str) -> None:
    with pytest.raises(ValueError, match=f"Auth is jwt: {missing}"):
        expand(TEMPLATE, {name: value for name, value in TOKENS.items() if name != missing})


def test_the_function_checks_tokens_whether_or_not_the_gateway_does() -> None:
    assert environment("Api", **TOKENS)["AUTH"] == "jwt"
    assert environment("Api", **TOKENS, JwtAuthorizer="false")["AUTH"] == "jwt"


def test_the_gateway_checks_tokens_unless_set_not_to() -> None:
    assert default_route(**TOKENS)["security"] == [{"jwt": []}]
    assert "security" not in default_route(**TOKENS, JwtAuthorizer="false")
    scheme = properties("HttpApi", **TOKENS)["Body"]["components"]["securitySchemes"]["jwt"]
    authorizer = scheme["x-amazon-apigateway-authorizer"]
    assert authorizer["jwtConfiguration"] == {"issuer": TOKENS["JwtIssuer"], "audience": ["limits"]}


def test_without_tokens_the_gateway_asks_for_a_signature() -> None:
    assert environment("Api")["AUTH"] == "none"
    assert default_route()["security"] == [{"AWS_IAM": []}]
    scheme = properties("HttpApi")["Body"]["components"]["securitySchemes"]["AWS_IAM"]
    assert scheme["x-amazon-apigateway-authtype"] == "awsSigv4"


@pytest.mark.parametrize("parameters", [{}, TOKENS], ids=["iam", "jwt"])
def test_open_to_all_are_health_and_preflights_alone(parameters: dict[str, str]) -> None:
    is_open = {
        (method, path)
        for path, operations in properties("HttpApi", **parameters)["Body"]["paths"].items()
        for method, operation in operations.items()
        if not operation.get("security")
    }
    assert is_open == {("get", "/healthz"), ("options", "/{proxy+}")}


def test_the_gateway_alone_may_invoke_the_function() -> None:
    [permission] = of_type("AWS::Lambda::Permission").values()
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert permission["SourceArn"] == "arn:aws:execute-api:eu-north-1:123456789012:user-limits-httpapi/*"
    assert "AuthType" not in permission  # no function URL
    assert not of_type("AWS::Lambda::Url")


def test_requests_are_bounded() -> None:
    [stage] = of_type("AWS::ApiGatewayV2::Stage", ApiRateLimit="7", ApiBurstLimit="9").values()
    assert stage["StageName"] == "$default"
    settings = stage["DefaultRouteSettings"]
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (7, 9)


def test_access_logs_have_no_path_since_it_holds_a_users_id() -> None:
    [stage] = of_type("AWS::ApiGatewayV2::Stage").values()
    assert json.loads(stage["AccessLogSettings"]["Format"])["route"] == "$context.routeKey"
    assert "path" not in stage["AccessLogSettings"]["Format"].lower()


def test_the_bucket_is_private_encrypted_versioned_and_takes_nothing_without_tls() -> None:
    bucket = properties("FailedRecords")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    [statement] = properties("FailedRecordsPolicy")["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == (
        "Deny",
        {"Bool": {"aws:SecureTransport": "false"}},
    )


def test_what_was_not_applied_is_deleted_in_the_end() -> None:
    rules = properties("FailedRecords", FailedRecordsDays="14")["LifecycleConfiguration"]["Rules"]
    assert rules[0]["ExpirationInDays"] == 14
    assert {rule["Status"] for rule in rules} == {"Enabled"}
