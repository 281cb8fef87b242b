# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin of the module message_registries_info."""

from __future__ import annotations

from ansible_collections.redfleet.events.plugins.modules import message_registries_info
from ansible_collections.redfleet.events.plugins.plugin_utils._action import InWorker


class ActionModule(InWorker):
    """Runs message_registries_info in the worker where that is possible."""

    argument_spec = message_registries_info.ARGUMENT_SPEC
    function = staticmethod(message_registries_info.run)
