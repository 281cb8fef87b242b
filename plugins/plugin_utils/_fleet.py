# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks make of the results of a whole fleet. Pure: plain data in, plain data out."""

from __future__ import annotations

import ipaddress
from datetime import datetime
from urllib.parse import urlsplit

from ansible_collections.redfleet.events.plugins.plugin_utils._report import differences

# The order in which the summary lists the verdicts: what needs attention comes last, next to the prompt.
VERDICTS = (
    "ok",
    "changed",
    "drifted",
    "delivered",
    "never sent",
    "not delivered",
    "not sent",
    "unsupported",
    "unreachable",
    "refused",
    "failed",
    "not reached",
)
GOOD = {"ok", "changed", "delivered"}
# The module's failure reasons (`reason`) whose verdict has a name of its own.
REASONS = {
    "unreachable": "unreachable",
    "tls": "unreachable",
    "unsupported": "unsupported",
    "credentials": "refused",
    "forbidden": "refused",
}


def verdict(result, audit=False):
    """Return (verdict, detail) of one BMC's task result; None means that the task never ran there."""
    if result is None:
        return "not reached", "the run ended before its turn"
    message = " ".join(str(result.get("msg", "")).split())
    if result.get("unreachable"):
        return "unreachable", message
    if result.get("failed"):
        return REASONS.get(result.get("reason"), "failed"), message
    if not result.get("changed"):
        return "ok", "; ".join(remarks(result))
    return ("drifted" if audit else "changed"), "; ".join([changes(result), *remarks(result)])


def remarks(result):
    """Return what the user has to know of a subscription that is as declared, as far as it can be."""
    told = []
    if result.get("unsupported"):
        told.append(f"without {', '.join(result['unsupported'])}, which the BMC does not know")
    if result.get("silent"):
        told.append(f"STAYS SILENT: {', '.join(result['silent'])}")
    if result.get("unverified"):
        told.append(f"{', '.join(result['unverified'])} can't be compared, since the BMC does not show it")
    if result.get("gap") is not None:
        told.append(f"{result['gap']:.2f} s without a subscription")
    return told


def changes(result):
    """Return what a result changed (or would change): the action and the names of the differing properties."""
    action = result.get("action") or "changed"
    if action != "patch" and action != "replace":
        return action
    names = [change["property"] for change in differences(result)]
    return f"{action}: {', '.join(names)}" if names else action


def report(rows):
    """Return the summary of rows (host, verdict, detail): lines to print, counts, and who is not as declared.

    Result: {"rows", "lines", "counts": {verdict: n}, "bad": [hosts], "refused": [hosts], "gaps": {host: beginning}}.
    """
    rows = sorted(rows, key=lambda row: (VERDICTS.index(row["verdict"]), row["host"]))
    counts = {name: sum(row["verdict"] == name for row in rows) for name in VERDICTS}
    counts = {name: count for name, count in counts.items() if count}
    width = max((len(row["host"]) for row in rows), default=0)
    column = max((len(row["verdict"]) for row in rows), default=0)
    lines = [f"{row['host']:<{width}}  {row['verdict']:<{column}}  {row['detail']}".rstrip() for row in rows]
    lines.append(", ".join(f"{count} {name}" for name, count in counts.items()))
    return {
        "rows": rows,
        "lines": lines,
        "counts": counts,
        "bad": [row["host"] for row in rows if row["verdict"] not in GOOD],
        "refused": [row["host"] for row in rows if row["verdict"] == "refused"],
        "gaps": {row["host"]: row["gap_began"] for row in rows if "gap_began" in row},
    }


def verdicts(results, audit=False, diffs=True):
    """Return the report of one task over the fleet; results is {host: task result or None}.

    diffs: whether the rows have what differs, which is most of a report.
    """
    rows = []
    for host, result in results.items():
        name, detail = verdict(result, audit)
        row = {"host": host, "verdict": name, "detail": detail}
        if diffs and name in ("changed", "drifted"):
            row["diff"] = differences(result)
        if result and result.get("gap_began"):
            row["gap_began"] = result["gap_began"]
        rows.append(row)
    return report(rows)


