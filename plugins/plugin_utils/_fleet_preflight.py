# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a look at the destination, and at the BMCs' clocks, says about a fleet. Pure: plain data in, plain data out."""

from __future__ import annotations

import datetime

from ansible_collections.redfleet.events.plugins.module_utils import _preflight
from ansible_collections.redfleet.events.plugins.plugin_utils import _fleet

# Failures after which no delivery can arrive, whatever the BMC does; the others matter to BMCs that verify.
ALWAYS, VERIFYING = ("tls",), ("names", "dates")


def preflight(looked, subscriptions, clocks, now=None):
    """Return the report of a preflight, with `destinations`, lines on them, and `certain`, reasons not to subscribe.

    looked is destination_info's result, subscriptions {host: event_subscription}, clocks {host: event_service_info
    result or None where the BMC wasn't asked}.
    """
    now = now or datetime.datetime.now(datetime.timezone.utc)
    by_place = {_preflight.endpoint(item["destination"]): item for item in looked["destinations"]}
    rows, certain = [], {}
    for host, subscription in subscriptions.items():
        item = by_place[_preflight.endpoint(subscription["destination"])]
        verifies = subscription.get("verify_certificate")
        reasons = [f"{one['check']}: {one['detail']}" for one in item["checks"] if _is_certain(one, verifies)]
        certain.update(dict.fromkeys(f"{item['destination']}: {reason}" for reason in reasons))
        rows.append({"host": host, **_row(item, verifies, clocks.get(host), reasons, now)})
    lines = [
        f"{item['destination']}  {one['check']:<5}  {one['verdict']:<7}  {one['detail']}"
        for item in looked["destinations"]
        for one in item["checks"]
    ]
    return {**_fleet.report(rows), "destinations": lines, "certain": list(certain)}


def _is_certain(one, verifies):
    return one["verdict"] == _preflight.FAILED and (one["check"] in ALWAYS or (verifies and one["check"] in VERIFYING))


def _row(item, verifies, asked, reasons, now):
    """Return verdict and detail of one BMC."""
    name, detail = _fleet.verdict(asked) if asked else ("ok", "")
    if name != "ok":
        return {"verdict": name, "detail": detail}
    offset = ((asked or {}).get("clock") or {}).get("offset")
    if reasons:
        return {"verdict": "failed", "detail": "; ".join(reasons)}
    told = [_clock(item, offset, now, verifies)] if asked else []
    open_questions = [one["check"] for one in item["checks"] if one["verdict"] != _preflight.OK]
    told += [f"not certain: {', '.join(open_questions)}, and the BMC's own DNS and routes"]
    bad = any(text.startswith("its clock is wrong") for text in told)
    return {"verdict": "failed" if bad and verifies else "ok", "detail": "; ".join(told)}


def _clock(item, offset, now, verifies):
    if offset is None:
        return "its clock is unknown"
    if not item["not_before"]:
        return f"its clock is {offset:+d} s off"
    there = now + datetime.timedelta(seconds=offset)
    one = _preflight.dates(item["not_before"], item["not_after"], there, "its clock")
    if one["verdict"] == _preflight.OK:
        return f"its clock is {offset:+d} s off"
    harm = "" if verifies else " (harmless unless it verifies)"
    return f"its clock is wrong: {one['detail']}{harm}"
