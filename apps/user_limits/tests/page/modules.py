"""Calls the functions of the page's own modules, in the browser."""

from typing import Any

from playwright.sync_api import Page

LIMIT = {
    "limitId": "limit-1",
    "type": "LOSS",
    "periodType": "CALENDAR_WEEKLY",
    "name": None,
    "brandId": None,
    "currencyCode": "EUR",
    "amount": 100,
    "progress": 0,
    "percentage": 0,
    "status": "ACTIVE",
    "activeFrom": "2026-01-01T00:00:00Z",
    "activeUntil": None,
    "expiresAt": None,
    "lastReset": None,
    "rebuilt": False,
    "driftedAt": None,
    "previousAmount": None,
}


def call(modules: Page, path: str, function: str, *arguments: object) -> Any:
    """Return what a module's function returns, with plain spaces."""
    script = "async ([path, name, args]) => (await import(path))[name](...args)"
    return plain(modules.evaluate(script, [path, function, list(arguments)]))


def plain(result: Any) -> Any:
    """Return a text with plain spaces."""
    if isinstance(result, list):
        return [plain(each) for each in result]
    return result.replace("\u00a0", " ").replace("\u202f", " ") if isinstance(result, str) else result
