"""The operator's page with tokens: by the wiring of `serve --operator`, and an issuer on this machine."""

from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Page, expect

from kinesis_handler import ConfigurationError
from kinesis_handler.operator_page.server import OperatorPage
from operated import served
from page.conftest import PATIENCE_MS
from page.issuer import AUDIENCE, CLIENT, Issuer, issuer
from page.test_accessibility import AXE, violations
from user_limits.wiring import application

SCOPE = "limits:operate"


@pytest.fixture(scope="module")
def running() -> Iterator[Issuer]:
    with issuer() as made:
        yield made


@pytest.fixture(scope="module")
def address(running: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("operator")
    (folder / "keys.json").write_bytes(running.key_set)
    built = application(settings(running, folder))
    assert built.api is not None
    assert built.api.operators is not None
    inner = built.api.build(local=False)
    with served(OperatorPage(built, inner, operators=built.api.operators())) as url:
        yield url


def settings(running: Issuer, folder: Path) -> dict[str, str]:
    return {
        "AUTH": "jwt",
        "JWT_ISSUER": running.url,
        "JWT_AUDIENCE": AUDIENCE,
        "JWT_JWKS": (folder / "keys.json").as_uri(),
        "OIDC_CLIENT_ID": CLIENT,
        "QUARANTINE_URL": (folder / "quarantine").as_uri(),
        "LOG_LEVEL": "error",
    }


@pytest.fixture
def page(browser: Browser, address: str, running: Issuer) -> Iterator[Page]:
    running.user, running.refuses, running.grants, running.lifetime = "olga", "", {SCOPE}, 600
    running.asked.clear()
    wrong: list[str] = []
    context = browser.new_context(base_url=address, locale="en-GB")
    context.set_default_timeout(PATIENCE_MS)
    made = context.new_page()
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on("console", lambda each: wrong.append(each.text) if each.type == "error" else None)
    yield made
    context.close()
    assert [each for each in wrong if "Failed to load resource" not in each] == []


def test_an_operator_signs_in_and_is_named(page: Page, running: Issuer) -> None:
    page.goto("/operator")
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing waits")
    expect(page.locator(".who span")).to_have_text("olga")
    expect(page).to_have_url("/operator")
    [asked] = running.asked
    assert asked["scope"] == f"openid {SCOPE}"
    assert asked["redirect_uri"].endswith("/operator/signed-in")
    stored = "[localStorage.length, sessionStorage.length, document.cookie, location.search, history.state]"
    assert page.evaluate(stored) == [0, 0, "", "", None], "the token is in memory only"


def test_what_is_begun_is_begun_by_who_signed_in(page: Page) -> None:
    page.goto("/operator")
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing waits")
    with page.expect_response("**/api/state"):  # nothing waits, and so there is no button to press
        page.evaluate("document.querySelector('#waiting .all').click()")
        page.get_by_role("dialog").get_by_role("button", name="Redrive").click()
    expect(page.locator("#done li").first).to_contain_text("0 records to send")
    expect(page.locator("#done .facts").first).to_contain_text("by olga")


def test_a_token_without_the_scope_shows_nothing_and_says_why(page: Page, running: Issuer) -> None:
    running.grants = {"limits:read:any"}
    page.goto("/operator")
    expect(page.get_by_role("heading", name="Nothing can be shown")).to_be_visible()
    expect(page.locator("#failed p")).to_have_text(f"The token lacks the scope {SCOPE}.")
    expect(page.locator("#shown")).to_be_hidden()
    page.evaluate((AXE.fetch() / "axe.min.js").read_text())
    assert violations(page) == []
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#signed-out p")).to_have_text("You have signed out.")


def test_a_token_that_has_expired_signs_out(page: Page, running: Issuer) -> None:
    running.lifetime = -60
    page.goto("/operator")
    expect(page.locator("#signed-out p")).to_have_text("You have been signed out, as happens after a while.")
    running.lifetime = 600
    page.evaluate((AXE.fetch() / "axe.min.js").read_text())
    assert violations(page) == []
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1).filter(visible=True)).to_have_text("Nothing waits")


def test_a_player_page_and_its_api_are_where_they_were(address: str) -> None:
    with urlopen(Request(f"{address}/users/anna"), timeout=5) as answer:  # noqa: S310 - our own
        assert b"<title>Limits</title>" in answer.read()


def test_without_a_client_there_is_nobody_who_could_operate(running: Issuer, tmp_path: Path) -> None:
    built = application({**settings(running, tmp_path), "OIDC_CLIENT_ID": ""})
    assert built.api is not None
    assert built.api.operators is not None
    with pytest.raises(ConfigurationError, match="OIDC_CLIENT_ID is '', and AUTH is 'jwt'"):
        built.api.operators()
