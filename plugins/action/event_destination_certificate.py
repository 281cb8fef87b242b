# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin of the module event_destination_certificate."""

from __future__ import annotations

from ansible_collections.redfleet.events.plugins.modules import event_destination_certificate
from ansible_collections.redfleet.events.plugins.plugin_utils._action import InWorker


class ActionModule(InWorker):
    """Runs event_destination_certificate in the worker where that is possible."""

    argument_spec = event_destination_certificate.ARGUMENT_SPEC
    function = staticmethod(event_destination_certificate.run)
