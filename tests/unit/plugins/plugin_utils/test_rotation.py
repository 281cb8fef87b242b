# SPDX-License-Identifier: GPL-3.0-or-later
"""How a rotation is reported."""

from ansible_collections.redfleet.events.plugins.plugin_utils import _fleet, _rotation

GIVEN = {"changed": True, "action": "patch", "credential": "new", "gap": None}


def known(name, credential, **heard):
    return {"name": name, "credential": credential, "credential_given": "2026-11-22T00:00:00Z", "heard_with": heard}


def test_each_bmc_is_told_apart():
    """Has it already, was given it, was given it with a gap, is dead, takes no headers, was never reached."""
    results = {
        "had": None,
        "given": GIVEN,
        "gap": {**GIVEN, "action": "replace", "gap": 0.5},
        "dead": {"failed": True, "reason": "unreachable", "msg": "no route"},
        "headless": {"changed": False, "credential": None},
        "late": None,
    }
    sources = [known("had", "new"), known("given", "new", new="x"), known("gap", "new"), known("dead", "old")]
    found = _rotation.rotation(results, sources, "new")
    verdicts = {row["host"]: row["verdict"] for row in found["rows"]}
    assert verdicts == {
        "had": "ok", "given": "changed", "gap": "changed", "dead": "unreachable", "headless": "unsupported",
        "late": "not reached",
    }  # fmt: skip
    details = {row["host"]: row["detail"] for row in found["rows"]}
    assert "since 2026" in details["had"]
    assert "0.50 s without" in details["gap"]
    assert "stays on old" in details["dead"]
    assert found["pending"] == ["dead", "headless", "late"]
    assert found["unheard"] == ["gap"]


def test_the_old_one_goes_when_nobody_needs_it():
    assert "Take old out" in _rotation.remaining([], "new", ["old"])[0]
    needs = [{"source": f"bmc{number}", "reason": "it has old"} for number in range(60)]
    lines = _rotation.remaining(needs, "new", ["old"])
    assert len(lines) == 52
    assert "60 sources still need old" in lines[-1]


def test_only_what_a_bmc_was_given_is_registered():
    assert _fleet.source("a", {}, GIVEN)["credential"] == "new"
    assert "credential" not in _fleet.source("a", {}, {"changed": False, "credential": None})
    assert "credential" not in _fleet.source("a", {}, {**GIVEN, "failed": True})