def joined(hosts, report_of):
    """Return the report of all hosts from those of their waves.

    report_of is called with a host and returns the report of its wave, in which the rest of the wave is, or None.
    """
    rows, seen = [], set()
    for host in hosts:
        if host not in seen:
            wave = report_of(host) or verdicts({host: None})
            rows.extend(wave["rows"])
            seen.update(row["host"] for row in wave["rows"])
    return report(rows)


def accepted(sent):
    """Return the hosts whose BMC took the request for a test event; sent is {host: submit_test_event result}."""
    return [host for host, result in sent.items() if result and not result.get("failed") and result.get("status")]


def proof(sent, arrived):
    """Return the report of a proof: sent is {host: submit_test_event result}, arrived listener_proof's result.

    Each row of a delivered event also has event_id, latency_s and matched.
    """
    found = {item["source"]: item for item in (arrived or {}).get("found", [])}
    offset = (arrived or {}).get("clock_offset_s") or 0.0
    rows = []
    for host, result in sent.items():
        name, detail = verdict(result)
        row = {"host": host, "verdict": name, "detail": detail}
        if name == "ok" and not result.get("status"):
            row.update(detail="would be asked for a test event")
        elif name == "ok" and host in found:
            row.update(delivery(found[host], result.get("sent_at"), offset))
        elif name == "ok":
            row.update(verdict="not delivered", detail="the BMC accepted the test event, the listener never saw it")
        elif name == "failed":
            row.update(verdict="not sent")
        rows.append(row)
    return report(rows)


def delivery(item, sent_at, offset):
    """Return the part of a proof's row that tells how the event arrived.

    sent_at is when the BMC was asked for it, by the controller's clock; offset the seconds by which the listener's is
    ahead of it.
    """
    seconds = latency(sent_at, item.get("received"), offset)
    after = "" if seconds is None else f" after {seconds:.2f} s"
    how = "" if item.get("matched") == "marker" else ", matched by its sequence (the BMC does not pass the marker on)"
    return {
        "verdict": "delivered",
        "detail": f"event {item.get('event_id') or '?'}{after}{how}",
        "event_id": item.get("event_id"),
        "latency_s": seconds,
        "matched": item.get("matched"),
    }


def latency(sent_at, received, offset=0.0):
    """Return the seconds between two RFC 3339 times by the second one's clock, None where one is unknown.

    offset: by how many seconds the second clock is ahead of the first. What it can't tell apart is 0, never negative.
    """
    if not sent_at or not received:
        return None
    return round(max(0.0, (moment(received) - moment(sent_at)).total_seconds() - offset), 3)


def clock_offset(asked, theirs, answered):
    """Return by how many seconds another clock is surely ahead of ours (behind, if negative).

    It showed theirs (RFC 3339) at some time between asked and answered by our clock. As long as that can be, the clocks
    are taken for equal: that is closer to the truth, on hosts with NTP, than any guess within the interval.
    """
    least, most = ((moment(theirs) - ours).total_seconds() for ours in (answered, asked))
    return round(min(max(0.0, least), most), 3)


def moment(text):
    """Return an RFC 3339 time as datetime. Raises ValueError."""
    return datetime.fromisoformat(str(text).replace("Z", "+00:00"))


def split_baseuri(baseuri):
    """Return (host, port) of a baseuri given as host, IPv6 address, host:port or URL; port is None when not given."""
    text = str(baseuri)
    if as_address(text):
        return as_address(text), None
    parts = urlsplit(text if "://" in text else f"//{text}")
    return parts.hostname or "", parts.port


def target(host, baseuri):
    """Return {"name", "address", "port"} of a BMC, for a TLS scan."""
    address, port = split_baseuri(baseuri)
    return {"name": host, "address": address, "port": port or 443}


def listener_connection(manage_bind, tokens):
    """Return the options url and token for the listener's modules; what isn't known is left to their defaults."""
    options = {}
    if manage_bind:
        host, _colon, port = str(manage_bind).rpartition(":")
        # A wildcard is no address to connect to.
        host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104  (compared, never bound)
        options["url"] = f"http://{host}:{port}"
    if tokens:
        options["token"] = tokens[0]["token"]
    return options


def as_address(text):
    """Return the canonical IP address in text, or None where it is a name."""
    try:
        return str(ipaddress.ip_address(str(text).strip("[]")))
    except ValueError:
        return None


