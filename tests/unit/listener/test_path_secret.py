# SPDX-License-Identifier: GPL-3.0-or-later
"""Secret paths: unguessable, bound to networks, kept as digests, revoked one by one."""

from __future__ import annotations

import msgspec
import pytest
from event_listener import path_secret, registry
from event_listener.path_secret import PathSecret
from event_listener.registry import InvalidSourceError

SECRET = "secret-" + "a" * 43


def entry(secret: str = SECRET, **options: object) -> dict:
    return {"id": "x", "networks": ["192.0.2.0/24"], "secret": secret} | options


def registered(*entries: dict) -> registry.Source:
    return registry.plan({}, registry.changes([{"name": "a", "path_secrets": list(entries)}])).write[0]


def test_generated_secrets_differ_and_have_the_form():
    made = {path_secret.generate() for _ in range(100)}
    assert len(made) == 100
    assert all(path_secret.is_one(one) for one in made)


@pytest.mark.parametrize("text", ["", "secret-", "secret-short", "a" * 50, SECRET + "/", SECRET + "\n", SECRET + "é"])
def test_what_is_no_secret(text: str):
    assert not path_secret.is_one(text)


def test_a_secret_is_valid_from_its_networks_only():
    known = registered(
        entry(), entry("secret-" + "b" * 40, id="y", networks=["2001:db8::/32", "10.0.0.1"])
    ).path_secrets
    assert path_secret.match(known, SECRET, "192.0.2.7") == "x"
    assert path_secret.match(known, SECRET, "10.0.0.1") == ""
    assert path_secret.match(known, "secret-" + "b" * 40, "10.0.0.1") == "y"
    assert path_secret.match(known, "secret-" + "b" * 40, "2001:db8::1") == "y"
    assert path_secret.match(known, "secret-" + "c" * 43, "192.0.2.7") == ""
    assert path_secret.match(known, SECRET, "unix") == ""
    assert path_secret.match((), SECRET, "192.0.2.7") == ""


@pytest.mark.parametrize(
    "wrong",
    [
        [entry(networks=[])],
        [entry(networks=["unix"])],
        [entry(networks=["everywhere"])],
        [entry("secret-tooshort")],
        [entry("x" * 50)],
        [entry(id="a/b")],
        [entry(), entry()],
        [{"id": "x"}],
    ],
)
def test_what_is_refused(wrong: list):
    """Without quoting what might be a secret."""
    with pytest.raises(InvalidSourceError) as caught:
        registry.changes([{"name": "a", "path_secrets": wrong}])
    assert "tooshort" not in str(caught.value)


def test_one_is_revoked_and_one_stays_without_its_secret():
    before = registered(entry(), entry("secret-" + "b" * 40, id="y"))
    change = [{"name": "a", "path_secrets": [{"id": "y", "networks": ["192.0.2.0/24"]}]}]
    after = registry.plan({"a": before}, registry.changes(change)).write[0]
    assert after.path_secrets == [before.path_secrets[1]]
    assert registry.plan({"a": after}, registry.changes(change)).unchanged == ["a"]
    with pytest.raises(InvalidSourceError, match="give its secret"):
        registry.plan({}, registry.changes(change))


def test_neither_secret_nor_digest_is_shown():
    """But that it was replaced can be seen."""
    before = registered(entry())
    change = registry.changes([{"name": "a", "path_secrets": [entry("secret-" + "b" * 40)]}])
    (difference,) = registry.plan({"a": before}, change).diff
    seen = str(msgspec.to_builtins(difference))
    assert SECRET not in seen
    assert before.path_secrets[0].digest not in seen
    assert difference.before != difference.after


def test_only_a_digest_is_kept():
    assert registered(entry()).path_secrets == [
        PathSecret(id="x", digest=path_secret.digest(SECRET), networks=["192.0.2.0/24"])
    ]
