# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The adapter to action plugins, the only file that knows ActionBase.

With a local connection the module's own function runs inside Ansible's forked worker: starting Python and copying a
module per host costs many times what the work does. Everything expensive is made when this file is imported, which
the strategy does in the parent process, so that the forks inherit it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
from collections.abc import Mapping
from typing import Any

from ansible import constants as C  # noqa: N812 (as ansible itself calls it)
from ansible import template
from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.redfleet.events.plugins.module_utils import _tls
from ansible_collections.redfleet.events.plugins.module_utils._argspec import CONNECTION
from ansible_collections.redfleet.events.plugins.module_utils._http import REDFISH_MISSING
from ansible_collections.redfleet.events.plugins.module_utils._redact import path_secrets_in
from ansible_collections.redfleet.events.plugins.module_utils._task import Run, perform
from ansible_collections.redfleet.events.plugins.plugin_utils._rehearsal import rehearse
from ansible_collections.redfleet.events.plugins.plugin_utils._variables import options_from

# Variables of the inventory that are the defaults of the connection options.
VARIABLES = {option: f"redfish_{option}" for option in CONNECTION}
PINS = "redfish_tls_fingerprints"  # {inventory name: fingerprint}, as playbooks/pin.yml writes it
display = Display()

_tls.prepare()
with contextlib.suppress(Exception):  # whatever made it fail, the task itself may not mind
    rehearse()
# A fork whose garbage collector looked at what it inherited would copy all of that memory.
gc.freeze()


def plain(value: Any) -> Any:
    """A copy in Python's own types, without Ansible's tags, laziness or vault wrappers.

    ansible-core 2.19 tags values with their origin, 2.18 has text that decrypts itself; neither belongs into a
    request or a result.
    """
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    return "".join(("", str(value)))


class InWorker(ActionBase):
    """Runs a module's function here where the connection is local, and the module itself otherwise."""

    _supports_check_mode = True
    _supports_async = True

    argument_spec: dict[str, dict[str, Any]]
    function: Run

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The task's result, the same from both ways."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        own = {option: value for option, value in plain(self._task.args).items() if value is not None}
        declared = self._declared(own.pop("declared_in", None), task_vars or {})
        arguments = {**self._from_variables(task_vars or {}), **declared, **own}
        if self._runs_here():
            result.update(self._in_worker(arguments, task_vars or {}))
        else:
            result.update(
                self._execute_module(module_args=arguments, task_vars=task_vars, wrap_async=self._task.async_val)
            )
        if not _shows_arguments(task_vars or {}):
            result.pop("invocation", None)
        return result

    def _runs_here(self) -> bool:
        """Whether this process may do what the module would do: same host, user and environment."""
        elsewhere = (
            self._connection.transport != "local"
            or self._connection.become is not None
            or any(self._task.environment or [])
            or self._task.async_val
            or REDFISH_MISSING  # the task's own interpreter may have it, and says so if not
        )
        return not elsewhere

    def _from_variables(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The connection options that the host's variables redfish_* give; those of the task count more.

        Most of them are plain text, which costs nothing to template. Said as module_defaults, a template for each
        option, they cost more than all the work on the BMC: every fork compiles every template again.
        """
        found = {option: task_vars[name] for option, name in VARIABLES.items() if name in task_vars}
        if "baseuri" not in found:
            found["baseuri"] = task_vars.get("ansible_host") or task_vars.get("inventory_hostname")
        values = self._templated(found, task_vars)
        if "tls_fingerprint" not in values and PINS in task_vars:
            values |= self._templated({"tls_fingerprint": self._pin(task_vars)}, task_vars)
        return values

    def _declared(self, name: str | None, task_vars: dict[str, Any]) -> dict[str, Any]:
        """The options that a variable of the host holds.

        :raises AnsibleActionFail: the host has no such variable, or it holds no options.
        """
        if name is None:
            return {}
        found = task_vars.get(name)
        found = self._templar.template(found) if isinstance(found, str) else found
        if not isinstance(found, Mapping):
            what = "isn't set" if name not in task_vars else "holds no options"
            raise AnsibleActionFail(f"The variable {name} {what}: declare there what the BMC is to hold.")
        return {option: value for option, value in self._templated(found, task_vars).items() if value is not None}

    def _templated(self, found: Mapping[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = plain(options_from(found, task_vars, self._templar))
        # ansible-core 2.18 has a word for "as if it weren't there"; newer ones leave such values out.
        without = (None, task_vars.get("omit"))
        return {option: value for option, value in values.items() if value not in without}

    def _pin(self, task_vars: dict[str, Any]) -> Any:
        """The host's entry among all hosts' pins, of which there may be thousands: the others are not looked at."""
        pins = task_vars.get(PINS)
        pins = pins if isinstance(pins, Mapping) else self._templar.template(pins)
        return (pins or {}).get(task_vars.get("inventory_hostname"))

    def _in_worker(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        validated = ArgumentSpecValidator(self.argument_spec).validate(arguments)
        # Before validation a dictionary may be one string, afterwards a refused value may be gone.
        secrets = secrets_in(self.argument_spec, arguments)
        secrets |= secrets_in(self.argument_spec, validated.validated_parameters) | path_secrets_in(arguments)
        if validated.error_messages:
            told = remove_values("; ".join(validated.error_messages), secrets)
            return {"failed": True, "changed": False, "msg": told, "reason": "invalid_input", "status": None}
        params = validated.validated_parameters
        result = perform(type(self).function, params, self._task.check_mode, secrets, self._task.diff)
        if not result["warnings"]:
            del result["warnings"]
        if _shows_arguments(task_vars):
            result["invocation"] = {"module_args": remove_values(params, secrets)}
        return _as_data(result)


def _as_data(result: dict[str, Any]) -> dict[str, Any]:
    """The result, marked as what is never a template. Since ansible-core 2.19 all is that isn't marked as one."""
    if hasattr(template, "trust_as_template"):
        return result
    marked: dict[str, Any] = importlib.import_module("ansible.utils.unsafe_proxy").wrap_var(result)
    return marked


def _shows_arguments(task_vars: dict[str, Any]) -> bool:
    """Whether the result has the arguments: by a setting since ansible-core 2.21, before it where they are printed.

    They are half of a result, and the controller copies each result several times.
    """
    if not hasattr(C, "INJECT_INVOCATION"):
        return display.verbosity >= 3
    return bool(C.config.get_config_value("INJECT_INVOCATION", variables=task_vars))


def secrets_in(argument_spec: dict[str, dict[str, Any]], arguments: Mapping[str, Any]) -> set[str]:
    """Values of the options marked no_log, however deep, as AnsibleModule collects them."""
    found: set[str] = set()
    for option, spec in argument_spec.items():
        value = arguments.get(option)
        if spec.get("no_log"):
            found |= _texts_in(value)
        for part in value if isinstance(value, list) else [value]:
            if spec.get("options") and isinstance(part, Mapping):
                found |= secrets_in(spec["options"], part)
    return found


def _texts_in(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        return set().union(*map(_texts_in, value.values()))
    if isinstance(value, list):
        return set().union(*map(_texts_in, value))
    return set() if value is None or value == "" or isinstance(value, bool) else {str(value)}
