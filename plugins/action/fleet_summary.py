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

ARGUMENT_SPEC = {
    "register": {"type": "str"},
    "hosts": {"type": "list", "elements": "str"},
    "max_refused": {"type": "int"},
    "waves": {"type": "str"},
}
TOO_MANY = "Too many BMCs refuse the credentials. Nothing was tried twice; correct them first."
_ONE_OF = [["register", "waves"]]


class ActionModule(ActionBase):
    """Sums up registered results, of this batch or, from the batches' own sums, of the play."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The report, see RETURN of the module."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(
            ARGUMENT_SPEC,
            mutually_exclusive=_ONE_OF,
            required_one_of=_ONE_OF,
            required_by={"hosts": "register", "max_refused": "register"},
        )
        variables = task_vars or {}
        if options["register"]:
            hosts = variables["ansible_play_batch"] if options["hosts"] is None else options["hosts"]
            results = {host: _result(variables, host, options["register"]) for host in hosts}
            report = _fleet.verdicts(results, diffs=False)
            if options["max_refused"] is not None and len(report["refused"]) > options["max_refused"]:
                return {**result, "failed": True, "msg": [*report["lines"], TOO_MANY]}
        else:
            hosts = variables["ansible_play_hosts_all"]
            report = _fleet.joined(hosts, lambda host: plain(_registered(variables, host, options["waves"])))
        return {**result, **report, "changed": False}


def _result(variables: dict[str, Any], host: str, name: str) -> Any:
    """What a host registered, without what no summary tells: the subscription itself, and who the BMC is."""
    found = _registered(variables, host, name)
    if not isinstance(found, Mapping):
        return plain(found)
    untold = {"subscription", "service", "invocation"} | ({"diff"} if found.get("action") == "create" else set())
    return plain({key: value for key, value in found.items() if key not in untold})


def _registered(variables: dict[str, Any], host: str, name: str) -> Any:
    """What the host registered under the name, None where it did not.

    Results are data, never templates, so that the costly templated view of a host's variables isn't needed; nor is
    `raw_get`'s view of all of them, which takes longer than the rest of the summary, where Ansible keeps results apart.
    """
    hostvars = variables["hostvars"]
    kept = getattr(getattr(hostvars, "_variable_manager", None), "_nonpersistent_fact_cache", None)
    return (hostvars.raw_get(host) if kept is None else kept.get(host, {})).get(name)
