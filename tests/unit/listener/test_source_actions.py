# SPDX-License-Identifier: GPL-3.0-or-later
"""Each change of a registered source is an ActionEvent of its owner: who did it, from where, and what it was before."""

import pytest
from event_listener import path_secret, registry
from event_listener.policy import Reach, Scope
from event_listener.store import Actor, Query

ADA = Actor("ada", "192.0.2.9")


def change(store, *wanted, actor=ADA, **options):
    return store.sources.upsert(registry.changes(list(wanted)), actor=actor, **options)


def told(store, **conditions):
    """Type, source and details of what was told, oldest first; domains aside."""
    asked = Query(category=("ActionEvent",), resource_type=("Source",), order="asc", **conditions)
    return [
        (event.type, event.resource_id, event.record["Oem"]["redfleet"]) for event in store.queries.find(asked).events
    ]


def by(**more):
    return {"actor": "ada", "from": "192.0.2.9", **more}


def test_each_change_is_told_once(emptied):
    change(emptied, {"name": "bmc1", "address": "192.0.2.1"}, {"name": "bmc2"})
    change(emptied, {"name": "bmc1", "address": "192.0.2.1"}, {"name": "bmc2", "state": "retired"})
    assert emptied.sources.delete("bmc1", ADA)
    assert not emptied.sources.delete("bmc1", ADA)
    assert told(emptied) == [
        ("SOURCE.CREATE", "bmc1", by()),
        ("SOURCE.CREATE", "bmc2", by()),
        ("SOURCE.UPDATE", "bmc2", by(changed={"state": {"before": "active", "after": "retired"}})),
        ("SOURCE.DELETE", "bmc1", by()),
    ]


def test_what_changes_nothing_is_not_told(emptied):
    """Neither a look, nor what is so already, nor what is refused, nor what the listener does itself."""
    change(emptied, {"name": "bmc1"}, check=True)
    change(emptied, {"name": "bmc2"}, actor=None)
    change(emptied, {"name": "bmc2"})
    secret = {"id": "a", "networks": ["192.0.2.0/24"]}
    with pytest.raises(registry.InvalidSourceError, match="isn't registered"):
        change(emptied, {"name": "bmc3"}, {"name": "bmc4", "path_secrets": [secret]})
    assert told(emptied) == []


def test_it_belongs_to_the_owner_of_the_source(emptied):
    change(emptied, {"name": "bmc1", "domain": "/a/"}, {"name": "bmc2", "domain": "/b/"})
    emptied.sources.delete("bmc1", ADA)
    mine = [(kind, name) for kind, name, _details in told(emptied, scope=Scope(Reach.SUBTREE, "/a/"))]
    assert mine == [("SOURCE.CREATE", "bmc1"), ("SOURCE.DELETE", "bmc1")]


def test_a_path_secret_is_told_of_and_never_shown(emptied):
    """Made, and revoked: by its id and fingerprint."""
    secret = path_secret.generate()
    given = {"id": "2026", "networks": ["192.0.2.0/24"]}
    change(emptied, {"name": "bmc1"})
    change(emptied, {"name": "bmc1", "path_secrets": [{**given, "secret": secret}]})
    change(emptied, {"name": "bmc1", "path_secrets": []})
    _created, made, revoked = (details for _kind, _name, details in told(emptied))
    shown = {**given, "fingerprint": path_secret.digest(secret)[:12]}
    assert made["changed"] == {"path_secrets": {"before": [], "after": [shown]}}
    assert revoked["changed"] == {"path_secrets": {"before": [shown], "after": []}}
    assert secret not in str(made)
    assert path_secret.digest(secret) not in str(made)


def test_a_fleet_is_registered_at_once(emptied):
    """More than a statement has parameters."""
    change(emptied, *({"name": f"bmc{number}"} for number in range(2500)))
    asked = Query(category=("ActionEvent",), type=("SOURCE.CREATE",))
    assert emptied.queries.total(asked) == 2500
