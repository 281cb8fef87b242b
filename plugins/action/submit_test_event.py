# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin of the module submit_test_event."""

from __future__ import annotations

from ansible_collections.redfleet.events.plugins.modules import submit_test_event
from ansible_collections.redfleet.events.plugins.plugin_utils._action import InWorker


class ActionModule(InWorker):
    """Runs submit_test_event in the worker where that is possible."""

    argument_spec = submit_test_event.ARGUMENT_SPEC
    function = staticmethod(submit_test_event.run)
