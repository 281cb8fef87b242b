# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules of the group `listener`, as playbooks use them: real ansible-playbook, real listener."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests
import yaml
from ansible_collections.redfleet.events.plugins.module_utils._listener import Listener, ListenerError

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def running(listener):
    with listener() as running:
        yield running


@pytest.fixture
def play(running, tmp_path):
    """Run tasks with the connection given once for the action group; returns their results by registered name."""

    def play(tasks, arguments=(), fails=False, **connection):
        options = {"url": running.manage_url, "token": running.api_token, **connection}
        registered = [task["register"] for task in tasks if "register" in task]
        out = tmp_path / "out.json"
        tasks = [*tasks, {"ansible.builtin.copy": {
            "content": "{{ dict(names | zip(names | map('extract', vars))) | to_json }}", "dest": str(out),
        }, "vars": {"names": registered}, "check_mode": False}]  # fmt: skip
        book = [{"hosts": "localhost", "gather_facts": False, "tasks": tasks,
                 "module_defaults": {"group/redfleet.events.listener": options}}]  # fmt: skip
        path = tmp_path / "play.yml"
        path.write_text(yaml.safe_dump(book))
        collections = tmp_path / "collections" / "ansible_collections" / "redfleet"
        collections.mkdir(parents=True, exist_ok=True)
        if not (collections / "events").exists():
            (collections / "events").symlink_to(ROOT)
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "0",
            "ANSIBLE_LOG_PATH": str(tmp_path / "ansible.log"),
        }
        done = subprocess.run(
            [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", "-c", "local", "-vvv",
             "-e", f"ansible_python_interpreter={sys.executable}", *arguments, str(path)],
            env=environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        assert PASSWORD not in done.stdout
        assert running.api_token not in done.stdout + done.stderr + (tmp_path / "ansible.log").read_text()
        return done.stdout if fails else json.loads(out.read_text())

    return play


def post(running, source, **record):
    answer = requests.post(
        f"{running.url}/events/{source}", json={"Events": [record]}, auth=running.credentials,
        verify=str(running.ca_path), timeout=10,
    )  # fmt: skip
    assert answer.status_code == 200


def source(**fields):
    return {"redfleet.events.listener_source": {"sources": [fields]}}


def test_source_is_idempotent(play):
    """Each state first in check mode, then for real, then again: what check mode says is what happens."""
    new = source(name="m1", address="192.0.2.1", labels={"rack": 7})
    changed = source(name="m1", serial="S1")
    forgotten = source(name="m1", serial="")
    for task, before, after in ((new, None, None), (changed, None, "S1"), (forgotten, "S1", None)):
        found = play([
            {**task, "check_mode": True, "diff": True, "register": "would"}, {**task, "diff": True, "register": "did"},
            {**task, "register": "again"}, {**task, "check_mode": True, "register": "still"},
        ])  # fmt: skip
        assert found["would"]["changed"]
        assert found["did"]["changed"]
        assert found["would"]["diff"] == found["did"]["diff"]
        assert found["did"]["diff"]["before"].get("m1", {}).get("serial") == before
        assert found["did"]["diff"]["after"]["m1"]["serial"] == after
        assert not found["again"]["changed"]
        assert not found["still"]["changed"]
        assert found["again"]["unchanged"] == ["m1"]
        assert found["did"]["diff"]["after"]["m1"]["labels"] == {"rack": "7"}


def test_who_has_which_credential(play):
    """The record of a credential is idempotent; who would be refused without it is named."""
    known = {"redfleet.events.listener_source_info": {"keep_credentials": ["bearer"]}}
    given = source(name="c1", credential="basic")
    found = play([{**given, "register": "did"}, {**given, "register": "again"}, {**known, "register": "known"}])
    assert found["did"]["changed"]
    assert not found["again"]["changed"]
    assert found["known"]["credentials"] == ["basic", "bearer"]
    shown = {one["name"]: one for one in found["known"]["sources"]}["c1"]
    assert shown["credential"] == "basic"
    assert shown["credential_given"].endswith("Z")
    assert "it has basic" in {need["source"]: need["reason"] for need in found["known"]["needs"]}["c1"]


def test_check_mode_of_the_play_writes_nothing(play, running):
    play([{**source(name="ghost"), "register": "would"}], arguments=["--check"])
    headers = {"Authorization": f"Bearer {running.api_token}"}
    assert requests.get(f"{running.manage_url}/api/v1/sources/ghost", headers=headers, timeout=10).status_code == 404


OWNERS = [
    ("listener_domain", {"path": "dc1/row2"}, {"path": "/dc1/row2/"}),
    ("listener_account", {"name": "web", "domain": "/dc1/"}, {"domain": "/dc1/", "name": "web"}),
    ("listener_user", {"name": "ada", "role": "user", "domain": "/dc1/", "account": "web", "password": PASSWORD}, None),
]


@pytest.fixture
def module(running):
    """Run a module's own function in this process, in check mode or for real; the listener is real."""

    def module(name, options, *, check=False):
        loaded = importlib.import_module(f"ansible_collections.redfleet.events.plugins.modules.{name}")
        given = {"url": running.manage_url, "token": running.api_token, **options}
        params = {key: given.get(key, spec.get("default")) for key, spec in loaded.ARGUMENT_SPEC.items()}
        return loaded.run(params, Listener(params), check)

    return module


def test_domains_accounts_and_users(module):
    """Each first in check mode, then for real, then again, and the same when it goes; no password is shown anywhere."""
    for state, things in (("present", OWNERS), ("absent", OWNERS[::-1])):
        for kind, options, shown in things:
            wanted = {**options, "state": state}
            checks = (True, False, False, True)
            would, did, again, still = (module(kind, wanted, check=check) for check in checks)
            assert (would["changed"], did["changed"], again["changed"], still["changed"]) == (True, True, False, False)
            assert would["diff"] == did["diff"]
            if shown is not None:
                there = (did["diff"]["before"], did["diff"]["after"])
                assert there == (({}, shown) if state == "present" else (shown, {}))
            assert PASSWORD not in json.dumps([would, did, again, still])


def test_a_user_changes(module):
    """What isn't given stays; another password is a change though nothing of it is shown; mistakes say what to do."""
    user = {"name": "otto", "role": "domain-admin", "domain": "/dc3/", "password": PASSWORD}
    made, off, kept, other, created, none = (
        module("listener_user", {"name": "otto", **options})
        for options in (
            user, {"enabled": False}, {"enabled": False}, {"password": PASSWORD + "!"},
            {"password": PASSWORD, "update_password": "on_create"}, {"password": ""},
        )
    )  # fmt: skip
    assert [one["changed"] for one in (made, off, kept, other, created, none)] == [True, True, False, True, False, True]
    assert off["user"] == {**made["user"], "state": "disabled"}
    assert "another password" in other["msg"]
    assert none["user"]["has_password"] is False
    with pytest.raises(ListenerError, match="a new user needs a role"):
        module("listener_user", {"name": "eva"})
    with pytest.raises(ListenerError, match="holds users; move or remove them first"):
        module("listener_domain", {"path": "/dc3/", "state": "absent"})


def test_owners_in_a_play(play):
    """As Ansible runs them; the password is in no output, not even with -vvv."""
    tasks = [{f"redfleet.events.{kind}": options, "register": kind} for kind, options, _shown in OWNERS]
    found = play([*tasks, {**tasks[-1], "register": "again"}])
    assert [found[name]["changed"] for name in (*(kind for kind, *_rest in OWNERS), "again")] == [
        True,
        True,
        True,
        False,
    ]
    assert found["listener_user"]["user"] == {
        "name": "ada", "role": "user", "domain": "/dc1/", "account": "web", "state": "enabled", "has_password": True,
    }  # fmt: skip
    assert PASSWORD not in json.dumps(found)


def test_events_are_found(play, running):
    head = play([{"redfleet.events.listener_event_info": {"query": {"limit": 1}}, "register": "before"}])["before"][
        "head"
    ]
    post(running, "q1", EventId="1", MessageId="A.1.0.B", MessageSeverity="Critical")
    post(running, "q2", EventId="redfleet-test-77", MessageId="A.1.0.C")
    found = play([
        {"redfleet.events.listener_event_info": {"wait_for": [
            {"source": "q1", "message_key": "B", "after": head}, {"source": "q2", "marker": "redfleet-test-77"},
            {"source": "q3", "marker": "never"}], "wait_timeout": 3}, "register": "waited"},
        {"redfleet.events.listener_event_info": {
            "query": {"after": head, "level": ["ERROR"], "source": ["q1", "q2"]}}, "register": "errors"},
    ])  # fmt: skip
    waited = found["waited"]
    assert [(item["source"], item["exact"]) for item in waited["found"]] == [("q1", False), ("q2", True)]
    assert waited["missing"] == ["q3"]
    assert waited["found"][1]["event"]["origin"] == "test"
    assert all(item["latency_s"] < 3 for item in waited["found"])
    assert not waited["changed"]
    assert [event["source"] for event in found["errors"]["events"]] == ["q1"]
    assert found["errors"]["head"] >= found["errors"]["events"][0]["seq"]


def test_upkeep_is_told_and_read(play):
    """listener_upkeep: nothing in check mode, then what was told, and it stays when something else is told."""
    told = {"name": "u1", "verdict": "changed", "repaired": True}
    done = {"name": "u1", "complete": "2026-01-01T00:00:00Z"}
    found = play([
        source(name="u1"),
        {"redfleet.events.listener_upkeep": {"sources": [told]}, "check_mode": True, "register": "would"},
        {"redfleet.events.listener_upkeep": {"sources": [told]}, "register": "did"},
        {"redfleet.events.listener_upkeep": {"sources": [done]}},
        {"redfleet.events.listener_upkeep": {}, "register": "read"},
    ])  # fmt: skip
    assert found["would"]["known"]["u1"]["verdict"] == ""
    assert found["did"]["known"]["u1"]["repaired"]
    read = found["read"]["known"]["u1"]
    assert (read["verdict"], read["complete"]) == ("changed", "2026-01-01T00:00:00.000000Z")
    assert read["repaired"] == found["did"]["known"]["u1"]["repaired"]
    assert found["read"]["outages"] == []


def test_an_announced_event_is_waited_for(play, running):
    """listener_proof: announced, arrived by its marker or by its message, or missing; nothing in check mode."""
    announce = {"redfleet.events.listener_proof": {"sources": ["p1", "p2", "p3"]}}
    found = play([{**announce, "register": "announced"}, {**announce, "check_mode": True, "register": "would"}])
    announced = found["announced"]
    assert sorted(announced["markers"]) == ["p1", "p2", "p3"]
    assert (found["would"]["markers"], found["would"]["batch"]) == ({}, "")
    assert abs(announced["clock_offset_s"]) < 1
    post(running, "p1", EventId=announced["markers"]["p1"], MessageId="A.1.0.B")
    post(running, "p2", MessageId="IDRAC.2.8.TMP0118")
    wait = {"batch": announced["batch"], "accepted": ["p1", "p2"], "wait_timeout": 60}
    short = {"batch": announced["batch"], "wait_timeout": 1}
    found = play([
        {"redfleet.events.listener_proof": wait, "register": "arrived"},
        {"redfleet.events.listener_proof": short, "register": "short"},
    ])  # fmt: skip
    assert {one["source"]: one["matched"] for one in found["arrived"]["found"]} == {"p1": "marker", "p2": "sequence"}
    assert found["arrived"]["missing"] == []
    assert found["short"]["missing"] == ["p3"]
    assert not found["arrived"]["changed"]
    unknown = [{"redfleet.events.listener_proof": {"batch": "none"}, "register": "x"}]
    assert "announced" in play(unknown, fails=True)


@pytest.mark.parametrize(
    ("connection", "words"),
    [
        ({"token": "wrong-token"}, ["401", "manage.tokens"]),
        ({"url": "http://127.0.0.1:1"}, ["127.0.0.1:1", "look whether it runs"]),
        ({"url": "ftp://x"}, ["http(s)://host:port"]),
    ],
)
def test_failures_say_what_to_do(play, connection, words):
    out = play([{"redfleet.events.listener_event_info": {}, "register": "x"}], fails=True, **connection)
    for word in words:
        assert word in out
    assert "Traceback" not in out


def test_a_refused_query_is_explained(play):
    task = {"redfleet.events.listener_event_info": {"query": {"level": ["loud"]}}, "register": "x"}
    assert "loud" in play([task], fails=True)
