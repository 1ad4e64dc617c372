"""axe-core, which knows the rules of WCAG, finds nothing to complain about in any state of the page."""

import pytest
from playwright.sync_api import Page, expect

from page.conftest import OpenPage
from page.test_many_limits import user_with
from page.website import Website
from testkit.emulators.npm_package import NpmPackage

AXE = NpmPackage(
    name="axe-core",
    version="4.14.1",
    integrity="sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    folder="package",
    emulator="axe-core",
)
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@pytest.fixture(scope="package")
def axe() -> str:
    return (AXE.fetch() / "axe.min.js").read_text()


@pytest.mark.parametrize(("scheme", "viewport"), [("light", WIDE), ("dark", PHONE)], ids=["light", "dark"])
def test_axe_finds_no_violation(open_page: OpenPage, axe: str, scheme: str, viewport: dict[str, int]) -> None:
    page = open_page("/", color_scheme=scheme, viewport=viewport, reduced_motion="reduce")
    page.evaluate(axe)
    assert violations(page) == []
    for user, seen in [
        ("ben", "Almost used up"),
        ("chiara", "Limit exceeded"),
        ("elin", "One limit is not in force"),
        ("nobody", "No limits for this user"),
    ]:
        field = page.get_by_role("textbox", name="User")
        field.fill(user)
        field.press("Enter")
        expect(page.locator("#main")).to_contain_text(seen)
        assert violations(page) == []
    page.go_back()
    expect(page.get_by_text("One limit is not in force")).to_be_visible()
    page.context.set_offline(True)
    expect(page.get_by_text("Offline since")).to_be_visible()
    assert violations(page) == []
    page.go_forward()
    expect(page.get_by_role("heading", name="The limits cannot be shown")).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize(("scheme", "viewport"), [("light", WIDE), ("dark", PHONE)], ids=["light", "dark"])
def test_axe_finds_no_violation_in_an_opened_card(
    open_page: OpenPage, axe: str, scheme: str, viewport: dict[str, int]
) -> None:
    page = open_page("/users/anna", color_scheme=scheme, viewport=viewport, reduced_motion="reduce")
    page.evaluate(axe)
    for button in page.get_by_role("button", name="History").all():
        button.click()
    expect(page.locator(".timeline li").last).to_be_visible()
    expect(page.locator(".chart")).not_to_have_count(0)
    assert violations(page) == []


@pytest.mark.parametrize(("scheme", "viewport"), [("light", PHONE), ("dark", WIDE)], ids=["light", "dark"])
def test_axe_finds_no_violation_in_many_limits(
    open_page: OpenPage, axe: str, site: Website, scheme: str, viewport: dict[str, int]
) -> None:
    page = open_page(
        f"/users/{user_with(site, 2)}", color_scheme=scheme, viewport=viewport, reduced_motion="reduce"
    )
    expect(page.locator(".group article")).to_have_count(29)
    page.evaluate(axe)
    page.get_by_text("One limit is not in force").click()
    for title in ("Daily losses", "Monthly losses"):
        page.get_by_role("button", name=f"History {title}", exact=True).first.click()
    expect(page.locator(".timeline li").first).to_be_visible()
    assert violations(page) == []
    page.get_by_label("Title").fill("nothing is called so")
    expect(page.get_by_text("No limit fits.")).to_be_visible()
    assert violations(page) == []


def test_axe_finds_no_violation_at_an_address_that_cannot_be_read(open_page: OpenPage, axe: str) -> None:
    page = open_page("/users/%ff")
    expect(page.get_by_role("alert")).to_be_visible()
    page.evaluate(axe)
    assert violations(page) == []


def test_a_picture_without_a_text_is_found(open_page: OpenPage, axe: str) -> None:
    page = open_page("/")
    page.locator("#welcome img").evaluate("image => image.removeAttribute('alt')")
    page.evaluate(axe)
    assert violations(page) == ['image-alt: img[width="64"]']


def violations(page: Page) -> list[str]:
    page.clock.resume()  # axe-core waits now and then
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
    return [f"{each['id']}: {node['target'][0]}" for each in found for node in each["nodes"]]
