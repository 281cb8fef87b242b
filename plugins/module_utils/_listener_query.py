# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which events are meant, as modules take it and the listener's API asks for it."""

from __future__ import annotations

from typing import Any

LIST: dict[str, Any] = {"type": "list", "elements": "str"}
FILTERS: dict[str, dict[str, Any]] = {
    "id": LIST,
    "source": LIST,
    "category": LIST,
    "type": LIST,
    "level": LIST,
    "state": LIST,
    "origin": LIST,
    "site": LIST,
    "resource_type": LIST,
    "resource_id": LIST,
    "start_id": LIST,
    "domain": LIST,
    "account": LIST,
    "below": {"type": "str"},
    "keyword": {"type": "str", "no_log": False},
    "since": {"type": "str"},
    "until": {"type": "str"},
    "archived": {"type": "str", "choices": ["false", "true", "all"]},
}


def given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}
