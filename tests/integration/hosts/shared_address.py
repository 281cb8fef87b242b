# SPDX-License-Identifier: GPL-3.0-or-later
"""Two listeners behind one address, their event log in one database: what such estates declare and ask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.integration.hosts.deployment import download_wheels
from tests.integration.hosts.estate import Host

ADDRESS = "10.79.0.100"
PASSWORD = "estate-database-password"
DATABASE = "fleet_events"
# Of one deployment, since nothing here differs between releases that the other tests don't boot.
RELEASE = "bookworm"


def shared(database: Host, port: int = 5432, **settings: Any) -> dict[str, Any]:
    """Group variables of listeners that share the address and this database; `settings` are further ones of theirs."""
    url = f"postgresql://listener@{database.address}:{port}/{DATABASE}?sslmode=require&channel_binding=require"
    log = {"url": url, "password": {"file": "/etc/event-listener/secrets/database"}}
    return {
        "event_listener_extras": ["postgresql"],
        "event_listener_tls_names": ["{{ ansible_host }}", ADDRESS],
        "event_listener_secrets": {"database": PASSWORD},
        "event_listener_settings": {"event_log": log, **settings},
        "event_database_name": DATABASE,
        "event_database_port": port,
        "event_database_listen": ["{{ ansible_host }}", "127.0.0.2"],
        "event_database_password": PASSWORD,
        "listener_address_service": f"{ADDRESS}/24",
    }


def wheels_for(host: Host, directory: Path, collections: Path, extras: Sequence[str] = ()) -> Path:
    """A folder with the wheels that the Python of this host needs."""
    python = "import platform; print('.'.join(platform.python_version_tuple()[:2]), platform.machine())"
    return download_wheels(directory, collections, host.ssh(f'python3 -c "{python}"').strip(), extras)


def holder(hosts: Iterable[Host], address: str = ADDRESS) -> str:
    """Which host has the address; empty for none."""
    has = [one.name for one in hosts if one.running and f" {address}/" in one.ssh("ip -o address", check=False)]
    assert len(has) <= 1, has
    return "".join(has)


def select(database: Host, query: str) -> list[str]:
    """The lines that a query of the event log gives."""
    return database.ssh(f'runuser -u postgres -- psql -XAtq {DATABASE} -c "{query}"', root=True).splitlines()
