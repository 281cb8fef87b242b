# SPDX-License-Identifier: GPL-3.0-or-later
"""The message registries of the simulated BMCs: what errors and events are made of."""

from __future__ import annotations

from collections.abc import Mapping

from .dmtf_messages import BASE, HEARTBEAT_EVENT, RESOURCE_EVENT, TASK_EVENT
from .registry import Registry
from .vendor_messages import AMI, HUAWEI, IDRAC, ILO_EVENTS, LENOVO, OPENBMC, SUPERMICRO

_DMTF = (BASE, RESOURCE_EVENT, TASK_EVENT, HEARTBEAT_EVENT)
_VENDORS = (OPENBMC, IDRAC, ILO_EVENTS, LENOVO, AMI, SUPERMICRO, HUAWEI)
REGISTRIES: Mapping[str, Registry] = {registry.prefix: registry for registry in (*_DMTF, *_VENDORS)}
