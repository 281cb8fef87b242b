# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one module's function against one BMC; what both adapters (module and action plugin) call.

The result is plain JSON, with secrets masked here, since nothing does that for an action plugin.
"""

from __future__ import annotations

from typing import Any, Callable

from ansible.module_utils.common.parameters import remove_values
from ansible_collections.redfleet.events.plugins.module_utils._client import RedfishClient
from ansible_collections.redfleet.events.plugins.module_utils._connection import Connection
from ansible_collections.redfleet.events.plugins.module_utils._errors import RedfishError
from ansible_collections.redfleet.events.plugins.module_utils._event_service import EventService

Run = Callable[[EventService, dict[str, Any], bool], dict[str, Any]]


def perform(
    run: Run, params: dict[str, Any], check_mode: bool, secrets: set[str], diff_mode: bool = True
) -> dict[str, Any]:
    """Connect, run, log out.

    :param params: validated options.
    :param secrets: values of the options marked no_log.
    :param diff_mode: whether somebody looks at the diff of what is created. Without, it only repeats `subscription`,
        and the controller copies every result several times.
    :returns: the task's result, with `failed`, `reason` and `status` when it failed. `warnings` is a list of text.
    """
    client: RedfishClient | None = None
    try:
        client = RedfishClient(Connection.from_params(params))
        with client:
            result = run(EventService(client), params, check_mode)
    except RedfishError as error:
        result = error.as_result()
    if result.get("action") == "create" and not diff_mode and not check_mode:
        result.pop("diff", None)
    result["requests"] = client.requests if client else 0
    result["warnings"] = client.warnings if client else []
    hidden = secrets | (client.secrets if client else set())
    keep = {key: value for key, value in result.items() if value is None or isinstance(value, (bool, int))}
    return {**remove_values(result, hidden), **keep}
