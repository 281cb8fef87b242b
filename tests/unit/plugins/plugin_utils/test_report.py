# SPDX-License-Identifier: GPL-3.0-or-later
"""The report: a document with everything, and a page that nothing from a BMC can break."""

from __future__ import annotations

import json
import re

import pytest
from ansible_collections.redfleet.events.plugins.plugin_utils import _fleet, _report, _report_page

HOSTILE = "</script><script>alert('1')</script><img src=x onerror=\"alert(2)\"> & 'x' \u2028"
DRIFT = {
    "changed": True,
    "action": "patch",
    "diff": {"before": {"Context": "a", "Protocol": "Redfish"}, "after": {"Context": HOSTILE, "Protocol": "Redfish"}},
}


def report(**results):
    return _fleet.verdicts(results, audit=True)


def document(found, kind="audit"):
    return _report.document(found, kind, "2026-11-22 07:00:00 UTC", found.get("sections") or ())


def test_the_document_has_the_diff_of_each_drifted_host():
    """What differs, and only that; as text, so that any value can be shown."""
    found = json.loads(_report.as_json(document(report(b1={"changed": False}, b2=DRIFT))))
    assert (found["format"], found["good"], found["counts"]) == (1, False, {"ok": 1, "drifted": 1})
    ok, drifted = found["hosts"]
    assert (ok["host"], ok["diff"]) == ("b1", [])
    assert drifted["diff"] == [
        {"property": "Context", "before": '"a"', "after": json.dumps(HOSTILE, ensure_ascii=False)}
    ]


def test_what_would_be_created_is_a_diff_too():
    """From nothing."""
    created = {"changed": True, "action": "create", "diff": [{"before": {}, "after": {"Context": "c"}}]}
    assert document(report(b1=created))["hosts"][0]["diff"] == [
        {"property": "Context", "before": "(none)", "after": '"c"'}
    ]


def test_nothing_from_a_bmc_becomes_markup():
    """Names, reasons, diffs and sections are text wherever they stand."""
    found = report(**{HOSTILE: {"failed": True, "msg": HOSTILE}, "b2": DRIFT})
    found["sections"] = [{"title": HOSTILE, "explanation": HOSTILE, "columns": [HOSTILE], "rows": [[HOSTILE]]}]
    page = _report_page.page(document(found))
    assert page.count("<script") == 1
    assert "<img" not in page
    # Outside of tags no angle bracket, in tags no attribute that isn't ours.
    body = page[page.index("<body>") : page.index("<script>")]
    names = set(re.findall(r"<[a-z0-9]+((?: [^<>]*?)?)>", body))
    assert not [attributes for attributes in names if re.search(r"\bon\w+=", re.sub(r'"[^"]*"', "", attributes))]


def test_the_page_allows_no_script_but_its_own():
    """By its hash: whatever slipped through would not run."""
    page = _report_page.page(document(report(b1={"changed": False})))
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in re.sub(r"http-equiv", "", page)


def test_every_verdict_has_its_look():
    """A verdict that is added must be drawn, in the same order."""
    assert tuple(_report_page.LOOKS) == _fleet.VERDICTS


def test_latency_is_summed_up():
    """Median and the slowest by name."""
    rows = [
        {"host": f"b{number}", "verdict": "delivered", "detail": "", "latency_s": number / 10} for number in (3, 1, 2)
    ]
    found = document(_fleet.report(rows), "verify")
    assert found["latency"] == {"median": 0.2, "slowest": 0.3, "host": "b3"}
    assert "slowest 0.30 s (b3)" in _report_page.page(found)


def test_an_empty_fleet_has_a_page():
    """No host is no crash."""
    assert "0 BMCs" in _report_page.page(document(report()))


@pytest.mark.parametrize(
    ("names", "expected"), [(["bmc10", "bmc2", "a"], ["a", "bmc2", "bmc10"]), (["1", "x1"], ["1", "x1"])]
)
def test_hosts_are_in_their_natural_order(names, expected):
    """As people number them."""
    assert sorted(names, key=_report_page.natural) == expected
