# SPDX-License-Identifier: GPL-3.0-or-later
"""Who would be refused if a credential went."""

import pytest
from event_listener.credentials import needs
from event_listener.registry import Source, changes, plan, shown


def source(given=None, at=100, **fields):
    return Source(name="a", credential=given, credential_given_ns=at if given else None, **fields)


@pytest.mark.parametrize(
    ("known", "uses", "heard", "reason"),
    [
        (source("new"), {}, False, ""),
        (source("new"), {}, True, "not heard with it"),
        (source("new"), {"new": 50}, True, ""),  # heard between its creation and the record
        (source("new"), {"old": 90, "new": 110}, True, ""),
        (source("new"), {"old": 120, "new": 110}, False, "last sent with old"),  # a second subscription
        (source("old"), {}, False, "has old"),
        (source("old"), {"old": 120}, False, "last sent with old"),
        (source("old"), {"new": 120, "old": 110}, False, ""),  # somebody changed it by hand
        (source("old"), {"new": 90}, False, "has old"),
        (source(), {}, False, "nobody recorded"),
        (source(), {"new": 5}, False, ""),
        (source(), {"old": 5}, False, "last sent with old"),
        (source(state="retired"), {"old": 5}, True, ""),
    ],
)
def test_who_needs_what_goes(known, uses, heard, reason):
    found = needs([known], {"a": uses}, {"new"}, heard=heard)
    assert bool(found) is bool(reason)
    assert not found or reason in found[0].reason


def test_a_secret_path_is_no_credential():
    """A BMC that sends no header is refused by none of them."""
    secret = [{"id": "p", "networks": ["192.0.2.0/24"], "secret": "secret-" + "x" * 40}]
    known = plan({}, changes([{"name": "a", "path_secrets": secret}])).write[0]
    assert needs([known], {"a": {"path:p": 5}}, {"new"}) == []


def test_the_time_is_that_of_the_change():
    """Given again is no news; another one is; forgotten is forgotten."""
    first = plan({}, changes([{"name": "a", "credential": "old"}]), 1_000_000_000).write[0]
    assert shown(first)["credential_given"] == "1970-01-01T00:00:01.000000Z"
    again = plan({"a": first}, changes([{"name": "a", "credential": "old"}]), 2_000_000_000)
    assert again.unchanged == ["a"]
    second = plan({"a": first}, changes([{"name": "a", "credential": "new"}]), 3_000_000_000).write[0]
    assert (second.credential, second.credential_given_ns) == ("new", 3_000_000_000)
    forgotten = plan({"a": second}, changes([{"name": "a", "credential": None}]), 4_000_000_000).write[0]
    assert (forgotten.credential, forgotten.credential_given_ns) == (None, None)
