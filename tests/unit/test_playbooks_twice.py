# SPDX-License-Identifier: GPL-3.0-or-later
"""A playbook that changes something is run twice by a scenario, which asks that the second run changed nothing."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests" / "integration"
PLAYBOOKS = {path.stem for path in (ROOT / "playbooks").glob("*.yml")}
# The file and the function in it that run it twice.
TWICE = {
    "backfill": ("test_backfill.py", "test_after_an_outage_every_event_is_in_the_log_once"),
    "listener": ("hosts/test_role_firewall.py", "unchanged"),
    "listener_address": ("hosts/test_two_listeners.py", "shared_two"),
    "pin": ("test_playbooks.py", "test_pin_collects_keeps_and_reports"),
    "postgresql": ("hosts/test_two_listeners.py", "shared_two"),
    "reconcile": ("test_reconcile.py", "until_nothing_is_due"),
    "registries": ("test_message_registries.py", "test_subscribing_reads_what_the_listener_does_not_know"),
    "renew_certificates": ("hosts/test_role_certificates.py", "test_a_new_authority_while_bmcs_trust_both"),
    "repair": ("test_readiness.py", "test_the_playbooks_warn_and_repair"),
    "rotate_credentials": ("test_rotation.py", "test_a_fleet_is_rotated_while_it_sends"),
    "site": ("hosts/scenario/__main__.py", "deploy"),
    "subscribe": ("test_playbooks.py", "test_check_mode_first_then_twice"),
    "timer": ("hosts/test_timer.py", "test_the_timer_restores_what_an_outage_cost"),
    "trust": ("test_trust.py", "test_the_playbook_names_who_can_and_who_cannot"),
    "unsubscribe": ("test_playbooks.py", "test_unsubscribe_leaves_foreign_subscriptions"),
    "wheels": ("hosts/test_role_optional.py", "optional"),
}
# Nothing to find unchanged.
OTHERWISE = {
    "audit": "changes nothing the first time either",
    "backup": "each run is one more backup",
    "coverage": "changes nothing the first time either",
    "preflight": "changes nothing the first time either",
    "restore": "each run replaces the event log by a backup",
    "verify": "has every BMC send a test event, and changes nothing",
}
NOTHING_CHANGED = re.compile(
    r'changed\(\).*==.*0|recap\("changed"\).*==.*0|changed_tasks == \[\]|changed=(0|\[1-9\])|unchanged\(|"\d ok" in'
)


def test_every_playbook_is_known():
    """A new playbook says which scenario runs it twice, or why none does."""
    assert {*TWICE, *OTHERWISE} == PLAYBOOKS
    assert not {*TWICE} & {*OTHERWISE}


@pytest.mark.parametrize("playbook", sorted(TWICE))
def test_its_second_run_is_looked_at(playbook: str):
    """The scenario is there, and asks for it."""
    name, function = TWICE[playbook]
    text = (TESTS / name).read_text()
    (found,) = (
        ast.get_source_segment(text, node)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and node.name == function
    )
    assert found is not None
    assert NOTHING_CHANGED.search(found), found