def source(host, variables, result):
    """Return one source for the listener's registry, from the inventory and from what the BMC told of itself.

    variables may hold redfish_baseuri, ansible_host, event_domain and event_account (whose it is), and event_source
    (fields that the inventory wants to be so);
    result is the task result whose `service` has what was read. Fields that nobody knows are left out, so that the
    listener keeps what it has.
    """
    entry = {"name": host}
    candidates = (split_baseuri(variables.get("redfish_baseuri") or "")[0], variables.get("ansible_host"))
    address = next(filter(None, map(as_address, filter(None, candidates))), None)
    if address:
        entry["address"] = address
    service = (result or {}).get("service") or {}
    for field in ("uuid", "serial", "model", "firmware", "manufacturer"):
        if service.get(field):
            entry[field] = str(service[field])
    if (result or {}).get("credential") and not result.get("failed"):
        entry["credential"] = result["credential"]
    held = (result or {}).get("subscription") or {}
    if "SendHeartbeat" in held and not result.get("failed"):
        # What the BMC shows, not what was asked for: many can't.
        entry["heartbeat_minutes"] = int(held.get("HeartbeatIntervalMinutes") or 0) if held["SendHeartbeat"] else 0
    told = [str(service[name]) for name in ("vendor", "product", "redfish_version") if service.get(name)]
    if told:
        entry["service"] = " ".join(told)
    for field, name in (("domain", "event_domain"), ("account", "event_account")):
        if variables.get(name) is not None:
            entry[field] = str(variables[name])
    entry.update(variables.get("event_source") or {})
    return entry


def merge_pins(known, found, failures=None, replace=False):
    """Return {"pins": known fingerprints with the found ones merged in, "report": see report()}.

    A fingerprint that differs from the known one is taken over only when replace is true: a changed certificate is
    either a renewed one or somebody in between, and only a person can tell. failures is {host: why it didn't answer}.
    """
    pins = dict(known or {})
    rows = [{"host": host, "verdict": "unreachable", "detail": why} for host, why in (failures or {}).items()]
    for host, fingerprint in found.items():
        row = {"host": host, "verdict": "ok", "detail": ""}
        if host not in pins:
            row.update(verdict="changed", detail="pinned")
        elif _plain(pins[host]) != _plain(fingerprint) and replace:
            row.update(verdict="changed", detail=f"replaces {pins[host]}")
        elif _plain(pins[host]) != _plain(fingerprint):
            row.update(
                verdict="failed",
                detail=f"shows another certificate ({fingerprint}) than the known one. "
                "Find out why; then run again with -e pin_replace=true and --limit.",
            )
        rows.append(row)
        if row["verdict"] == "changed":
            pins[host] = fingerprint
    return {"pins": dict(sorted(pins.items())), "report": report(rows)}


def _plain(fingerprint):
    return str(fingerprint).lower().replace(":", "").removeprefix("sha256")


def log_sources(results):
    """Return what the listener is to look for: results is {host: log_entries_info result}."""
    return [
        {"source": host, "entries": result["entries"]}
        for host, result in results.items()
        if result and not result.get("failed") and result.get("entries")
    ]


def backfilled(results, outcome):
    """Return the report of a backfill; outcome is listener_backfill's result."""
    found = {item["source"]: item for item in (outcome or {}).get("sources", [])}
    rows = []
    for host, result in results.items():
        name, detail = verdict(result)
        if name == "ok":
            numbers = found.get(host) or {"entries": 0, "added": 0}
            name = "changed" if numbers["added"] else "ok"
            detail = f"{numbers['added']} of {numbers['entries']} entries were missing"
            unread = result.get("unread") or {}
            detail += f"; not read: {', '.join(unread)}" if unread else ""
        rows.append({"host": host, "verdict": name, "detail": detail})
    return report(rows)


def readings(results):
    """Return the message registries of the BMCs that could be read: results is {host: message_registries_info result}.

    A BMC without registries of its own is read, too: it needn't be asked again.
    """
    return [
        {"source": host, "registries": result["registries"]}
        for host, result in results.items()
        if result and not result.get("failed") and not result.get("unreachable")
    ]
