# SPDX-License-Identifier: GPL-3.0-or-later
"""One file of settings: what is wrong in it is said in a sentence that names the key, what is allowed, and the file."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from event_listener import config_file
from event_listener.settings import Settings
from event_listener.settings_reference import render
from event_listener.settings_types import description, struct_in

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("ingest: {wokers: 2}", "/x.yml: ingest.wokers is not a setting; did you mean ingest.workers?"),
        ("manage: {zzzzzz: 2}", "/x.yml: manage.zzzzzz is not a setting; allowed here: bind, "),
        (
            "ingest: {workers: many}",
            "/x.yml: ingest.workers: expected `int`, got `str` (1 to 64). It is: Worker processes",
        ),
        ("ingest: {workers: 65}", "/x.yml: ingest.workers: expected `int` <= 64 (1 to 64)"),
        ("ingest: {tls: {min_version: '1.0'}}", "/x.yml: ingest.tls.min_version: "),
        ("ingest: {credentials: [{name: a, username: b}]}", "ingest.credentials[0]: give username and password"),
        ("ingest: {credentials: [{name: a, token: {env: A, file: B}}]}", "give exactly one of file, env, credential"),
        ("ingest: {credentials: [{name: a, username: 'b:c', password: {env: A}}]}", "can't hold a colon"),
        ("ingest: {sites: [{name: a, username: b}]}", "ingest.sites[0]: give username and password"),
        ("ingest: {sites: [{name: a, username: 'b:c', password: {env: A}}]}", "can't hold a colon"),
        ("manage: {tokens: [{token: {env: A}}]}", "/x.yml: manage.tokens[0].name is required"),
        ("manage: {tokens: [{nam: x}]}", "manage.tokens[0].nam is not a setting; did you mean manage.tokens[0].name?"),
        ("state_dir: /a\nstate_dir: /b", "/x.yml: not valid YAML: the key state_dir is given twice (line 2, column 1)"),
        ("ingest: [", "/x.yml: not valid YAML: "),
        ("- 1", "/x.yml: the file: expected `object`, got `array`"),
        ("ingest: {max_body: 99999999}", "ingest.quarantine_max_body must be at least ingest.max_body (99999999)"),
        ("ingest: {response_status: 203}", "ingest.response_status must be 200, 201, 202 or 204"),
        (
            "ingest: {allowed_networks: [lan]}",
            "ingest.allowed_networks: 'lan' does not appear to be an IPv4 or IPv6 network",
        ),
        ("event_log: {url: 'mysql://db/events'}", "/x.yml: event_log: the URL begins with postgresql://"),
        ("event_log: {url: 'postgresql://a:b@db/events'}", "event_log: a password is never written into the URL"),
        ("event_log: {url: 'postgresql://db/events?password=b'}", "a password is never written into the URL"),
        ("manage: {tokens: [{name: a, token: {env: A}}, {name: a, token: {env: B}}]}", "the name a is given twice"),
    ],
)
def test_a_mistake_is_one_sentence(text: str, sentence: str):
    """Key, what is allowed, file."""
    with pytest.raises(config_file.ConfigError) as caught:
        config_file.parse(text, "/x.yml")
    assert sentence in str(caught.value)


def test_a_secret_in_the_file_is_refused_and_not_repeated():
    """A password in plain text is a mistake, and the message doesn't spread it."""
    with pytest.raises(config_file.ConfigError, match="refer to it by") as caught:
        config_file.parse("ingest: {credentials: [{name: a, username: b, password: hunter2}]}", "/x.yml")
    assert "hunter2" not in str(caught.value)


def test_all_unknown_keys_are_named_at_once():
    """Who mistypes two keys reads of both."""
    with pytest.raises(config_file.ConfigError) as caught:
        config_file.parse("ingest: {a: 1, b: 2}\nc: 3", "/x.yml")
    assert len(caught.value.problems) == 3


def test_an_empty_file_is_all_defaults():
    """Every setting has a default."""
    assert config_file.parse("", "/x.yml") == Settings()


def test_a_missing_file_says_what_to_do(tmp_path: Path):
    """No trace, but the way out."""
    with pytest.raises(
        config_file.ConfigError, match=r"can't be read: No such file or directory; give another file with --config"
    ):
        config_file.load(tmp_path / "none.yml")


def test_ids_and_flags_keep_their_types():
    """YAML's `port: 1` is no text, `plain_http: yes` is true, and nothing is guessed."""
    assert config_file.parse("ingest: {plain_http: yes}").ingest.plain_http is True
    with pytest.raises(config_file.ConfigError, match=r"ingest\.plain_http: expected `bool`, got `str`"):
        config_file.parse("ingest: {plain_http: 'yes'}")


def _structs(struct: type[msgspec.Struct]):
    yield struct
    for item in msgspec.structs.fields(struct):
        inner, _ = struct_in(item.type)
        if inner is not None:
            yield from _structs(inner)


@pytest.mark.parametrize("struct", sorted(set(_structs(Settings)), key=lambda item: item.__name__))
def test_every_setting_is_described_and_unknown_keys_forbidden(struct: type[msgspec.Struct]):
    """The reference page has no empty cell."""
    assert struct.__struct_config__.forbid_unknown_fields
    assert [item.name for item in msgspec.structs.fields(struct) if not description(item.type)] == []


def test_the_reference_page_is_current():
    """docs/settings.md is what `event-listener settings` prints."""
    assert (ROOT / "docs" / "settings.md").read_text() == render(), "run: event-listener settings > docs/settings.md"
