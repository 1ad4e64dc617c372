"""Sends requests by urllib3's pool of connections, with the certificates, proxies and errors of botocore.

Its session of HTTP finds the proxy, the pool and the certificates for each request, and reads each answer
piece by piece. Here they are found once for each endpoint, and an answer is read at once.
"""

from collections.abc import Mapping
from threading import Lock
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

from botocore import exceptions as botocores
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import (
    ProxyConfiguration,
    create_urllib3_context,
    get_cert_path,
    mask_proxy_url,
)
from msgspec import Struct
from urllib3 import HTTPConnectionPool, PoolManager, Retry, Timeout, exceptions, proxy_from_url

_NEVER_AGAIN = Retry(total=False, redirect=False)

_ERRORS: tuple[tuple[type[Exception], type[BotoCoreError]], ...] = (
    (exceptions.SSLError, botocores.SSLError),
    (exceptions.NewConnectionError, botocores.EndpointConnectionError),  # some are a ConnectTimeoutError, too
    (exceptions.ConnectTimeoutError, botocores.ConnectTimeoutError),
    (exceptions.ReadTimeoutError, botocores.ReadTimeoutError),
    (exceptions.ProtocolError, botocores.ConnectionClosedError),
    (Exception, botocores.HTTPClientError),
)
"""What urllib3 raises beside a ProxyError, and what botocore makes of it: the first that fits."""


class Answer(Struct):
    """What came back."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes


class _Route(NamedTuple):
    """The way to an endpoint.

    Args:
        pool: of connections to it, or to the proxy.
        target: what is asked for there: through a proxy without a tunnel the whole URL.
    """

    pool: HTTPConnectionPool
    target: str


class HttpPool:
    """Sends requests, each once. May be used by several threads at once.

    Args:
        proxies: URLs of proxies by scheme.
        ca_bundle: file of the certificates to trust; None for botocore's own.
        timeout: seconds to connect, and to wait for an answer.
        connections: how many are left open.
        socket_options: of each connection.
    """

    def __init__(
        self,
        *,
        proxies: Mapping[str, str],
        ca_bundle: str | None,
        timeout: tuple[float, float],
        connections: int,
        socket_options: list[tuple[int, int, int]],
    ) -> None:
        self._proxies = ProxyConfiguration(proxies=proxies)
        connect, read = timeout
        self._options: dict[str, Any] = {
            "timeout": Timeout(connect=connect, read=read),
            "maxsize": connections,
            "socket_options": socket_options,
            "ssl_context": create_urllib3_context(),
            "cert_reqs": "CERT_REQUIRED",
            "ca_certs": ca_bundle or get_cert_path(verify=True),
        }
        self._managers: list[PoolManager] = []
        self._routes: dict[str, _Route] = {}
        self._lock = Lock()  # or each thread that comes first would make a pool

    def send(self, request: AWSPreparedRequest) -> Answer:
        """Send a request, and return its answer. Raises BotoCoreError if there is none."""
        url: str = request.url
        try:
            pool, target = self._route(url)
            answer = pool.urlopen(
                request.method,
                target,
                cast("bytes", request.body),
                cast("Mapping[str, str]", request.headers),
                _NEVER_AGAIN,
                redirect=False,
                assert_same_host=False,
                decode_content=False,
            )
        except exceptions.ProxyError as error:
            proxy = mask_proxy_url(self._proxies.proxy_url_for(url))
            raise botocores.ProxyConnectionError(proxy_url=proxy, error=error) from error
        except Exception as error:
            kind = next(kind for raised, kind in _ERRORS if isinstance(error, raised))
            raise kind(endpoint_url=url, error=error) from error
        return Answer(answer.status, answer.headers, answer.data)

    def close(self) -> None:
        """Close all connections."""
        for manager in self._managers:
            manager.clear()

    def _route(self, url: str) -> _Route:
        with self._lock:
            if url not in self._routes:
                self._routes[url] = self._find_route(url)
            return self._routes[url]

    def _find_route(self, url: str) -> _Route:
        proxy: str | None = self._proxies.proxy_url_for(url)
        if proxy is None:
            manager = PoolManager(**self._options)
        else:
            headers = self._proxies.proxy_headers_for(proxy)
            manager = proxy_from_url(proxy, proxy_headers=headers, **self._options)
        self._managers.append(manager)
        has_tunnel = url.startswith("https:")
        target = url if proxy is not None and not has_tunnel else urlsplit(url).path
        return _Route(manager.connection_from_url(url), target)
