# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a playbook's run as a document that is written as JSON, and of which the page is made. Pure."""

from __future__ import annotations

import json

FORMAT = 1  # rises when a field is renamed or removed
KINDS = {
    "verify": (
        "Proof: which BMCs' events arrive",
        "Every BMC was asked for a test event, and the listener was asked which of them arrived.",
    ),
    "audit": (
        "Audit: which BMCs hold what is declared",
        "The subscription of every BMC was compared with the one that the inventory declares. Nothing was changed.",
    ),
    "coverage": (
        "Coverage: who sends, who doesn't, and to whom",
        "The inventory, the subscriptions that the BMCs hold, and the senders that the listener heard.",
    ),
    "reconcile": (
        "Repair: what was restored",
        "BMCs that were due: their subscriptions restored, what was missed backfilled, their events proven.",
    ),
}
_FIELDS = ("event_id", "latency_s", "matched")


def document(report, kind, generated, sections=()):
    """Return the document of a report (see _fleet.report); generated is a time as text.

    Result: {"format", "kind", "title", "explanation", "generated", "good", "counts": {verdict: number of hosts},
    "latency": {"median", "slowest", "host"} or null,
    "hosts": [{"host", "verdict", "detail", "diff": [{"property", "before", "after"}], "event_id", "latency_s",
    "matched"}],
    "sections": [{"title", "explanation", "columns", "rows"}]}. What needs attention comes last, as on the terminal.
    """
    title, explanation = KINDS[kind]
    hosts = [
        {
            "host": row["host"],
            "verdict": row["verdict"],
            "detail": row["detail"],
            "diff": list(row.get("diff") or []),
            **{name: row.get(name) for name in _FIELDS},
        }
        for row in report["rows"]
    ]
    return {
        "format": FORMAT,
        "kind": kind,
        "title": title,
        "explanation": explanation,
        "generated": generated,
        "good": not report["bad"],
        "counts": report["counts"],
        "latency": latency(hosts),
        "hosts": hosts,
        "sections": list(sections),
    }


def latency(hosts):
    """Return median and slowest of the hosts' latencies, None where there are none."""
    known = sorted((row["latency_s"], row["host"]) for row in hosts if row["latency_s"] is not None)
    if not known:
        return None
    return {"median": known[len(known) // 2][0], "slowest": known[-1][0], "host": known[-1][1]}


def as_json(found):
    """Return the document as text."""
    return json.dumps(found, indent=2, ensure_ascii=False, default=str) + "\n"


def differences(result):
    """Return what a task's diff shows: [{"property", "before", "after"}], values as text."""
    diff = result.get("diff") or {}
    if not diff and result.get("action") == "create":
        diff = {"before": {}, "after": result.get("subscription")}  # outside of diff mode it is said once
    diff = diff[0] if isinstance(diff, list) and diff else diff
    sides = [diff.get(side) if isinstance(diff, dict) else None for side in ("before", "after")]
    before, after = (side if isinstance(side, dict) else {} for side in sides)
    return [
        {"property": name, "before": _shown(before, name), "after": _shown(after, name)}
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def _shown(side, name):
    return json.dumps(side[name], sort_keys=True, ensure_ascii=False, default=str) if name in side else "(none)"
