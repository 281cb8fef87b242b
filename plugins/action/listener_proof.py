# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module listener_proof where it is told to, and compares the listener's clock with this one."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.redfleet.events.plugins.plugin_utils._fleet import clock_offset


class ActionModule(ActionBase):
    """The module, with `clock_offset_s` added: only here is it known when it was asked and answered."""

    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        asked = datetime.now(timezone.utc)
        result.update(self._execute_module(task_vars=task_vars))
        answered = datetime.now(timezone.utc)
        if result.get("now"):
            result["clock_offset_s"] = clock_offset(asked, str(result["now"]), answered)
        return result
