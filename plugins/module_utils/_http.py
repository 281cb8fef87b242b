# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DMTF's `redfish` library, asking once, following nothing, reading no environment, on one connection to one BMC.

It asks through a session of ours instead of `requests.Session`, whose merging of settings, environment, authentication
and hooks, of which a BMC needs none, costs more CPU per request than the request itself.
"""

from __future__ import annotations

import logging
import re
import traceback
from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._connection import Connection
from ansible_collections.redfleet.events.plugins.module_utils._tls import shared_context

try:
    import requests
    from redfish.rest.v1 import HttpClient, RetriesExhaustedError
    from requests.adapters import HTTPAdapter
    from requests.cookies import extract_cookies_to_jar, get_cookie_header
except ImportError:
    REDFISH_MISSING: str | None = traceback.format_exc()
    HttpClient = HTTPAdapter = object
    NoAnswerError = Exception
else:
    REDFISH_MISSING = None
    NoAnswerError = RetriesExhaustedError
    # The library logs bodies (a session's token among them) at INFO, which is the level of ANSIBLE_LOG_PATH.
    logging.getLogger("redfish.rest.v1").setLevel(logging.CRITICAL + 1)

# A URL of these characters alone, without dot segments, is sent as it is; others are quoted as `requests` does.
_PLAIN_URL = re.compile(r"[a-z]+://[a-z0-9.:\[\]-]+/[A-Za-z0-9._~/?#=$&()*+,;:@!-]*")


class Adapter(HTTPAdapter):
    """Gives the shared SSL context, and the pin, to every connection.

    urllib3 compares the pin after the handshake and before the first byte of a request, on that very connection.
    `verify` from the library (always False without a CA file) is overruled.
    """

    def __init__(self, connection: Connection):
        self._pool: Any = None
        self._tls: dict[str, Any] = {}
        if connection.base.startswith("https://"):
            self._tls = {
                "ssl_context": shared_context(
                    connection.verify, connection.ca_path, connection.tls_min_version, connection.tls_ciphers
                ),
                "cert_reqs": "CERT_REQUIRED" if connection.verify else "CERT_NONE",
                "assert_fingerprint": connection.fingerprint,
            }
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **{**kwargs, **self._tls})

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, **{**kwargs, **self._tls})

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        host, _from_verify = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {}

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        """The pool of the BMC, which is looked for once: every request goes to the same host."""
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
        return self._pool

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave the connection as `init_poolmanager` made it."""


class Session:
    """What the library needs of `requests.Session`: requests to one host, and its cookies.

    Nothing is read from the environment, else ~/.netrc would replace our credentials.
    """

    def __init__(self, adapter: Adapter):
        self._adapter = adapter
        self._headers = dict(requests.utils.default_headers())
        self._cookies = requests.cookies.RequestsCookieJar()

    def request(
        self,
        method: str,
        url: str,
        data: str | None = None,
        headers: dict[str, str] | None = None,
        timeout: int | None = None,
        proxies: dict[str, str] | None = None,
        **_left: Any,
    ) -> Any:
        """One request, as the library asks for it; what is left is about redirects, `verify`, and queries in pieces.

        :raises requests.RequestException: no answer.
        """
        request = requests.PreparedRequest()
        request.method, request.hooks = method, {}
        if _PLAIN_URL.fullmatch(url) and "/." not in url:
            request.url = url
        else:
            request.prepare_url(url, None)
        request.headers = {**self._headers, **(headers or {})}
        request.body = data.encode() if data is not None else None
        if data is not None or method not in ("GET", "HEAD"):
            request.headers["Content-Length"] = str(len(request.body or b""))
        cookies = get_cookie_header(self._cookies, request) if self._cookies else None
        if cookies:
            request.headers["Cookie"] = cookies
        answer = self._adapter.send(request, timeout=timeout, verify=False, proxies=proxies)
        if "set-cookie" in answer.headers:
            extract_cookies_to_jar(self._cookies, request, answer.raw)
        _read = answer.content  # to its end, so that the connection can be used again
        return answer

    def close(self) -> None:
        self._adapter.close()


class Library(HttpClient):
    """The library's client, asking once, following nothing and reading no environment."""

    def __init__(self, connection: Connection, adapter: type[Adapter] = Adapter):
        proxies = requests.utils.get_environ_proxies(connection.base) if connection.use_proxy else {}
        super().__init__(
            connection.base, timeout=connection.timeout, max_retry=0, proxies=proxies, check_connectivity=False
        )
        self._session = Session(adapter(connection))

    def ask(self, method: str, uri: str, body: Any, headers: dict[str, str], timeout: int) -> Any:
        return self._rest_request(
            uri, method=method, body=body, headers=headers, allow_redirects=False, timeout=timeout
        )

    def close(self) -> None:
        self._session.close()
