"""Makes clients of AWS services: one rule for the region, one table of advice about set-up errors.

Sources: https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html and
https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
"""

import gzip
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.credentials import Credentials, ReadOnlyCredentials, RefreshableCredentials
from botocore.exceptions import BotoCoreError, CredentialRetrievalError
from botocore.loaders import JSONFileLoader, Loader

from kinesis_handler.environment import REGION, REGION_FORM, read_matching
from kinesis_handler.errors import ConfigurationError

if TYPE_CHECKING:
    from botocore.config import Config
    from botocore.session import Session

_SET_CREDENTIALS = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_UNREACHABLE = (
    "it does not answer: is the region right, and AWS_ENDPOINT_URL_{} if it is set? "
    "Does a VPC let it through? ({error})"
)

_ADVICE = {
    "NoCredentialsError": f"no credentials were found: {_SET_CREDENTIALS}",
    "PartialCredentialsError": f"half of the credentials is missing: {_SET_CREDENTIALS} ({{error}})",
    "CredentialRetrievalError": "the credentials cannot be had: {error}",
    "MetadataRetrievalError": "the credentials cannot be had: {error}",
    "RefreshWithMFAUnsupportedError": "the credentials cannot be had: {error}",
    "SSOTokenLoadError": "the credentials cannot be had: {error}. `aws sso login` gets new ones",
    "TokenRetrievalError": "the credentials cannot be had: {error}. `aws sso login` gets new ones",
    "UnauthorizedSSOTokenError": "the credentials have expired: `aws sso login` gets new ones",
    "ConnectTimeoutError": _UNREACHABLE,
    "EndpointConnectionError": _UNREACHABLE,
    "ProxyConnectionError": "the proxy does not answer: are HTTPS_PROXY and NO_PROXY right? ({error})",
}
"""Advice by the SDK's name of the error: the cause, and what to do. `{}` is the service."""

_CREDENTIAL_SERVICES = ["sts", "sso", "sso-oidc", "signin"]
"""Services that the SDK asks for credentials: a role's, or a person's."""


def aws_client(
    service: str,
    config: "Config",
    *,
    region: str | None = None,
    endpoint: str | None = None,
    default_region: str | None = None,
) -> Any:
    """Return a client of a service. Credentials and endpoint come from the SDK's usual sources.

    Args:
        service: as the SDK calls it, such as `dynamodb`.
        config: time-outs and retries.
        region: see `find_region`.
        endpoint: URL to use instead of AWS's.
        default_region: see `find_region`.

    Raises ConfigurationError if there is no region, or the SDK's settings are invalid.
    """
    region = find_region(region, default_region)
    try:
        session = sdk_session(service, region)
        credentials = find_credentials(session.get_credentials)
        client = session.create_client(service, endpoint_url=endpoint, config=config)
    except BotoCoreError as error:
        raise wrong_settings(explain(error, service)) from error
    except ValueError as error:
        raise wrong_endpoint(str(error), service) from error
    if isinstance(credentials, RefreshableCredentials):
        # Before the endpoint is chosen, which may depend on the account; and before each attempt is signed.
        refresh = partial(_refresh, credentials)
        for moment in ("provide-client-params", "choose-signer"):
            client.meta.events.register_first(moment, refresh)
    return client


def sdk_session(service: str, region: str) -> "Session":
    """Return a session of the SDK for one service. Raises BotoCoreError if its settings are invalid."""
    import botocore.session  # noqa: PLC0415 - a hundred modules, which a start on Lambda does without

    session = botocore.session.get_session()
    session.register_component("data_loader", Models(service))
    # It holds for the services that are asked for credentials, too.
    session.set_config_variable("region", region)
    return session


def find_region(region: str | None = None, default: str | None = None) -> str:
    """Return the region: the one given, else AWS_REGION, AWS_DEFAULT_REGION, or that of the SDK's profile.

    Args:
        region: the one given.
        default: the region if none of these names one.

    Raises ConfigurationError if there is none, or one of the variables is not a region.
    """
    if region:
        return region
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if said := read_matching(os.environ, variable, REGION, REGION_FORM):
            return said
    import botocore.session  # noqa: PLC0415 - see `sdk_session`

    try:
        found: str | None = botocore.session.get_session().get_config_variable("region") or default
    except BotoCoreError as error:
        raise wrong_settings(str(error)) from error
    if not found:
        raise ConfigurationError(
            "no AWS region is set: set AWS_REGION, or AWS_PROFILE to a profile that has a region"
        )
    return found


def explain(error: Exception, service: str) -> str:
    """Return what an error of the SDK means and what to do; its own text for an unknown error.

    Args:
        error: the exception that the SDK raised.
        service: the service that was called, by the SDK's name.
    """
    for kind in type(error).__mro__:
        if (advice := _ADVICE.get(kind.__name__)) is not None:
            return advice.format(service.upper(), error=error)
    return str(error)


def wrong_settings(what: str) -> ConfigurationError:
    """Return the error for settings with which the SDK cannot work."""
    return ConfigurationError(f"the AWS SDK cannot be set up: {what}")


def wrong_endpoint(what: str, service: str) -> ConfigurationError:
    """Return the error for an endpoint that cannot be one, with the variables that may have named it."""
    return wrong_settings(f"{what}; look at AWS_ENDPOINT_URL_{service.upper()} and AWS_ENDPOINT_URL")


def find_credentials(get_credentials: Callable[[], Credentials | None]) -> Credentials | None:
    """Find credentials, by the method of a session, as making a client does: it may run programs, read files.

    Raises BotoCoreError, whatever went wrong.
    """
    try:
        return get_credentials()
    except BotoCoreError:
        raise
    except Exception as error:
        raise CredentialRetrievalError(provider="the SDK's settings", error_msg=_text(error)) from error


def freeze(credentials: Credentials) -> ReadOnlyCredentials:
    """Return the credentials of this moment: those that expire are fetched again.

    Raises BotoCoreError, whatever went wrong. The SDK itself lets through what a file or a program raises:
    FileNotFoundError for a role's token.
    """
    try:
        return credentials.get_frozen_credentials()
    except BotoCoreError:
        raise
    except Exception as error:
        raise CredentialRetrievalError(provider=credentials.method, error_msg=_text(error)) from error


def _refresh(credentials: Credentials, **_: object) -> None:
    freeze(credentials)


def _text(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.strerror}: {error.filename}"
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"


class _Files(JSONFileLoader):
    """Reads botocore's models with msgspec, in a third of the time."""

    def load_file(self, file_path: str) -> Any:
        """Return the content of a file, named without its extension; None if it does not exist."""
        for name, open_file in ((f"{file_path}.json", open), (f"{file_path}.json.gz", gzip.open)):
            with suppress(FileNotFoundError), open_file(name, "rb") as file:
                return msgspec.json.decode(file.read())
        return None


class Models(Loader):
    """Lists only the services needed. To find one, botocore lists the folders of all of them, twice."""

    def __init__(self, service: str) -> None:
        super().__init__(file_loader=_Files())
        self._services = [service, *_CREDENTIAL_SERVICES]

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore's signature
        """Return the services that have a client."""
        return self._services
