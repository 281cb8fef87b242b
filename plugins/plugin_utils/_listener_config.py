# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the role's variables to the listener's configuration and its secrets. Pure: plain data in, plain data out."""

from __future__ import annotations

import copy
import re

from ansible_collections.redfleet.events.plugins.plugin_utils import _listener_firewall

# What the role decides, and the variable that decides it: a setting said twice would be wrong once.
OWNED = {
    "state_dir": "event_listener_state_dir",
    "user": "event_listener_user",
    "ingest.bind": "event_listener_bind",
    "ingest.credentials": "event_listener_credentials",
    "ingest.plain_http": "event_listener_tls",
    "ingest.tls.certificate": "event_listener_tls_certificate",
    "ingest.tls.key": "event_listener_tls_key",
    "nginx.bind": "event_listener_bind",
    "manage.bind": "event_listener_manage_bind",
    "manage.tokens": "event_listener_tokens",
    "sinks.text_log.directory": "event_listener_log_dir",
    "sinks.json_lines.directory": "event_listener_log_dir",
}


NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
SHORTEST_PASSPHRASE = 12
LONGEST_SOCKET_PATH = 107


def lookup(tree, path):
    """Return whether the dotted path exists in a tree of dictionaries."""
    for key in path.split("."):
        if not isinstance(tree, dict) or key not in tree:
            return False
        tree = tree[key]
    return True


