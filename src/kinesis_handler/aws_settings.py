"""Reads the AWS SDK's settings and credentials, by the SDK's own rules, without making one of its clients.

On Lambda the environment has all of them. Then botocore's session is not even imported: it brings the code of
all its clients. Where there are files or profiles, the session reads them.

Source: https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.configprovider import (
    ConfiguredEndpointProvider,
    ConfigValueStore,
    create_botocore_default_config_mapping,
)
from botocore.credentials import Credentials, EnvProvider
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import BotoCoreError, InvalidConfigError
from botocore.utils import is_valid_uri
from msgspec import Struct

from kinesis_handler.aws import (
    Models,
    explain,
    find_credentials,
    find_region,
    sdk_session,
    wrong_endpoint,
    wrong_settings,
)

_PROFILES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
_FILES = {"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}
_ACCOUNT_ID_MODES = ("preferred", "disabled", "required")


class Settings(Struct, frozen=True):
    """What a connection to a service needs.

    Args:
        region: the one whose endpoint is called.
        credentials: to sign requests with; None if there are none.
        endpoint: URL to use instead of AWS's.
        use_fips: whether to use AWS's endpoint that is validated for FIPS 140.
        use_dualstack: whether to use the one that has an IPv6 address, too.
        account_id_mode: whether an endpoint has the account's number: `preferred`, `required` or `disabled`.
        ca_bundle: file of the certificates to trust; None for the SDK's own.
    """

    region: str
    credentials: Credentials | None
    endpoint: str | None
    use_fips: bool
    use_dualstack: bool
    account_id_mode: str
    ca_bundle: str | None


class _Environment:
    """Stands for botocore's session where there are no files: it has the parts of it that are used here."""

    def __init__(self) -> None:
        self.full_config: dict[str, Any] = {}
        store = ConfigValueStore(mapping=create_botocore_default_config_mapping(self))
        self.get_config_variable = store.get_config_variable
        self.get_credentials = EnvProvider().load

    def instance_variables(self) -> dict[str, Any]:
        return {}

    def get_scoped_config(self) -> dict[str, Any]:
        return {}


def read_settings(
    service: str, *, region: str | None = None, endpoint: str | None = None, default_region: str | None = None
) -> Settings:
    """Return the settings for a service. What is not given comes from where the SDK always looks.

    Args:
        service: as the SDK calls it, such as `dynamodb`.
        region: see `find_region`.
        endpoint: URL to use instead of AWS's.
        default_region: see `find_region`.

    Raises ConfigurationError if there is no region, or the SDK's settings are invalid.
    """
    region = find_region(region, default_region)
    try:
        session = _Environment() if _is_all_in_environment() else sdk_session(service, region)
        setting = session.get_config_variable
        credentials = find_credentials(session.get_credentials)
        if endpoint is None and not setting("ignore_configured_endpoint_urls"):
            endpoint = ConfiguredEndpointProvider(
                session.full_config, session.get_scoped_config(), service
            ).provide()
        mode = str(setting("account_id_endpoint_mode")).lower()
        if mode not in _ACCOUNT_ID_MODES:
            allowed = ", ".join(_ACCOUNT_ID_MODES)
            raise InvalidConfigError(error_msg=f"account_id_endpoint_mode is {mode!r}; allowed: {allowed}")
        settings = Settings(
            region,
            credentials,
            endpoint,
            use_fips=bool(setting("use_fips_endpoint")),
            use_dualstack=bool(setting("use_dualstack_endpoint")),
            account_id_mode=mode,
            ca_bundle=setting("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE"),
        )
    except BotoCoreError as error:
        raise wrong_settings(explain(error, service)) from error
    if endpoint is not None and not _is_url(endpoint):
        raise wrong_endpoint(f"Invalid endpoint: {endpoint}", service)
    return settings


def find_endpoint(service: str, settings: Settings, account_id: str | None) -> tuple[str, str]:
    """Return the URL of a service, and the region to sign for; by the rules that the SDK ships.

    Raises BotoCoreError if there is none with these settings.
    """
    if settings.endpoint is not None:
        return _with_path(settings.endpoint), settings.region
    models = Models(service)
    rules = models.load_service_model(service, "endpoint-rule-set-1")
    endpoint = EndpointProvider(rules, models.load_data("partitions")).resolve_endpoint(
        Region=settings.region,
        UseFIPS=settings.use_fips,
        UseDualStack=settings.use_dualstack,
        AccountId=account_id,
        AccountIdEndpointMode=settings.account_id_mode,
    )
    schemes = endpoint.properties.get("authSchemes", [])
    return _with_path(endpoint.url), next((each["signingRegion"] for each in schemes), settings.region)


def _is_url(endpoint: str) -> bool:
    try:
        _ = urlsplit(endpoint).port  # it raises for one that is none, as for a host in brackets
        return is_valid_uri(endpoint)
    except ValueError:
        return False


def _with_path(url: str) -> str:
    return url if urlsplit(url).path else f"{url}/"


def _is_all_in_environment() -> bool:
    """Return whether the environment has the credentials, and there is no file that could say anything."""
    environment = os.environ
    if not environment.get("AWS_ACCESS_KEY_ID") or any(map(environment.get, _PROFILES)):
        return False
    files = (environment.get(name, usual) for name, usual in _FILES.items())
    return not any(Path(file).expanduser().is_file() for file in files)
