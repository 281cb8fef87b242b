# SPDX-License-Identifier: GPL-3.0-or-later
"""What Neutron and Nova know of a group, asked with openstacksdk and a service account (clouds.yaml).

Answers are kept: a group's ports until an event that is newer than the answer, names of servers for minutes. Requests
are spaced, so that a storm of changes is no storm at Neutron.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from event_listener.cloud.changes import port_of, rule_of
from event_listener.settings_inputs import Enrich

_NAMES_SECONDS = 300.0
_TROUBLE_SECONDS = 10.0  # how long Nova is not asked for a name again after an answer that tells nothing
_MOST_NAMES = 20_000
_PORTS_AT_ONCE = 50  # ids in one query for floating addresses

logging.getLogger("openstack").setLevel(logging.ERROR)
logging.getLogger("keystoneauth").setLevel(logging.ERROR)  # its debug lines carry requests


class CloudError(Exception):
    """The cloud can't be asked now; the text says where, and why. Try again later."""


class Port(msgspec.Struct, frozen=True):
    """A port with its addresses, and the server that it belongs to (empty for none)."""

    id: str
    fixed: tuple[str, ...]
    floating: tuple[str, ...]
    server_id: str = ""
    server: str = ""

    def addresses(self) -> Iterator[str]:
        """All of them."""
        yield from self.fixed
        yield from self.floating


class Neutron:
    """For one thread. All methods raise CloudError."""

    def __init__(self, settings: Enrich) -> None:
        self._settings = settings
        self._connection: Any = None
        self._asked = 0.0
        self._ports: dict[str, tuple[int, list[dict[str, Any]]]] = {}  # by group: when it was asked, ns, and its ports
        self._names: dict[str, tuple[float, str]] = {}  # by server: until when it holds, and the name

    def rules(self) -> list[dict[str, Any]]:
        """All rules that the account sees, as changes.py keeps them."""
        return [rule_of(body) for body in self._list("security_group_rules")]

    def ports(self) -> list[dict[str, Any]]:
        """All ports, likewise."""
        return [port_of(body) for body in self._list("ports")]

    def ports_of(self, group: str, event_ns: int) -> list[Port]:
        """The ports of a group, as they are after an event that was received at ``event_ns``."""
        asked_ns, bodies = self._ports.get(group, (0, []))
        if asked_ns <= event_ns:
            asked_ns = time.time_ns()
            # Neutron without the extension port-security-groups-filtering ignores the filter.
            found = (port_of(body) for body in self._list("ports", security_groups=group))
            bodies = [body for body in found if group in body["groups"]]
            self._ports = {name: kept for name, kept in self._ports.items() if kept[0] > event_ns}
            self._ports[group] = asked_ns, bodies
        return self.completed(bodies)

    def completed(self, bodies: Sequence[dict[str, Any]]) -> list[Port]:
        """Ports with what they don't say themselves: floating addresses and servers' names."""
        floating = self._floating([body["id"] for body in bodies])
        return [
            Port(
                body["id"],
                tuple(body["fixed"]),
                tuple(floating.get(body["id"], ())),
                server := body["device_id"] if body["device_owner"].startswith("compute:") else "",
                self._name(server) if server else "",
            )
            for body in bodies
        ]

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _floating(self, ports: Sequence[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for start in range(0, len(ports), _PORTS_AT_ONCE):
            for body in self._list("floatingips", port_id=list(ports[start : start + _PORTS_AT_ONCE])):
                found.setdefault(str(body.get("port_id")), []).append(str(body.get("floating_ip_address")))
        return found

    def _name(self, server: str) -> str:
        until, name = self._names.get(server, (0.0, ""))
        if until > time.monotonic():
            return name
        try:
            answer = self._ask(lambda cloud: cloud.compute.get(f"/servers/{server}"))
        except CloudError:
            # A name is a convenience: the change is told without it.
            return ""
        if answer.status_code == 200:
            name = str(answer.json().get("server", {}).get("name", ""))
        if len(self._names) >= _MOST_NAMES:
            self._names.clear()
        holds = _NAMES_SECONDS if answer.status_code in (200, 404) else _TROUBLE_SECONDS
        self._names[server] = time.monotonic() + holds, name
        return name

    def _list(self, what: str, **query: Any) -> list[dict[str, Any]]:
        """All pages of a list of Neutron's."""
        listing: dict[str, Callable[[Any], Iterable[Any]]] = {
            "ports": lambda cloud: cloud.network.ports(limit=1000, **query),
            "floatingips": lambda cloud: cloud.network.get("/floatingips", params={"port_id": query["port_id"]}).json()[
                "floatingips"
            ],
            "security_group_rules": lambda cloud: cloud.network.security_group_rules(limit=1000, **query),
        }
        return [_plain(item) for item in self._ask(lambda cloud: list(listing[what](cloud)))]

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        from keystoneauth1.exceptions import ClientException  # noqa: PLC0415 - the extra openstack
        from openstack.exceptions import SDKException  # noqa: PLC0415 - same

        wait = self._asked + 1 / self._settings.requests_per_second - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        self._asked = time.monotonic()
        try:
            return question(self._connected())
        except (SDKException, ClientException, OSError, ValueError, KeyError) as error:
            with contextlib.suppress(Exception):  # it is in an unknown state
                self.close()
            self._connection = None
            raise CloudError(f"the cloud {self._settings.cloud}: {error or type(error).__name__}") from error

    def _connected(self) -> Any:
        if self._connection is None:
            import openstack  # noqa: PLC0415 - the extra openstack
            from openstack.config import OpenStackConfig  # noqa: PLC0415 - same

            settings = self._settings
            files = OpenStackConfig(config_files=[settings.clouds_file], vendor_files=[], load_envvars=False)
            region = files.get_one(cloud=settings.cloud, api_timeout=settings.timeout)
            self._connection = openstack.connection.Connection(config=region)
        return self._connection


def _plain(item: Any) -> dict[str, Any]:
    """A resource of openstacksdk as the API's JSON has it."""
    if isinstance(item, dict) and "location" not in item:
        return item
    body = {key: value for key, value in item.to_dict().items() if key != "location"}
    if "security_group_ids" in body:
        body["security_groups"] = body["security_group_ids"]
    return body