def merge(base, over):
    """Return base with over merged into it, dictionaries key by key; neither is modified."""
    result = copy.deepcopy(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def secrets(credentials, tokens):
    """Return [{"name", "value", "service"}]: one file per secret, and the service that needs it."""
    entries = [
        {"name": f"credential-{entry['name']}", "value": entry.get("password") or entry["token"], "service": "ingest"}
        for entry in credentials
    ]
    return entries + [
        {"name": f"token-{entry['name']}", "value": entry["token"], "service": "manage"} for entry in tokens
    ]


def problems(settings, variables):
    """Return what is wrong with the role's variables, one sentence each that says what to do.

    variables as for configuration(), and named_secrets, tls, tls_names, tls_certificate, tls_key, ca_passphrase,
    state_dir, python (what was found on the host), systemd_running and root (whether we are).
    """
    found = folder_problems(variables["folders"])
    if variables["state"] == "absent":
        return found
    found += [
        f"event_listener_settings has {path}. Use the variable {variable} for it."
        for path, variable in OWNED.items()
        if lookup(settings, path)
    ]
    found += tls_problems(variables)
    found += secret_problems("event_listener_credentials", variables["credentials"])
    found += secret_problems("event_listener_tokens", variables["tokens"])
    found += [
        f"event_listener_secrets: {name!r} needs a name that can be a file name, and a value that is not empty."
        for name, value in variables["named_secrets"].items()
        if not NAME.fullmatch(str(name)) or str(name).strip(".") == "" or not isinstance(value, str) or not value
    ]
    found += host_problems(variables)
    found += nginx_problems(variables)
    found += _listener_firewall.problems(variables)
    if not variables["bind"]:
        found.append("event_listener_bind is empty. Give at least one address:port that BMCs post to.")
    if not variables["credentials"]:
        found.append(
            "event_listener_credentials is empty, so every BMC would be refused. "
            "Give at least one entry with name, username and password, or with name and token."
        )
    return found


def secret_problems(variable, entries):
    """Return what is wrong with a list of credentials or tokens; never a part of a secret."""
    names = [str(entry.get("name")) for entry in entries]
    found = [
        f"{variable}: the name {name!r} can't be a file name. Use letters, digits, dot, underscore and dash."
        for name in names
        if not NAME.fullmatch(name)
    ]
    found += [
        f"{variable}: the name {name} is given twice. Each needs its own."
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    for entry in entries:
        basic = bool(entry.get("username")) and bool(entry.get("password"))
        half = bool(entry.get("username")) != bool(entry.get("password"))
        if half or basic == bool(entry.get("token")):
            found.append(f"{variable}: {entry.get('name')} needs either username and password, or token.")
    return found


def tls_problems(variables):
    """Return what is wrong with the variables about TLS."""
    found = []
    if variables["tls"] == "ca":
        if len(variables["ca_passphrase"]) < SHORTEST_PASSPHRASE:
            found.append(
                f"event_listener_ca_passphrase has less than {SHORTEST_PASSPHRASE} characters. It protects the fleet's "
                "authority: set it, in a vault, or choose another event_listener_tls."
            )
        if not variables["ca_dir"]:
            found.append(
                "event_listener_ca_dir is empty. Name the controller's folder where the fleet's authority is kept, "
                "outside of inventory folders."
            )
        if not variables["tls_names"]:
            found.append(
                "event_listener_tls_names is empty. List the names and addresses that BMCs are subscribed with."
            )
    if variables["tls"] == "files":
        found += [
            f"event_listener_tls is files, but {name} is empty. Name the PEM file on the controller."
            for name in ("event_listener_tls_certificate", "event_listener_tls_key")
            if not variables[name.removeprefix("event_listener_")]
        ]
    return found


def host_problems(variables):
    """Return why this host can't run the listener as the variables want it."""
    found = []
    if not variables["python"]:
        found.append(
            "No Python 3.11 or newer that the service's account may run was found on the host. "
            "Install one, or name it in event_listener_python."
        )
    if variables["systemd"] and not variables["systemd_running"]:
        found.append(
            "event_listener_service_manager is systemd, but systemd is not running on the host. Use auto or process."
        )
    if variables["systemd"] and not variables["root"]:
        found.append("Units of systemd are installed by root. Run the role with become, or use process.")
    if not variables["systemd"] and not variables["root"]:
        found += [
            f"event_listener_bind has {bind}, and ports below 1024 need root. "
            "Run the role with become, or use another port."
            for bind in variables["bind"]
            if port_of(bind) < 1024
        ]
    return found


def nginx_problems(variables):
    """Return why nginx can't be put in front as the variables want it."""
    if not variables["nginx"]:
        return []
    found = []
    if variables["tls"] == "none":
        found.append(
            "event_listener_settings.nginx.enabled is true, and nginx is there for TLS, but event_listener_tls is "
            "none. Change one of them."
        )
    if not variables["nginx_possible"]:
        found.append(
            "event_listener_settings.nginx.enabled is true, but nginx is not on the host, and the role can install it "
            "only as root with apt. Install it."
        )
    if len(socket_path(variables).encode()) > LONGEST_SOCKET_PATH:
        found.append(
            f"event_listener_state_dir is too long: {socket_path(variables)} is a Unix socket, and its path may have "
            f"{LONGEST_SOCKET_PATH} bytes."
        )
    return found


def socket_path(variables):
    """Return the path of the socket on which the listener is reached by nginx.

    SELinux' targeted policy lets systemd make sockets below C(/run), and none below C(/var/lib).
    """
    return "/run/event-listener/ingest.sock" if variables["systemd"] else f"{variables['state_dir']}/ingest.sock"


def folder_problems(folders):
    """Return which of {variable: path} must not be handed to a role that removes it with C(state=absent)."""
    found = [
        f"{name} is {path}, which is not the listener's alone. Give an absolute path at least two levels deep."
        for name, path in folders.items()
        if not path.startswith("/") or len([part for part in path.split("/") if part not in ("", ".", "..")]) < 2
    ]
    paths = [path.rstrip("/") for path in folders.values()]
    found += [
        f"{name} is inside or the same as another of the listener's folders. Keep them apart."
        for name, path in folders.items()
        if sum((path.rstrip("/") + "/").startswith(other + "/") for other in paths) > 1
    ]
    return found


def port_of(bind):
    """Return the port of address:port; 65536 where there is none, which the listener's own check refuses."""
    port = bind.rpartition(":")[2]
    return int(port) if port.isdecimal() else 65536


def second_path(path):
    """Return where the RSA certificate or key is, beside the first one."""
    stem, dot, ending = path.rpartition(".")
    return f"{stem}-rsa{dot}{ending}"


def configuration(settings, variables):
    """Return {"settings": content of the configuration file, "secrets": see secrets(), "firewall": rules or {}}.

    variables has the keys bind, manage_bind, state_dir, log_dir, user, credentials, tokens, certificate, key, second
    (whether there is an RSA certificate too), nginx, secrets_dir, systemd (whether secrets are systemd credentials),
    and must be without problems().
    """

    def reference(name):
        return {"credential": name} if variables["systemd"] else {"file": f"{variables['secrets_dir']}/{name}"}

    def credential(entry):
        name = reference(f"credential-{entry['name']}")
        if entry.get("password"):
            return {"name": entry["name"], "username": entry["username"], "password": name}
        return {"name": entry["name"], "token": name}

    ingest = {
        "bind": list(variables["bind"]),
        "credentials": [credential(entry) for entry in variables["credentials"]],
    }
    if variables["certificate"]:
        ingest["tls"] = {"certificate": variables["certificate"], "key": variables["key"]}
        if variables["second"]:
            second = {f"second_{name}": second_path(path) for name, path in ingest["tls"].items()}
            ingest["tls"].update(second)
    else:
        ingest["plain_http"] = True
    base = {
        "state_dir": variables["state_dir"],
        "user": variables["user"],
        "ingest": ingest,
        "manage": {
            "bind": variables["manage_bind"],
            "tokens": [
                {"name": entry["name"], "token": reference(f"token-{entry['name']}")} for entry in variables["tokens"]
            ],
        },
        "sinks": {name: {"directory": variables["log_dir"]} for name in ("text_log", "json_lines")},
    }
    if variables["nginx"]:
        base["nginx"] = {"enabled": True, "bind": ingest["bind"]}
        ingest.update(bind=[f"unix:{socket_path(variables)}"], plain_http=True, trusted_proxies=["unix"])
    return {
        "settings": merge(base, settings),
        "secrets": secrets(variables["credentials"], variables["tokens"]),
        "firewall": _listener_firewall.rules(variables) if variables["firewall"] != "none" else {},
    }
