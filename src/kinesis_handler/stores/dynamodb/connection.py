"""The connection to DynamoDB: signs requests, sends them, and checks that an answer is whole.

Credentials, signatures and endpoints are botocore's, the pool of connections is urllib3's. botocore's client
is not used for batches: it looks up the shape of each value of an answer, and takes ten times as long for 100
items.
"""

import socket
import zlib
from functools import cache, cached_property, partial
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ChecksumError, NoCredentialsError
from botocore.utils import get_environ_proxies
from msgspec.structs import replace

from kinesis_handler.aws import aws_client, explain, freeze, wrong_settings
from kinesis_handler.aws_settings import Settings, find_endpoint, read_settings
from kinesis_handler.stores.dynamodb.answer import Problem, problem_of_exception, problem_of_status
from kinesis_handler.stores.dynamodb.http import HttpPool
from kinesis_handler.version import __version__

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

CONNECTIONS = 8
"""Requests at once. A slice of 1,000 keys has 10 to load and 40 to save."""

CONNECT_TIMEOUT = 1.0
READ_TIMEOUT = 3.0
"""Seconds. The table answers within 0.05 as a rule: a request that takes a hundred times as long is lost."""

SERVICE = "dynamodb"
_HEADERS = {
    "Content-Type": "application/x-amz-json-1.0",
    "User-Agent": f"kinesis-handler/{__version__} botocore",
}
_SOCKET_OPTIONS = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]


class Connection:
    """Sends requests to DynamoDB, each once: a second attempt would hide whether the first was done.

    All methods may be called from several threads at once. `http` sends what is signed: tests exchange it.
    `region` and `endpoint` are for people: an account may have an endpoint of its own.

    Raises BotoCoreError if there is no endpoint with these settings.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._endpoint = cache(partial(find_endpoint, SERVICE, settings))
        self.region = settings.region
        of_no_account = replace(settings, account_id_mode="disabled")
        self.endpoint = find_endpoint(SERVICE, of_no_account, None)[0].removesuffix("/")
        self.http = HttpPool(
            proxies=get_environ_proxies(self.endpoint),
            ca_bundle=settings.ca_bundle,
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
            connections=CONNECTIONS,
            socket_options=_SOCKET_OPTIONS,
        )

    @cached_property
    def client(self) -> "DynamoDBClient":
        """The client of botocore with the same settings, for what is seldom asked: it takes 50 ms to make."""
        config = Config(
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=CONNECTIONS,
            tcp_keepalive=True,
        )
        endpoint = self._settings.endpoint
        return cast("DynamoDBClient", aws_client(SERVICE, config, region=self.region, endpoint=endpoint))

    def post(self, operation: str, body: bytes) -> bytes | Problem:
        """Send one request, once; return the body of its answer, or what went wrong.

        Args:
            operation: as DynamoDB calls it, such as `BatchGetItem`.
            body: in JSON.
        """
        try:
            answer = self.http.send(self._signed(operation, body))
            content: bytes = answer.content
            stated = answer.headers.get("x-amz-crc32")
            if stated is not None and stated != (actual := str(zlib.crc32(content))):
                raise ChecksumError(checksum_type="crc32", expected_checksum=stated, actual_checksum=actual)
        except BotoCoreError as error:
            return problem_of_exception(error)
        if answer.status_code != HTTPStatus.OK:
            return problem_of_status(answer.status_code, content)
        return content

    def close(self) -> None:
        """Close all connections."""
        self.http.close()
        if "client" in self.__dict__:
            self.client.close()

    def _signed(self, operation: str, body: bytes) -> AWSPreparedRequest:
        if self._settings.credentials is None:
            raise NoCredentialsError
        credentials = freeze(self._settings.credentials)
        url, region = self._endpoint(credentials.account_id)
        headers = {
            **_HEADERS,
            "Host": urlsplit(url).netloc,
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
            "Content-Length": str(len(body)),
            "X-Amz-Content-SHA256": sha256(body).hexdigest(),  # or the signer prepares the request to hash it
        }
        request = AWSRequest("POST", url, headers)
        SigV4Auth(credentials, SERVICE, region).add_auth(request)
        # As a dict: what a request is prepared with is an email's message, and slow to ask.
        signed: Any = dict(request.headers.items())
        return AWSPreparedRequest("POST", url, signed, body, stream_output=False)


def dynamodb_connection(
    region: str | None = None, endpoint: str | None = None, *, default_region: str | None = None
) -> Connection:
    """Return a connection. What is not given here comes from where the SDK always looks: see `read_settings`.

    Raises ConfigurationError if there is no region, or the settings that the SDK finds are no good.
    """
    settings = read_settings(SERVICE, region=region, endpoint=endpoint, default_region=default_region)
    try:
        return Connection(settings)
    except BotoCoreError as error:
        raise wrong_settings(explain(error, SERVICE)) from error
