# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be said about a source, and what a change does."""

import pytest
from event_listener import registry
from event_listener.policy import Owner
from event_listener.registry import Directory, InvalidSourceError, Source


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([{"name": "a"}, {"name": "a"}], "a is given twice"),
        ([{"name": "a/b"}], "a/b"),
        ([{"name": ""}], "1 to 128"),
        ([{"name": "x" * 129}], "1 to 128"),
        ([{"name": "a", "adress": "x"}], "adress"),
        ([{"name": "a", "state": "broken"}], "state"),
        ([{"name": "a", "response_status": 500}], "response_status"),
        ([{"name": "a", "labels": {"k": 1}}], "labels"),
        ([{"name": "a", "address": "../etc"}], "address"),
        ([{"name": "a", "address": "1.2.3.4\nHost IP:x"}], "address"),
        ([{}], "name"),
        ({"name": "a"}, "array"),
    ],
)
def test_what_is_refused(document, message):
    with pytest.raises(InvalidSourceError, match=message):
        registry.changes(document)


def test_only_given_fields_change():
    existing = {"a": Source(name="a", serial="1", model="M", labels={"x": "y"}, state="maintenance")}
    plan = registry.plan(existing, registry.changes([{"name": "a", "serial": None}, {"name": "b"}, {"name": "a2"}]))
    assert plan.updated == ["a"]
    assert plan.created == ["b", "a2"]
    assert plan.write[0] == Source(name="a", model="M", labels={"x": "y"}, state="maintenance")
    assert plan.diff[0].before["serial"] == "1"
    assert plan.diff[0].after["serial"] is None
    assert plan.diff[1].before is None


def test_nothing_new_is_unchanged():
    existing = {"a": Source(name="a", address="192.0.2.1")}
    plan = registry.plan(existing, registry.changes([{"name": "a", "address": "::ffff:192.0.2.1", "state": "active"}]))
    assert (plan.unchanged, plan.write, plan.diff) == (["a"], [], [])


def test_an_empty_directory_files_by_peer():
    assert Directory().identify(None, "192.0.2.1") == registry.Identity("192.0.2.1", "192.0.2.1")
    assert Directory().identify("x", "192.0.2.1") == registry.Identity("x", "192.0.2.1")


def test_a_source_belongs_to_a_domain_and_an_account():
    """Written in any of the usual ways, a domain is stored as a path; what nobody gave one is the root's."""
    plan = registry.plan(
        {}, registry.changes([{"name": "a", "address": "192.0.2.1", "domain": "dc1/row2", "account": "ops"}])
    )
    directory = Directory(plan.write)
    assert directory.identify("a", "192.0.2.9").owner == Owner("/dc1/row2/", "ops")
    assert directory.identify(None, "192.0.2.1").owner == Owner("/dc1/row2/", "ops")
    assert directory.identify("nobody", "192.0.2.9").owner == Owner("/", None)
    for wrong in ({"domain": "a//b"}, {"account": "a/b"}):
        with pytest.raises(InvalidSourceError, match="source a: "):
            registry.changes([{"name": "a", **wrong}])
