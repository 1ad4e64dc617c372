"""With tokens: a reader signs in at an issuer, and sees their own limits."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from kinesis_handler import ConfigurationError
from page.issuer import AUDIENCE, CLIENT, Issuer, issuer
from page.test_accessibility import AXE, violations
from page.test_page import card
from page.website import Website, website
from user_limits.api.app import Options
from user_limits.api.jwks import KeySource
from user_limits.api.page import PageOptions
from user_limits.api.tokens import TokenAccess
from user_limits.settings import read_settings

WITH_TOKENS = {
    "AUTH": "jwt",
    "JWT_ISSUER": "https://issuer.example/",
    "JWT_AUDIENCE": AUDIENCE,
    "JWT_JWKS": "https://issuer.example/keys",
}


@pytest.fixture(scope="module")
def running() -> Iterator[Issuer]:
    with issuer() as made:
        yield made


@pytest.fixture(scope="module")
def closed(running: Issuer) -> Iterator[Website]:
    """The application with tokens of the issuer."""
    access = TokenAccess(KeySource(lambda: running.key_set), issuer=running.url, audience=AUDIENCE)
    told = PageOptions(oidc_issuer=running.url, oidc_client_id=CLIENT, oidc_scope="openid")
    with website(Options(access=access, page=told, sign_in_origins=[running.url])) as site:
        site.play()
        yield site


@pytest.fixture
def page(browser: Browser, closed: Website, running: Issuer) -> Iterator[Page]:
    running.user, running.refuses = "anna", ""
    running.asked.clear()
    wrong: list[str] = []
    context = browser.new_context(base_url=closed.url, locale="en-GB")
    made = context.new_page()
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    yield made
    context.close()
    assert [each for each in wrong if "Failed to load resource" not in each] == []


def test_a_reader_signs_in_and_sees_their_own_limits(page: Page, running: Issuer) -> None:
    page.goto("/")
    expect(card(page, "Monthly budget")).to_be_visible()
    expect(page).to_have_url("/users/anna")
    [asked] = running.asked
    assert asked["scope"] == "openid"
    assert len(asked["state"]) == len(asked["code_challenge"]) == 43


def test_a_sign_in_leads_back_to_the_page_that_was_asked_for(page: Page) -> None:
    page.goto("/users/anna")
    expect(card(page, "Monthly budget")).to_be_visible()
    expect(page).to_have_url("/users/anna")


def test_the_token_is_in_memory_only(page: Page, running: Issuer) -> None:
    page.goto("/")
    expect(card(page, "Monthly budget")).to_be_visible()
    stored = "[localStorage.length, sessionStorage.length, document.cookie, location.search, history.state]"
    assert page.evaluate(stored) == [0, 0, "", "", None]
    page.reload()
    expect(card(page, "Monthly budget")).to_be_visible()
    assert len(running.asked) == 2


def test_what_happened_is_read_with_the_token_too(page: Page) -> None:
    page.goto("/")
    shown = card(page, "Monthly budget")
    shown.get_by_role("button", name="History Monthly budget").click()
    expect(shown.locator(".timeline li").first).to_be_visible()


def test_the_limits_of_others_are_not_shown(page: Page) -> None:
    page.goto("/users/ben")
    expect(page.get_by_role("heading", name="The limits cannot be shown")).to_be_visible()
    expect(page.locator("#failed p")).to_contain_text("The token is for another user's limits.")


def test_a_token_that_is_no_longer_accepted_signs_out(page: Page) -> None:
    page.goto("/")
    expect(card(page, "Monthly budget")).to_be_visible()
    page.route("**/api/**", lambda route: route.fulfill(status=401, json={"detail": "the token has expired"}))
    expect(page.get_by_role("heading", name="Not signed in")).to_be_visible()
    expect(page.locator("#signed-out p")).to_have_text("You have been signed out, as happens after a while.")
    expect(card(page, "Monthly budget")).to_have_count(0)
    page.unroute_all()
    page.get_by_role("button", name="Sign in").click()
    expect(card(page, "Monthly budget")).to_be_visible()


def test_a_reader_signs_out_and_nothing_of_theirs_is_left(page: Page) -> None:
    page.goto("/")
    expect(card(page, "Monthly budget")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#signed-out p")).to_have_text("You have signed out.")
    expect(page.get_by_role("article")).to_have_count(0)
    page.evaluate((AXE.fetch() / "axe.min.js").read_text())
    assert violations(page) == []


def test_who_is_refused_by_the_issuer_reads_why(page: Page, running: Issuer) -> None:
    running.refuses = "You have no account here."
    page.goto("/users/anna")
    expect(page.locator("#signed-out p")).to_have_text("You have no account here.")
    running.refuses = ""
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url("/users/anna")


@pytest.mark.parametrize("answer", ["?code=stolen&state=other", "?code=stolen", ""])
def test_a_code_that_nobody_asked_for_is_refused(page: Page, running: Issuer, answer: str) -> None:
    page.goto(f"/signed-in{answer}")
    expect(page.locator("#signed-out p")).to_have_text("This sign-in did not begin on this page.")
    assert running.asked == []


def test_a_code_of_another_sign_in_is_refused(page: Page, running: Issuer) -> None:
    """The issuer's answer is changed on its way: the verifier does not fit."""

    def swapped(form: dict[str, str]) -> tuple[int, dict[str, object]]:
        return exchange({**form, "code_verifier": "another"})

    exchange = running.token
    running.token = swapped  # type: ignore[method-assign]
    page.goto("/")
    expect(page.locator("#signed-out p")).to_have_text("The code is not valid.")
    running.token = exchange  # type: ignore[method-assign]


def test_an_issuer_of_another_name_gets_no_reader(page: Page, running: Issuer) -> None:
    page.route(
        "**/openid-configuration",
        lambda route: route.fulfill(json={**running.description(), "issuer": "https://other.example"}),
    )
    page.goto("/")
    expect(page.locator("#signed-out p")).to_have_text("The issuer has another name than it should have.")


def test_an_issuer_that_is_down_is_said_to_be(page: Page) -> None:
    page.route("**/openid-configuration", lambda route: route.abort())
    page.goto("/")
    expect(page.locator("#signed-out p")).to_have_text("The issuer cannot be reached.")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"AUTH": "none"}, "OIDC_CLIENT_ID is set and AUTH is 'none'"),
        ({"JWT_ISSUER": "our issuer"}, "JWT_ISSUER is 'our issuer', and OIDC_CLIENT_ID is set"),
        ({"OIDC_ORIGINS": "issuer.example"}, "OIDC_ORIGINS is 'issuer.example'"),
    ],
)
def test_settings_that_cannot_work_stop_the_start(changed: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        read_settings({**WITH_TOKENS, "OIDC_CLIENT_ID": CLIENT, **changed})
