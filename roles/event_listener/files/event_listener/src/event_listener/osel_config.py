# SPDX-License-Identifier: GPL-3.0-or-later
"""osel's YAML to files of ours, and what is different now and why. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import yaml

RABBITMQ, QUALYS, CLOUDS, CONFIG = "rabbitmq-password", "qualys-password", "clouds.yaml", "config.yml"
SECRETS = frozenset({RABBITMQ, QUALYS, CLOUDS})
_LONGEST_BATCH = 3600.0  # seconds: the most that batch_interval may be
_SYSLOG = {"tcp": "tcp", "udp": "udp"}
_QUEUE = (
    "osel read the queue notifications.info, from which it took what ceilometer was to get; the source has a queue of "
    "its own, redfleet-events. The account at RabbitMQ needs the right to make it (docs/openstack.md)."
)
_NETWORKS = (
    "osel scanned every address of every group of a tenant, whosever it was. Only addresses in "
    "sinks.qualys[0].networks are scanned now: list yours, and set dry_run to false once the log shows what you expect "
    "(docs/scans.md)."
)


class OselConfigError(Exception):
    """The file can't be used; the text says what is wrong in it."""


class Imported(msgspec.Struct, frozen=True):
    """Files by name, the settings in CONFIG as data, and sentences on what changed and why."""

    files: dict[str, str]
    settings: dict[str, Any]
    changes: list[str]


def imported(text: str, place: str) -> Imported:
    """What an osel configuration becomes in the folder ``place``. Raises OselConfigError."""
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise OselConfigError(f"not valid YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(data, dict) or "rabbit_uri" not in data:
        raise OselConfigError("no configuration of osel: it has no rabbit_uri")
    files: dict[str, str] = {}
    changes = [_QUEUE]
    settings = {"openstack": _openstack(data, place, files, changes)}
    sinks = {**_syslog(data, changes), **_qualys(data, place, files, changes)}
    if sinks:
        settings["sinks"] = sinks
    changes += _dropped(data)
    files[CONFIG] = yaml.safe_dump(settings, sort_keys=False)
    return Imported(files, settings, changes)


def _openstack(data: Mapping[str, Any], place: str, files: dict[str, str], changes: list[str]) -> dict[str, Any]:
    try:
        uri = urlsplit(str(data["rabbit_uri"]))
        port = uri.port or (5671 if uri.scheme == "amqps" else 5672)
    except ValueError as error:
        raise OselConfigError(f"rabbit_uri: {error}") from error
    if uri.scheme not in ("amqp", "amqps") or not uri.hostname:
        raise OselConfigError("rabbit_uri: it is no amqp:// or amqps:// URL")
    host = f"[{uri.hostname}]" if ":" in uri.hostname else uri.hostname
    found: dict[str, Any] = {
        "hosts": [f"{host}:{port}"],
        "virtual_host": unquote(uri.path.removeprefix("/")) or "/",
        "username": unquote(uri.username or "guest"),
    }
    if uri.password:
        files[RABBITMQ] = unquote(uri.password) + "\n"
        found["password"] = {"file": f"{place}/{RABBITMQ}"}
    if uri.scheme == "amqps":
        found["tls"] = {}
    else:
        changes.append(
            "RabbitMQ is spoken to in plain text, as before: give openstack.tls and port 5671 where it can TLS."
        )
    account = data.get("openstack")
    if isinstance(account, dict) and account.get("identity_endpoint"):
        files[CLOUDS] = _clouds(account)
        found["security_groups"] = {"clouds_file": f"{place}/{CLOUDS}", "cloud": "osel"}
        changes.append(
            "osel logged in at Keystone v2 as whoever made the change, with the configured password, and failed for "
            "everybody else. clouds.yaml has a service account at v3: it has to read ports, floating addresses, rules "
            "and servers of all projects. Its domains are taken to be Default."
        )
    return found


def _clouds(account: Mapping[str, Any]) -> str:
    auth = {
        "auth_url": re.sub(r"/v2\.0/?$", "/v3", str(account["identity_endpoint"])),
        "username": str(account.get("user", "")),
        "password": str(account.get("password", "")),
        "project_name": str(account.get("tenant_name", "")),
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    cloud: dict[str, Any] = {"auth": auth}
    if account.get("region"):
        cloud["region_name"] = str(account["region"])
    return yaml.safe_dump({"clouds": {"osel": cloud}}, sort_keys=False)


def _syslog(data: Mapping[str, Any], changes: list[str]) -> dict[str, Any]:
    if not data.get("syslog_server"):
        return {}
    transport = _SYSLOG.get(str(data.get("syslog_protocol", "tcp")).lower())
    if transport is None:
        raise OselConfigError("syslog_protocol: it is tcp or udp")
    changes.append(
        "Syslog messages are RFC 5424 with the same JSON, one per address, also for removals and for changes that "
        "affect no address. The server is always waited for, whatever retry_syslog said."
    )
    sink = {
        "name": "osel",
        "host": f"{data['syslog_server']}:{data.get('syslog_port') or 514}",
        "transport": transport,
        "app_name": "osel",
        "body": "osel",
        "facility": "user",
    }
    return {"syslog": [sink if transport == "udp" else {**sink, "framing": "newline"}]}


def _qualys(data: Mapping[str, Any], place: str, files: dict[str, str], changes: list[str]) -> dict[str, Any]:
    account = data.get("qualys")
    if not isinstance(account, dict) or not account.get("username"):
        return {}
    files[QUALYS] = str(account.get("password", "")) + "\n"
    try:
        wanted = float(data.get("batch_interval", 60)) * 60
    except (TypeError, ValueError) as error:
        raise OselConfigError("batch_interval: it is a number of minutes") from error
    sink: dict[str, Any] = {
        "name": "qualys",
        "username": str(account["username"]),
        "password": {"file": f"{place}/{QUALYS}"},
        "option_profile": str(account.get("option") or "Initial Options"),
        "drop6": bool(account.get("drop6", True)),
        "batch_interval": min(wanted, _LONGEST_BATCH),
        "networks": [],
        "dry_run": True,
    }
    sink |= {"url": str(account["url"])} if account.get("url") else {}
    sink |= {"proxy": str(account["proxy_url"])} if account.get("proxy_url") else {}
    changes += [
        _NETWORKS,
        "With drop6: false osel scanned nothing at all; now IPv6 is scanned too.",
    ]
    if wanted > _LONGEST_BATCH:
        changes.append(f"batch_interval was {wanted:g} s; the most is {_LONGEST_BATCH:g} s.")
    return {"qualys": [sink]}


def _dropped(data: Mapping[str, Any]) -> list[str]:
    found = []
    if data.get("logfile"):
        found.append(
            "logfile was never read by osel; log lines go to standard error, and so to the journal of systemd."
        )
    if str(data.get("debug", "")).lower() == "true":
        found.append("debug is gone; log_level: debug shows more. What arrives is in the event log in any case.")
    return found
