# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the fleet is with a new credential. Pure: plain data in, plain data out."""

from __future__ import annotations

from ansible_collections.redfleet.events.plugins.plugin_utils import _fleet

UNREAD = "the BMC takes no HttpHeaders, so there is nothing to rotate; see the listener's secret paths"


def rotation(results, sources, credential):
    """Return the report of a rotation to the credential of this name, with who is left.

    results is {host: event_destination result, or None where the run didn't touch it}, sources what the listener knows
    (listener_source_info). Beyond report(): `pending`, hosts that are not recorded with it; `unheard`, hosts that this
    run gave it to and that the listener did not hear with it.
    """
    known = {source["name"]: source for source in sources}
    rows, pending, unheard = [], [], []
    for host, result in results.items():
        source = known.get(host) or {}
        recorded = source.get("credential") == credential
        if not recorded:
            pending.append(host)
        row = _row(host, result, source, credential, recorded)
        rows.append(row)
        given = result is not None and row["verdict"] in _fleet.GOOD
        if given and credential not in (source.get("heard_with") or {}):
            unheard.append(host)
            row["detail"] = "; ".join(filter(None, [row["detail"], "not heard with it yet"]))
    return {**_fleet.report(rows), "pending": pending, "unheard": unheard}


def _row(host, result, source, credential, recorded):
    if result is None and recorded:
        return {"host": host, "verdict": "ok", "detail": f"has {credential} since {source.get('credential_given')}"}
    name, detail = _fleet.verdict(result)
    if name not in _fleet.GOOD:
        stays = source.get("credential") or "what it had"
        return {"host": host, "verdict": name, "detail": f"stays on {stays}: {detail}"}
    if result.get("credential") != credential:
        return {"host": host, "verdict": "unsupported", "detail": UNREAD}
    if result.get("gap"):
        detail = f"{detail}; {result['gap']:.2f} s without a subscription"
    return {"host": host, "verdict": name, "detail": detail}


def remaining(needs, credential, others):
    """Return lines that say whether the other credentials may go: needs as listener_source_info returns them."""
    names = ", ".join(others)
    if not needs:
        return [
            f"Every source has {credential}. Take {names} out of event_listener_credentials and deploy the listeners."
        ]
    lines = [f"{need['source']}: {need['reason']}" for need in needs[:50]]
    more = [f"and {len(needs) - 50} more"] if len(needs) > 50 else []
    return [*lines, *more, f"{len(needs)} sources still need {names}. Run this again when they can be reached."]
