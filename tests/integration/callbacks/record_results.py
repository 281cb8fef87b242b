# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write each task's result as one JSON line into $REDFLEET_RESULTS, for tests."""

from __future__ import annotations

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: record_results
type: notification
short_description: Record results for tests
description: Writes each task's result as one JSON line.
requirements: []
"""


class CallbackModule(CallbackBase):
    """Records what a playbook's author can see of a result."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "record_results"

    def _record(self, outcome, result):
        line = {
            "host": result._host.get_name(),
            "task": result._task.get_name(),
            "outcome": outcome,
            "result": {key: value for key, value in result._result.items() if not key.startswith("_ansible")},
        }
        with open(os.environ["REDFLEET_RESULTS"], "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def v2_runner_on_ok(self, result):
        self._record("ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):  # noqa: ARG002 (Ansible's interface)
        self._record("failed", result)

    def v2_runner_on_unreachable(self, result):
        self._record("unreachable", result)
