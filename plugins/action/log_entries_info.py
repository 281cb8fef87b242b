# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin of the module log_entries_info."""

from __future__ import annotations

from ansible_collections.redfleet.events.plugins.modules import log_entries_info
from ansible_collections.redfleet.events.plugins.plugin_utils._action import InWorker


class ActionModule(InWorker):
    """Runs log_entries_info in the worker where that is possible."""

    argument_spec = log_entries_info.ARGUMENT_SPEC
    function = staticmethod(log_entries_info.run)
