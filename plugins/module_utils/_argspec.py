# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection options of all Redfish modules, as documented in doc_fragments/_redfish.py."""

from __future__ import annotations

from typing import Any

ArgumentSpec = dict[str, dict[str, Any]]

CONNECTION: ArgumentSpec = {
    "baseuri": {"type": "str"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "auth_token": {"type": "str", "no_log": True},
    "login_type": {"type": "str", "choices": ["session", "basic"], "default": "session"},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "tls_fingerprint": {"type": "str"},
    "tls_min_version": {"type": "str", "choices": ["1.0", "1.1", "1.2", "1.3"], "default": "1.2"},
    "tls_ciphers": {"type": "str"},
    "timeout": {"type": "int", "default": 30},
    "retries": {"type": "int", "default": 2},
    "use_proxy": {"type": "bool", "default": False},
}


def with_connection(own: ArgumentSpec) -> ArgumentSpec:
    """A module's own options together with the connection's."""
    return {**CONNECTION, **own}
