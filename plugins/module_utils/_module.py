# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The adapter to AnsibleModule, the only file that knows it."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.redfleet.events.plugins.module_utils._http import OLDEST, REDFISH_MISSING
from ansible_collections.redfleet.events.plugins.module_utils._redact import path_secrets_in
from ansible_collections.redfleet.events.plugins.module_utils._task import Run, perform


def serve(argument_spec: dict[str, Any], run: Run) -> None:
    """Be a module: read the options, run, answer, exit."""
    module = AnsibleModule(argument_spec=argument_spec, supports_check_mode=True)
    module.no_log_values.update(path_secrets_in(module.params))
    if REDFISH_MISSING:
        module.fail_json(msg=missing_required_lib(f"redfish >= {OLDEST}"), exception=REDFISH_MISSING)
    result = perform(run, module.params, module.check_mode, set(module.no_log_values), module._diff)
    for warning in result.pop("warnings"):
        module.warn(warning)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
