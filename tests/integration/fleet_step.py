# SPDX-License-Identifier: GPL-3.0-or-later
"""One step of event_destination on a simulated BMC, as both adapters run it, without Ansible around it."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.redfleet.events.plugins.module_utils._task import perform
from ansible_collections.redfleet.events.plugins.modules.event_destination import ARGUMENT_SPEC, run
from redfish_simulator.client import BmcHandle

MINE = "https://127.0.0.1:9/events/bmc"
LOSSES = {"default": "drop"}


def reconcile(bmc: BmcHandle, check_mode: bool = False, **declared: Any) -> dict[str, Any]:
    """One run of event_destination, as both adapters call it."""
    options = {
        "baseuri": bmc.baseuri,
        "username": bmc.username,
        "password": bmc.password,
        "login_type": bmc.login_type,
        "tls_fingerprint": bmc.tls_fingerprint,
        "destination": MINE,
        "on_unsupported": LOSSES,
        "identify": "never",
        **declared,
    }
    validated = ArgumentSpecValidator(ARGUMENT_SPEC).validate(options)
    assert validated.error_messages == []
    result = perform(run, validated.validated_parameters, check_mode, {bmc.password})
    assert not result.get("failed"), f"{bmc.vendor}: {result['msg']}"
    return result
