"""Who reaches the operator's page: this machine, or the bearer of an operator's token; and no other page."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kinesis_handler import ConfigurationError
from kinesis_handler.application import Api, Operators, Refusal
from kinesis_handler.cli.serve import serve_api
from kinesis_handler.json_api import JsonApi
from kinesis_handler.operator_page.server import MAX_BODY, OperatorPage
from operated import Operated
from operator_page.asking import ask, state

REDRIVE = "/operator/api/redrive"
ROUTES = ["/operator", "/operator/", "/operator/operator.js", "/operator/api/state", "/operator/api/records"]


async def identify(token: str) -> str | Refusal:
    if token == "of-anna":  # noqa: S105 - of a test
        return "anna"
    return Refusal(403, "the token lacks the scope operate", 'Bearer error="insufficient_scope"')


OPERATORS = Operators(
    identify, "https://issuer.example", "page", "openid operate", ["https://issuer.example"]
)


@pytest.fixture
def operated(tmp_path: Path) -> Operated:
    made = Operated(tmp_path)
    made.reasons[-1] = "below zero"
    made.move("anna", -1)
    made.reasons.clear()
    return made


@pytest.fixture
def page(operated: Operated) -> Iterator[OperatorPage]:
    made = operated.page()
    yield made
    made.close()


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:80", "LOCALHOST.:1"])
def test_without_tokens_it_answers_by_the_names_of_this_machine(page: OperatorPage, host: str) -> None:
    assert ask(page, "/operator", headers={"host": host}).status == 200


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("host", ["bank.example", "127.0.0.1.bank.example", "0.0.0.0", ""])  # noqa: S104
def test_without_tokens_it_is_there_for_no_other_host(page: OperatorPage, path: str, host: str) -> None:
    answer = ask(page, path, headers={"host": host})
    assert answer.status == 421
    assert answer.json["detail"] == "this is served to this machine only, by its own name or address"


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "same-origin", "origin": "http://127.0.0.1:8000"},
        {"origin": "http://127.0.0.1:8000"},
        {"sec-fetch-site": "same-origin", "origin": "https://behind.example"},  # a proxy names another host
        {},  # a program that is no browser
    ],
)
def test_a_request_of_the_page_itself_is_taken(page: OperatorPage, headers: dict[str, str]) -> None:
    assert ask(page, REDRIVE, {"id": "1"}, headers=headers).status == 202


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
        {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:9000"},
        {"sec-fetch-site": "none"},
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1:9000"},
        {"origin": "null"},
    ],
)
@pytest.mark.parametrize("kind", ["redrive", "drop"])
def test_a_request_of_another_origins_page_is_refused(
    operated: Operated, page: OperatorPage, headers: dict[str, str], kind: str
) -> None:
    document = {"id": "1", **({"key": ["bank", "anna"], "because": "x"} if kind == "drop" else {})}
    answer = ask(page, f"/operator/api/{kind}", document, headers=headers)
    assert (answer.status, answer.json["detail"]) == (403, "this request comes from a page of another origin")
    assert operated.waiting() == 1
    assert state(page)["jobs"] == []


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_what_a_form_of_any_page_could_send_is_refused(page: OperatorPage, kind: str) -> None:
    assert ask(page, REDRIVE, {"id": "1"}, headers={"content-type": kind}).status == 415


def test_no_other_origin_is_let_in_by_a_preflight(page: OperatorPage) -> None:
    answer = ask(page, REDRIVE, method="OPTIONS", headers={"origin": "https://evil.example"})
    assert answer.status == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [("/operator", "POST", "GET"), ("/operator/api/state", "DELETE", "GET"), (REDRIVE, "GET", "POST")],
)
def test_each_path_has_its_method(page: OperatorPage, path: str, method: str, allowed: str) -> None:
    answer = ask(page, path, method=method)
    assert (answer.status, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize(
    "path", ["/operator/nothing", "/operator/api/", "/operator/api/nothing", "/operator/.."]
)
def test_there_is_nothing_else(page: OperatorPage, path: str) -> None:
    assert ask(page, path).status == 404


def test_a_body_that_is_too_large_is_refused(page: OperatorPage) -> None:
    assert ask(page, REDRIVE, body=b" " * (MAX_BODY + 1)).status == 413


def test_records_of_nothing_are_refused(page: OperatorPage) -> None:
    assert ask(page, "/operator/api/records").status == 400


def test_other_paths_are_the_applications(operated: Operated, page: OperatorPage) -> None:
    operated.move("ben", 1)
    assert ask(page, "/accounts/bank").json["data"][0]["key"] == ["bank", "ben"]
    assert ask(page, "/operators").status == 404


@pytest.mark.parametrize("path", [*ROUTES, "/operator/nothing"])
def test_each_answer_says_what_a_browser_may_do_with_it(page: OperatorPage, path: str) -> None:
    headers = ask(page, path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_what_is_stored_is_in_no_cache(page: OperatorPage) -> None:
    assert ask(page, "/operator/api/state").headers["cache-control"] == "no-store"


def test_a_file_that_is_known_is_not_sent_again(page: OperatorPage) -> None:
    first = ask(page, "/operator/theme.css")
    again = ask(page, "/operator/theme.css", headers={"if-none-match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert "content-length" not in again.headers


def test_a_head_has_no_body(page: OperatorPage) -> None:
    answer = ask(page, "/operator", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


def test_with_tokens_the_page_is_there_for_all_and_its_api_is_not(operated: Operated) -> None:
    page = operated.page(OPERATORS)
    for path in ("/operator", "/operator/signed-in", "/operator/operator.js"):
        assert ask(page, path, headers={"host": "limits.example"}).status == 200
    for path in ("/operator/api/state", "/operator/api/records?group=1"):
        answer = ask(page, path)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert ask(page, REDRIVE, {"id": "1"}).status == 401
    assert operated.waiting() == 1


def test_a_token_without_the_scope_is_refused(operated: Operated) -> None:
    page = operated.page(OPERATORS)
    for document in (None, {"id": "1"}):
        path = REDRIVE if document else "/operator/api/state"
        answer = ask(page, path, document, headers={"authorization": "Bearer of-ben"})
        assert answer.status == 403
        assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope"'
        assert answer.json["detail"] == "the token lacks the scope operate"
    assert operated.waiting() == 1


def test_an_operator_is_who_the_token_says(operated: Operated) -> None:
    page = operated.page(OPERATORS)
    assert state(page, authorization="bearer of-anna")["operator"] == "anna"
    job = ask(page, REDRIVE, {"id": "1"}, headers={"authorization": "Bearer of-anna"})
    assert job.json["by"] == "anna"
    page.close()


def test_with_a_token_too_a_page_of_another_origin_is_refused(operated: Operated) -> None:
    headers = {"authorization": "Bearer of-anna", "origin": "https://evil.example"}
    assert ask(operated.page(OPERATORS), REDRIVE, {"id": "1"}, headers=headers).status == 403


def test_an_api_that_asks_for_tokens_and_names_no_operators_has_no_such_page(operated: Operated) -> None:
    api = Api(lambda *, local: JsonApi([]), is_open=False, path=str)  # noqa: ARG005 - the name is the protocol's
    options = {"host": "127.0.0.1", "port": 0, "live": False, "insecure": False, "minutes": None}
    with pytest.raises(ConfigurationError, match="--operator: the API asks for tokens, and its Api names"):
        serve_api(operated.application, api, **options, operator=True)  # type: ignore[arg-type]


def test_the_page_knows_where_to_sign_in_and_may_ask_there(operated: Operated) -> None:
    answer = ask(operated.page(OPERATORS), "/operator")
    assert b'<meta name="oidc-issuer" content="https://issuer.example">' in answer.body
    assert b'<meta name="oidc-scope" content="openid operate">' in answer.body
    assert "connect-src 'self' https://issuer.example;" in answer.headers["content-security-policy"]
