# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin of the module fleet_summary, which has no part that runs elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.redfleet.events.plugins.plugin_utils import _fleet
from ansible_collections.redfleet.events.plugins.plugin_utils._action import plain

ARGUMENT_SPEC = {"register": {"type": "str"}, "waves": {"type": "str"}}


class ActionModule(ActionBase):
    """Sums up registered results, of this batch or, from the batches' own sums, of the play."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The report, see RETURN of the module."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(
            ARGUMENT_SPEC, mutually_exclusive=[list(ARGUMENT_SPEC)], required_one_of=[list(ARGUMENT_SPEC)]
        )
        variables = task_vars or {}
        if options["register"]:
            hosts = variables["ansible_play_batch"]
            results = {host: _result(variables, host, options["register"]) for host in hosts}
            report = _fleet.verdicts(results, diffs=False)
        else:
            hosts = variables["ansible_play_hosts_all"]
            report = _fleet.joined(hosts, lambda host: _of(variables, host, options["waves"]))
        return {**result, **report, "changed": False}


def _result(variables: dict[str, Any], host: str, name: str) -> Any:
    """What a host registered, without what no summary tells: the subscription itself, and who the BMC is."""
    found = variables["hostvars"].raw_get(host).get(name)
    if not isinstance(found, Mapping):
        return plain(found)
    untold = {"subscription", "service", "invocation"} | ({"diff"} if found.get("action") == "create" else set())
    return plain({key: value for key, value in found.items() if key not in untold})


def _of(variables: dict[str, Any], host: str, name: str) -> Any:
    """What the host registered under the name, None where it did not.

    Results are data, never templates, so that the costly templated view of a host's variables isn't needed.
    """
    return plain(variables["hostvars"].raw_get(host).get(name))
