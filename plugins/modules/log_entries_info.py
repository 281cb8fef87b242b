#!/usr/bin/python
# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module log_entries_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: log_entries_info
short_description: Read what a BMC noted in its logs during a period
version_added: 0.1.0
description:
  - Reads the entries of the LogServices of a Redfish service (BMC), its managers, systems and chassis.
  - Redfish does not send events again that a listener missed; the logs are where they can still be found.
author:
  - redfleet.events contributors (@redfleet)
extends_documentation_fragment:
  - redfleet.events._redfish
  - redfleet.events._redfish.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  since:
    description:
      - Beginning of the period, as RFC 3339 (C(2026-11-22T02:54:34Z)), without a zone in UTC, or as an age such as
        V(90m), V(24h) or V(7d).
      - By the clock of the host that runs the task. Where the BMC shows another time, the period is moved accordingly.
    type: str
    required: true
  before:
    description: End of the period. Default is now.
    type: str
  logs:
    description:
      - Ids or URIs of the logs to read. By default all that are enabled, but those whose names tell that they hold no
        events, such as dumps, POST codes and audit logs.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: What happened during the night
  redfleet.events.log_entries_info:
    baseuri: 192.0.2.10
    username: admin
    password: "{{ bmc_password }}"
    since: "2026-11-22T00:00:00Z"
    before: "2026-11-22T06:00:00Z"
  register: night
"""

RETURN = r"""
entries:
  description: The LogEntry resources as the BMC shows them, log by log.
  returned: success
  type: list
  elements: dict
logs:
  description: URIs of the logs that were read.
  returned: success
  type: list
  elements: str
unread:
  description: Logs that could not be read, and why.
  returned: success
  type: dict
undated:
  description: Number of entries without a time that can be read; they are left out.
  returned: success
  type: int
clock_offset_s:
  description: By how many seconds the BMC's clock is ahead; null where it does not tell.
  returned: success
  type: float
requests:
  description: Number of HTTP requests sent to the BMC.
  returned: always
  type: int
msg:
  description: One sentence.
  returned: always
  type: str
reason:
  description: Why the task failed, in the words of M(redfleet.events.event_destination).
  returned: failure
  type: str
"""

import re
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._argspec import with_connection
from ansible_collections.redfleet.events.plugins.module_utils._errors import InvalidInputError, UnsupportedError
from ansible_collections.redfleet.events.plugins.module_utils._event_service import EventService
from ansible_collections.redfleet.events.plugins.module_utils._log_entries import moment, read_logs
from ansible_collections.redfleet.events.plugins.module_utils._module import serve

ARGUMENT_SPEC = with_connection(
    {
        "since": {"type": "str", "required": True},
        "before": {"type": "str"},
        "logs": {"type": "list", "elements": "str"},
    }
)
AGE = re.compile(r"(\d{1,6})([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def run(service: EventService, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:  # noqa: ARG001 (one form for all)
    """Read everything of the period; see RETURN."""
    since = time_of(params, "since")
    until = time_of(params, "before") if params["before"] else datetime.now(timezone.utc)
    reading = read_logs(service.client, since, until, params["logs"])
    if not reading.logs:
        unread = "; ".join(reading.unread.values())
        raise UnsupportedError(
            f"{service.where} shows no log to read. {unread}".strip(),
            "Check the option logs, and that its firmware has a LogService with Entries.",
        )
    return {
        "changed": False,
        "entries": reading.entries,
        "logs": reading.logs,
        "unread": reading.unread,
        "undated": reading.undated,
        "clock_offset_s": reading.clock_offset,
        "msg": f"{service.where} noted {len(reading.entries)} entries in {len(reading.logs)} logs.",
    }


def time_of(params: dict[str, Any], name: str) -> datetime:
    """An option as a moment.

    :raises InvalidInputError: when it is none.
    """
    age = AGE.fullmatch(params[name].strip())
    if age:
        return datetime.now(timezone.utc) - timedelta(**{UNITS[age.group(2)]: int(age.group(1))})
    found = moment(params[name].strip())
    if found is None:
        raise InvalidInputError(
            f"{name} {params[name]!r} is no time.", "Write it as 2026-11-22T02:54:34Z, or as an age such as 24h."
        )
    return found


def main() -> None:
    serve(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
