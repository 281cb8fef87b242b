# SPDX-License-Identifier: GPL-3.0-or-later
"""Keystone, Neutron and Nova over HTTP, as openstacksdk asks them: password login, catalogue, lists in pages.

Holds ``ports``, ``floating``, ``rules`` and ``servers`` as their APIs show them; ``fail`` makes every answer an error,
``nova_fail`` those of Nova for a server, ``delay`` lets it wait for so many seconds.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, Self

import yaml
from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server

_PAGE = 2  # so that lists have pages


class OpenStackApi:
    """A context manager. ``asked`` are the requests: method, path and query."""

    password = "not-a-secret"

    def __init__(self) -> None:
        self.ports: list[dict[str, Any]] = []
        self.floating: list[dict[str, Any]] = []
        self.rules: list[dict[str, Any]] = []
        self.servers: dict[str, str] = {}
        self.asked: list[str] = []
        self.fail, self.delay = 0, 0.0
        self.nova_fail = 0
        self.filters = True  # whether Neutron has port-security-groups-filtering
        self._server = make_server("127.0.0.1", 0, self._app(), threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def clouds_yaml(self, directory: Path) -> Path:
        """A clouds.yaml with the cloud ``tests``."""
        auth = {
            "auth_url": f"{self.url}/identity/v3", "username": "redfleet", "password": self.password,
            "project_name": "admin", "user_domain_name": "Default", "project_domain_name": "Default",
        }  # fmt: skip
        path = directory / "clouds.yaml"
        path.write_text(yaml.safe_dump({"clouds": {"tests": {"auth": auth, "region_name": "one"}}}))
        return path

    def _app(self) -> Flask:
        app = Flask("openstack")

        @app.before_request
        def _note() -> Response | None:
            self.asked.append(f"{request.method} {request.full_path.rstrip('?')}")
            time.sleep(self.delay)
            return Response("not now", self.fail) if self.fail else None

        self._identity(app)
        self._network(app)

        @app.get("/compute/v2.1")
        @app.get("/compute/v2.1/")
        def nova() -> Any:
            version = {"id": "v2.1", "status": "CURRENT", "version": "2.90", "min_version": "2.1"}
            return jsonify(version={**version, "links": [{"rel": "self", "href": f"{self.url}/compute/v2.1/"}]})

        @app.get("/compute/v2.1/servers/<server>")
        def server(server: str) -> Any:
            if self.nova_fail:
                return Response("not now", self.nova_fail)
            if server not in self.servers:
                return jsonify(itemNotFound={"code": 404, "message": "Instance could not be found."}), 404
            return jsonify(server={"id": server, "name": self.servers[server]})

        return app

    def _identity(self, app: Flask) -> None:
        @app.get("/identity/v3")
        def keystone() -> Any:
            links = [{"rel": "self", "href": f"{self.url}/identity/v3/"}]
            return jsonify(version={"id": "v3.14", "status": "stable", "links": links})

        @app.post("/identity/v3/auth/tokens")
        def login() -> Any:
            if request.get_json()["auth"]["identity"]["password"]["user"]["password"] != self.password:
                return jsonify(
                    error={"code": 401, "message": "The request you have made requires authentication."}
                ), 401
            where = {"network": f"{self.url}/network", "compute": f"{self.url}/compute/v2.1"}
            catalog = [
                {
                    "type": kind, "name": kind, "id": kind,
                    "endpoints": [{"interface": "public", "region": "one", "region_id": "one", "url": url, "id": kind}],
                }
                for kind, url in where.items()
            ]  # fmt: skip
            token = {"expires_at": "2099-01-01T00:00:00.000000Z", "issued_at": "2026-01-01T00:00:00.000000Z"}
            token |= {"methods": ["password"], "catalog": catalog, "project": {"id": "admin", "name": "admin"}}
            token |= {"user": {"id": "u", "name": "redfleet", "domain": {"id": "default", "name": "Default"}}}
            return jsonify(token=token), 201, {"X-Subject-Token": "a-token"}

    def _network(self, app: Flask) -> None:
        @app.get("/network")
        @app.get("/network/")
        def neutron() -> Any:
            links = [{"rel": "self", "href": f"{self.url}/network/v2.0/"}]
            return jsonify(versions=[{"id": "v2.0", "status": "CURRENT", "links": links}])

        @app.get("/network/v2.0/ports")
        def ports() -> Any:
            groups = request.args.getlist("security_groups") if self.filters else []
            found = [one for one in self.ports if not groups or set(groups) & set(one["security_groups"])]
            return self._page("ports", found)

        @app.get("/network/v2.0/floatingips")
        def floating() -> Any:
            wanted = request.args.getlist("port_id")
            return jsonify(floatingips=[one for one in self.floating if not wanted or one["port_id"] in wanted])

        @app.get("/network/v2.0/security-group-rules")
        def rules() -> Any:
            return self._page("security_group_rules", self.rules)

    def _page(self, name: str, found: list[dict[str, Any]]) -> Any:
        """A page, with the link to the next one as Neutron gives it."""
        marker = request.args.get("marker")
        start = [one["id"] for one in found].index(marker) + 1 if marker else 0
        page = found[start : start + _PAGE]
        answer: dict[str, Any] = {name: page}
        if start + _PAGE < len(found):
            query = "&".join(f"security_groups={one}" for one in request.args.getlist("security_groups"))
            href = f"{self.url}{request.path}?limit={_PAGE}&marker={page[-1]['id']}&{query}"
            answer[f"{name}_links"] = [{"rel": "next", "href": href}]
        return jsonify(answer)


def port(ident: str, groups: list[str], *addresses: str, server: str = "") -> dict[str, Any]:
    """A port as Neutron shows it."""
    return {
        "id": ident, "name": "", "network_id": "n1", "project_id": "p1", "tenant_id": "p1", "status": "ACTIVE",
        "security_groups": groups, "device_id": server, "device_owner": "compute:nova" if server else "",
        "fixed_ips": [{"subnet_id": "s1", "ip_address": address} for address in addresses],
    }  # fmt: skip
