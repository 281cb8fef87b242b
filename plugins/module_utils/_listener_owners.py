# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules of domains, accounts and users have in common."""

from __future__ import annotations

from typing import Any


def domain_path(text: str) -> str:
    """A domain as the listener writes it: C(dc1/row2) is C(/dc1/row2/). What it refuses is left to it."""
    inner = text.strip().strip("/")
    return f"/{inner}/" if inner else "/"


def outcome(what: str, before: dict[str, Any] | None, after: dict[str, Any] | None) -> dict[str, Any]:
    """C(changed), C(diff) and C(msg) of one thing that was, and is; None is absent."""
    if before == after:
        said = f"{what} is as it should be."
    elif before is None:
        said = f"{what} is made."
    else:
        said = f"{what} is removed." if after is None else f"{what} is changed."
    return {"changed": before != after, "diff": {"before": before or {}, "after": after or {}}, "msg": said}
