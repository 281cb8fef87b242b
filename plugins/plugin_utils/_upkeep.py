# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is due in a fleet's upkeep, and what was done. Pure: plain data in, plain data out.

`plan` is {"until": time, "hosts": {name: {"start": time, "gap": bool, "prove": bool}}}: the hosts that are due, from
when on their events may be incomplete, whether they are known to be, and whether they are to be proven.
"""

from __future__ import annotations

import re
from datetime import timedelta

from ansible_collections.redfleet.events.plugins.plugin_utils import _fleet
from ansible_collections.redfleet.events.plugins.plugin_utils._fleet import moment

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
DEFAULTS = {
    "every": "1h",
    "settle": "3m",
    "outage": "60s",
    "look_back": "7d",
    "prove_every": "7d",
    "prove_at_most": 20,
}
# An action of event_destination after which the BMC holds a subscription that it had lost.
RESTORED = {"create", "replace"}
# Ends of a period may differ by this much between the clocks of listener and controller; what is known isn't doubled.
MARGIN = timedelta(seconds=60)


def age(text):
    """Return an age such as 90s, 5m, 2h, 7d as timedelta. Raises ValueError."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", str(text).strip())
    if not found:
        raise ValueError(f"{text!r} is no age: give a number and s, m, h or d, such as 5m")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def plan(hosts, known, settings):
    """Return the plan for these hosts; known is listener_upkeep's result, settings as DEFAULTS. Raises ValueError."""
    wanted = {**DEFAULTS, **settings}
    ages = {name: age(wanted[name]) for name in ("every", "settle", "outage", "look_back", "prove_every")}
    now = moment(known["now"])
    ended = [moment(one["ended"]) for one in known["outages"] if one["seconds"] >= ages["outage"].total_seconds()]
    due = {}
    for host in hosts:
        source = known["known"].get(host) or {}
        complete = moment(source.get("complete") or source.get("registered") or known["now"])
        repaired = bool(source.get("repaired")) and moment(source["repaired"]) >= complete
        gap = repaired or any(end > complete for end in ended)
        if _is_due(source, gap, now - ages["every"]):
            start = max(complete - MARGIN, now - ages["look_back"])
            due[host] = {"start": start.isoformat(), "gap": gap, "prove": False}
    for host in _unproven(hosts, known["known"], now, ages)[: int(wanted["prove_at_most"])]:
        start = (now - ages["settle"]).isoformat()
        due.setdefault(host, {"start": start, "gap": False, "prove": False})["prove"] = True
    return {"until": (now - ages["settle"]).isoformat(), "hosts": due}


def _is_due(source, gap, latest):
    """Whether a BMC is to be checked: its turn, or something is known to be wrong.

    One that refused the credentials waits for its turn: asked every few minutes it would lock the account.
    """
    turn = not source.get("checked") or moment(source["checked"]) <= latest
    wrong = gap or (source.get("verdict") or "ok") not in _fleet.GOOD
    return turn or (wrong and source.get("verdict") != "refused")


def _unproven(hosts, known, now, ages):
    """The hosts whose last proof is too old and that weren't asked of late, those longest without first."""
    found = []
    for host in hosts:
        source = known.get(host) or {}
        proven, asked = source.get("last_proven"), source.get("last_asked")
        is_old = not proven or now - moment(proven) >= ages["prove_every"]
        if source and is_old and (not asked or now - moment(asked) >= ages["every"]):
            found.append((proven or "", host))
    return [host for _proven, host in sorted(found)]


def is_restored(result):
    """Whether a subscription was restored, by event_destination's result."""
    return bool(result and not result.get("failed") and result.get("changed") and result.get("action") in RESTORED)


def checked(plan_, subscriptions):
    """Return what to tell the listener after the check: subscriptions is {host: event_destination's result}."""
    return [
        {
            "name": host,
            "verdict": _fleet.verdict(subscriptions.get(host))[0],
            "repaired": is_restored(subscriptions.get(host)),
        }
        for host in plan_["hosts"]
        if subscriptions.get(host) is not None
    ]


def incomplete(plan_, subscriptions):
    """Return the hosts whose logs are to be read: a gap, and a BMC that can be asked."""
    until = moment(plan_["until"])
    return [
        host
        for host, one in plan_["hosts"].items()
        if _holds(subscriptions.get(host))
        and (one["gap"] or is_restored(subscriptions[host]))
        and moment(one["start"]) < until
    ]


def to_prove(plan_, subscriptions):
    """Return the hosts to prove: those whose turn it is, and those that were just restored."""
    return [
        host
        for host, one in plan_["hosts"].items()
        if _holds(subscriptions.get(host)) and (one["prove"] or is_restored(subscriptions[host]))
    ]


def complete(plan_, subscriptions, logs):
    """Return what to tell the listener in the end: whose events are complete until when. logs: log_entries_info's."""
    missed = set(incomplete(plan_, subscriptions))
    return [
        {"name": host, "complete": plan_["until"]}
        for host in plan_["hosts"]
        if _holds(subscriptions.get(host)) and (host not in missed or _was_read(logs.get(host)))
    ]


def _holds(result):
    return bool(result) and not result.get("failed") and not result.get("unreachable")


def _was_read(result):
    """A BMC that has no log can't be asked what was missed, and asking again would help nobody."""
    return _holds(result) or bool(result and result.get("reason") == "unsupported")


def outcome(plan_, results, backfill, arrivals):
    """Return the report of a run: results is {"subscription", "logs", "proof": {host: result}}, the rest as registered.

    A host that is restored, backfilled or proven says all of it in one line; the worst of them is its verdict.
    """
    proofs = {row["host"]: row for row in _fleet.proof(_known(results["proof"]), arrivals)["rows"]}
    filled = {row["host"]: row for row in _fleet.backfilled(_known(results["logs"]), backfill)["rows"]}
    rows = []
    for host in plan_["hosts"]:
        name, detail = _fleet.verdict(results["subscription"].get(host))
        steps = [{"verdict": name, "detail": detail}]
        steps += [found[host] for found in (filled, proofs) if host in found]
        worst = max(steps, key=lambda step: _fleet.VERDICTS.index(step["verdict"]))
        if worst["verdict"] in _fleet.GOOD:
            worst = next((step for step in steps if step["verdict"] == "changed"), steps[0])
        row = {
            "host": host,
            "verdict": worst["verdict"],
            "detail": "; ".join(filter(None, (s["detail"] for s in steps))),
        }
        row.update({name: value for name, value in proofs.get(host, {}).items() if name not in row})
        rows.append(row)
    return _fleet.report(rows)


def _known(results):
    """Without the hosts on which the task was skipped or never ran."""
    return {host: result for host, result in results.items() if result and not result.get("skipped")}
