"""Says what the settings mean for the page. Pure."""

from urllib.parse import urlsplit

from user_limits.api.page import PageOptions
from user_limits.settings import Settings


def page_options(settings: Settings) -> PageOptions:
    """Return what the page is told."""
    signs_in = bool(settings.oidc_client_id)
    return PageOptions(
        help_text=settings.help_text,
        help_url=settings.help_url,
        oidc_issuer=settings.jwt_issuer if signs_in else "",
        oidc_client_id=settings.oidc_client_id,
        oidc_scope=settings.oidc_scope if signs_in else "",
    )


def sign_in_origins(settings: Settings) -> list[str]:
    """Return the origins that the page asks to sign a reader in."""
    if not settings.oidc_client_id:
        return []
    issuer = urlsplit(settings.jwt_issuer)
    return [f"{issuer.scheme}://{issuer.netloc}", *settings.oidc_origins]
