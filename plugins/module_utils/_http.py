# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DMTF's `redfish` library, asking once, following nothing, reading no environment, on one connection to one BMC.

It asks through a session of ours instead of `requests.Session`, straight on urllib3: what `requests` adds to a request,
of which a BMC needs nothing, costs more CPU than the request itself.
"""

from __future__ import annotations

import logging
import traceback
from types import SimpleNamespace
from typing import Any

from ansible.module_utils.compat.version import LooseVersion
from ansible_collections.redfleet.events.plugins.module_utils._connection import Connection
from ansible_collections.redfleet.events.plugins.module_utils._tls import shared_context
from ansible_collections.redfleet.events.plugins.module_utils._transport_errors import transport_error

OLDEST = "3.4.1"  # of the library: before, `max_retry=0` made every request fail that was answered

try:
    from redfish import __version__ as _version
    from redfish.rest.v1 import HttpClient, RetriesExhaustedError
    from requests.adapters import HTTPAdapter
    from requests.cookies import RequestsCookieJar, extract_cookies_to_jar, get_cookie_header
    from requests.utils import get_environ_proxies, prepend_scheme_if_needed, select_proxy
    from urllib3 import PoolManager, connection_from_url, make_headers
    from urllib3.exceptions import LocationValueError
    from urllib3.util import parse_url
except ImportError:
    REDFISH_MISSING: str | None = traceback.format_exc()
    HttpClient = object
    NoAnswerError = Exception
else:
    REDFISH_MISSING = None
    if LooseVersion(_version) < LooseVersion(OLDEST):
        REDFISH_MISSING = f"redfish {_version} is too old, {OLDEST} or newer is needed."
    NoAnswerError = RetriesExhaustedError
    # The library logs bodies (a session's token among them) at INFO, which is the level of ANSIBLE_LOG_PATH.
    logging.getLogger("redfish.rest.v1").setLevel(logging.CRITICAL + 1)
    _HEADERS = make_headers(keep_alive=True, accept_encoding="gzip,deflate", user_agent="redfleet.events")


def pool_for(connection: Connection) -> Any:
    """urllib3's pool of connections to the BMC, of which one is used; through a proxy, the manager of its pools.

    urllib3 compares the pin after the handshake and before the first byte of a request, on that very connection.

    :raises InvalidInputError: an unusable address, CA file or list of ciphers.
    """
    tls: dict[str, Any] = {}
    if connection.base.startswith("https://"):
        tls = {
            "ssl_context": shared_context(
                connection.verify, connection.ca_path, connection.tls_min_version, connection.tls_ciphers
            ),
            "cert_reqs": "CERT_REQUIRED" if connection.verify else "CERT_NONE",
            "assert_fingerprint": connection.fingerprint,
        }
    proxies = get_environ_proxies(connection.base) if connection.use_proxy else {}
    proxy = select_proxy(connection.base, proxies) if proxies else None
    if proxy:
        return HTTPAdapter().proxy_manager_for(prepend_scheme_if_needed(proxy, "http"), **tls)
    try:
        return connection_from_url(connection.base, **tls)
    except LocationValueError as error:
        raise transport_error(connection.base, "", "", error) from error


class Session:
    """What the library needs of `requests.Session`: requests to one host, and its cookies.

    Nothing is read from the environment but the proxy that was asked for, else ~/.netrc would replace our credentials.
    """

    def __init__(self, base: str, pool: Any):
        self._base = base
        self._pool = pool
        self._cookies: Any = None

    def request(
        self,
        method: str,
        url: str,
        data: str | None = None,
        headers: dict[str, str] | None = None,
        timeout: int | None = None,
        **_left: Any,
    ) -> SimpleNamespace:
        """One request, as the library asks for it, and what it reads of an answer.

        What is left is about redirects, `verify`, proxies, and queries in pieces.

        :raises urllib3.exceptions.HTTPError: no answer.
        """
        sent = {**_HEADERS, **(headers or {})}
        body = data.encode() if data is not None else None
        if body is not None or method not in ("GET", "HEAD"):
            sent["Content-Length"] = str(len(body or b""))
        asked = SimpleNamespace(url=url, headers=sent)  # what `requests` looks at for cookies
        cookies = get_cookie_header(self._cookies, asked) if self._cookies else None
        if cookies:
            sent["Cookie"] = cookies
        target = url  # a proxy's manager needs to know whom to ask
        if not isinstance(self._pool, PoolManager):
            target = parse_url(url).request_uri if "/." in url else url[len(self._base) :]
        answer = self._pool.request(
            method, target, body=body, headers=sent, timeout=timeout, retries=False, redirect=False
        )
        if "set-cookie" in answer.headers:
            self._cookies = self._cookies or RequestsCookieJar()
            extract_cookies_to_jar(self._cookies, asked, answer)
        return SimpleNamespace(
            status_code=answer.status, reason=answer.reason, headers=answer.headers, content=answer.data
        )

    def close(self) -> None:
        self._pool.clear() if isinstance(self._pool, PoolManager) else self._pool.close()


class Library(HttpClient):
    """The library's client, asking once, following nothing and reading no environment."""

    def __init__(self, connection: Connection, pool: Any = None):
        super().__init__(connection.base, timeout=connection.timeout, max_retry=0, check_connectivity=False)
        self._session = Session(connection.base, pool or pool_for(connection))

    def ask(self, method: str, uri: str, body: Any, headers: dict[str, str], timeout: int) -> Any:
        return self._rest_request(
            uri, method=method, body=body, headers=headers, allow_redirects=False, timeout=timeout
        )

    def close(self) -> None:
        self._session.close()
