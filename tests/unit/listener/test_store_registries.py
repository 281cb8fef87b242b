# SPDX-License-Identifier: GPL-3.0-or-later
"""Message registries in the store: kept once, bounded."""

import pytest
from event_listener import registry
from event_listener.message_registry import parse
from event_listener.store import RegistriesFullError

REGISTRY = {"registry": "R", "version": "1.0.0", "owner": "DMTF", "messages": {"A": {"message": "x" * 500}}}


def registries(store, *documents, limit=1 << 20, **options):
    options = {"origin": "bmc1", **options}
    return store.message_registries.put([parse(one) for one in documents], limit=limit, **options)


def register(store, **models):
    store.sources.upsert(registry.changes([{"name": name, "model": model} for name, model in models.items()]))


def test_message_registries_are_kept_once(store):
    """The same content is stored once; each make knows its own; a change is told to the relays."""
    before = store.versions()
    register(store, bmc1="m1", bmc2="m2", bmc3="m1")
    asked = store.message_registries.unread(["bmc1", "bmc2", "bmc3", "bmc4"])
    assert sorted(asked.values()) == ["m1", "m2"], "one BMC of each make"
    assert registries(store, REGISTRY, make="m1", check=True).changed
    assert store.message_registries.list() == []
    assert len(registries(store, REGISTRY, make="m1").added) == 1
    assert store.versions() == (before[0] + 1, before[1] + 1)
    assert not registries(store, REGISTRY, make="m1").changed
    assert registries(store, REGISTRY, make="m2").changed, "the make is news"
    [kept] = store.message_registries.list()
    assert (kept.registry, kept.owner, kept.messages, kept.makes) == ("R", "DMTF", 1, ["m1", "m2"])
    assert store.message_registries.get(kept.digest) == parse(REGISTRY)
    assert store.message_registries.unread(["bmc1", "bmc2"]) == {}
    assert store.message_registries.unread(["bmc2", "bmc3"], again=True) == {"bmc2": "m2", "bmc3": "m1"}
    assert store.message_registries.catalogue().find("m1", "R.1.0.A").message == "x" * 500
    assert store.message_registries.remove("R", "2.0.0") == 0
    assert store.message_registries.remove("R") == 1
    assert store.message_registries.unread(["bmc1"]) == {"bmc1": "m1"}, "what lacks one is read again"


def test_message_registries_are_bounded(store):
    """What no registered make has gives way, imports last; where that isn't enough, nothing is changed."""
    register(store, bmc1="m1")
    used, spare, own = ({**REGISTRY, "registry": name} for name in ("Used", "Spare", "Own"))
    registries(store, own, origin="import", limit=1800)
    registries(store, used, make="m1", limit=1800)
    registries(store, spare, make="gone", limit=1800)
    assert len(registries(store, REGISTRY, limit=1800).removed) == 1
    assert [one.registry for one in store.message_registries.list()] == ["Own", "R", "Used"]
    with pytest.raises(RegistriesFullError, match="registries_max_bytes"):
        registries(store, *({**REGISTRY, "registry": f"More{n}"} for n in range(3)), limit=1800)
    assert [one.registry for one in store.message_registries.list()] == ["Own", "R", "Used"]
