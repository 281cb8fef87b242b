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

from tests.integration.listener_process import wait_for

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
        verify=str(running.ca_path), timeout=60,
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
    assert requests.get(f"{running.manage_url}/api/v1/sources/ghost", headers=headers, timeout=60).status_code == 404


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


HOOK = {
    "name": "ops", "domain": "dc9", "scope": "Domain", "payload_url": "https://192.0.2.9/in", "secret": PASSWORD,
    "levels": ["ERROR"], "filters": [{"value": "VM.", "mode": "Include", "match": "Prefix"}],
}  # fmt: skip


def test_a_webhook_is_idempotent(module):
    """Each state first in check mode, then for real, then again; its secret is shown nowhere."""
    for state in ("present", "absent"):
        checks = (True, False, False, True)
        would, did, again, still = (module("listener_webhook", {**HOOK, "state": state}, check=one) for one in checks)
        assert (would["changed"], did["changed"], again["changed"], still["changed"]) == (True, True, False, False)
        assert would["diff"] == did["diff"]
        there, gone = (did["diff"][one] for one in (("after", "before") if state == "present" else ("before", "after")))
        assert (there["domain"], there["url"], there["has_secret"]) == ("/dc9/", "https://192.0.2.9/in", True)
        assert there["filters"] == HOOK["filters"]
        assert gone == {}
        if state == "present":
            assert would["webhook"]["id"] is None
            assert did["webhook"]["id"] == again["webhook"]["id"] == still["webhook"]["id"]
        assert PASSWORD not in json.dumps([would, did, again, still])


def test_a_webhook_changes(module):
    """What isn't given stays; another secret is a change though nothing of it is shown; mistakes say what to do."""
    named = {"name": "changing", "domain": "/dc9/"}
    made = module("listener_webhook", {**HOOK, **named})["webhook"]
    off, kept, same, other, created, none = (
        module("listener_webhook", {**named, **options})
        for options in (
            {"enabled": False, "filters": [], "description": "on duty"}, {"enabled": False}, {"secret": PASSWORD},
            {"secret": PASSWORD + "!", "keep_old_secret": 60}, {"secret": PASSWORD, "update_secret": "on_create"},
            {"secret": ""},
        )
    )  # fmt: skip
    assert [one["changed"] for one in (off, kept, same, other, created, none)] == [
        True, False, False, True, False, True,
    ]  # fmt: skip
    changes = {"state": "Disabled", "filters": [], "description": "on duty", "updated": off["webhook"]["updated"]}
    assert off["webhook"] == {**made, **changes}
    assert (other["diff"]["before"], "another secret" in other["msg"]) == (other["diff"]["after"], True)
    assert created["webhook"]["old_secret_until"]
    assert none["webhook"]["has_secret"] is False
    assert PASSWORD not in json.dumps([off, kept, same, other, created, none])
    for wrong, words in (
        ({"name": "nobody"}, "no webhook nobody of /dc9/; a new one needs payload_url"),
        ({"payload_url": "http://192.0.2.9/in"}, "only https"),
        ({"secret": "short"}, "at least 16"),
        ({"scope": "Global"}, "belongs to the domain /"),
    ):
        with pytest.raises(ListenerError, match=words):
            module("listener_webhook", {**named, **wrong})
    module("listener_webhook", {**named, "state": "absent"})


def test_a_webhook_of_another_owner_is_left_alone(module, running):
    """Who gives no owner means the own webhook; the domain's one isn't its account's one of the same name."""
    module("listener_user", {"name": "eve", "role": "user", "domain": "/dc9/", "account": "web"})
    root = {"Authorization": f"Bearer {running.api_token}"}
    where = f"{running.manage_url}/api/v1/users/eve/tokens"
    token = requests.post(where, json={"name": "ansible"}, headers=root, timeout=60).json()["secret"]
    own = {"name": "same", "payload_url": "https://192.0.2.9/web"}
    mine = module("listener_webhook", {**own, "token": token})["webhook"]
    assert (mine["domain"], mine["account"]) == ("/dc9/", "web")
    theirs = module("listener_webhook", {**own, "domain": "/dc9/"})["webhook"]
    assert (theirs["domain"], theirs["account"]) == ("/dc9/", None)
    assert not module("listener_webhook", {**own, "token": token})["changed"]
    assert module("listener_webhook", {"name": "same", "domain": "/dc9/", "state": "absent"})["changed"]
    assert module("listener_webhook", {"name": "same", "domain": "/dc9/", "account": "web", "state": "absent"})[
        "changed"
    ]
    module("listener_user", {"name": "eve", "state": "absent"})


def ids_of(running, source, count, archived="false"):
    """The ids of a source's events, oldest first, once there are so many."""

    def ids():
        found = running.api("/api/v1/events", source=source, archived=archived, order="asc").json()["events"]
        return [event["id"] for event in found] if len(found) == count else None

    return ids() or wait_for(ids, 60)


def test_events_are_archived_and_deleted(module, running):
    """By id and by conditions, first in check mode, and what is done already is no change."""
    for number in range(4):
        post(running, "d1", EventId=str(number), MessageId=f"Doors.1.0.{'Open' if number < 3 else 'Shut'}")
    ids = ids_of(running, "d1", 4)

    def event(state, query, **options):
        return module("listener_event", {"state": state, "query": query}, **options)

    for state, query, affected, left in (
        ("archived", {"id": ids[:1]}, 1, 3),
        ("archived", {"type": ["Doors.Op*"], "source": ["d1"]}, 2, 1),
        ("absent", {"source": ["d1"]}, 1, 0),
    ):
        would, did, again = event(state, query, check=True), event(state, query), event(state, query)
        assert [one["affected"] for one in (would, did, again)] == [affected, affected, 0]
        assert [one["changed"] for one in (would, did, again)] == [True, True, False]
        assert would["diff"] == did["diff"]
        assert did["diff"]["after"] == {"events": affected, "state": state}
        assert len(running.api("/api/v1/events", source="d1").json()["events"]) == left
    assert ids_of(running, "d1", 3, "all") == ids[:3]
    gone = event("absent", {"id": [ids[0], ids[3], "never-1-0"]})
    assert (gone["affected"], gone["missing"]) == (1, [ids[3], "never-1-0"])
    again = event("absent", {"id": [ids[0]], "source": ["d1"]})
    assert (again["changed"], again["missing"]) == (False, [ids[0]])
    assert ids_of(running, "d1", 2, "all") == ids[1:3]


@pytest.mark.parametrize(
    ("state", "query", "words"),
    [
        ("archived", {"id": ["never-1-0"]}, "there is no event never-1-0; nothing was changed"),
        ("absent", {}, "nothing says which events to delete"),
        ("absent", {"source": ["e1"], "until": ""}, "query.until has an empty text"),
        ("absent", {"source": ["e1"], "domain": [""]}, "query.domain has an empty text"),
        ("archived", {"source": ["e1"], "archived": "true"}, "query.archived is for state absent"),
        ("absent", {"level": ["loud"]}, "'loud' is none of"),
    ],
)
def test_what_would_mean_too_much_is_refused(module, state, query, words):
    with pytest.raises(ListenerError, match=words):
        module("listener_event", {"state": state, "query": query})


def test_an_empty_list_of_ids_means_no_event(module, running):
    """A list that was computed and is empty never becomes a query without ids."""
    post(running, "e2", MessageId="A.1.0.B")
    ids_of(running, "e2", 1)
    for state in ("archived", "absent"):
        done = module("listener_event", {"state": state, "query": {"id": [], "source": ["e2"]}})
        assert (done["changed"], done["affected"], done["diff"]) == (False, 0, {"before": {}, "after": {}})
    ids_of(running, "e2", 1)


def test_more_ids_than_an_address_holds(module):
    """They are asked for in parts."""
    ids = [f"{'f' * 40}-1-{number}" for number in range(250)]
    assert module("listener_event", {"state": "absent", "query": {"id": ids}})["missing"] == ids


def test_webhooks_and_events_in_a_play(play, running):
    """As Ansible runs them, with options as YAML has them; the secret is in no output, also with -vvv and --diff."""
    for _number in range(3):
        post(running, "w1", MessageId="Fans.1.0.FanFailed", Message="a fan failed", OriginOfCondition="/redfish/v1/F/1")
    ids_of(running, "w1", 3)
    query = {"source": ["w1"], "type": ["Fans.*"], "state": ["Completed"], "keyword": "fan fail*", "below": "/",
             "domain": ["/"], "resource_id": ["/redfish/v1/F/1"], "limit": 2, "total": True}  # fmt: skip
    info, event = "redfleet.events.listener_event_info", "redfleet.events.listener_event"
    hook = {"redfleet.events.listener_webhook": HOOK}
    found = play(
        [
            {**hook, "register": "hook"},
            {**hook, "register": "again"},
            {info: {"query": query}, "register": "first"},
            {info: {"query": {**query, "cursor": "{{ first.cursor }}"}}, "register": "second"},
            {event: {"state": "archived", "query": {"source": ["w1"]}}, "register": "archived"},
            {info: {"query": {"source": ["w1"], "archived": True}}, "register": "shown"},
            {info: {"query": {"source": ["w1"]}}, "register": "hidden"},
            {event: {"state": "absent", "query": {"source": ["w1"], "archived": True}}, "check_mode": True,
             "register": "would"},
            {event: {"state": "absent", "query": {"id": "{{ shown.events | map(attribute='id') }}"}},
             "register": "gone"},
            {"redfleet.events.listener_webhook": {**HOOK, "state": "absent"}, "register": "removed"},
        ],
        arguments=["--diff"],
    )  # fmt: skip
    changes = [found[name]["changed"] for name in ("hook", "again", "archived", "would", "gone", "removed")]
    assert changes == [True, False, True, True, True, True]
    assert (len(found["first"]["events"]), found["first"]["total"], len(found["second"]["events"])) == (2, 3, 1)
    assert found["second"]["cursor"] is None
    assert (len(found["shown"]["events"]), found["hidden"]["events"]) == (3, [])
    assert [found[name]["affected"] for name in ("archived", "would", "gone")] == [3, 3, 3]
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
            # The listener's own AlertRaised about q1 comes at its own time.
            "query": {"after": head, "level": ["ERROR"], "source": ["q1", "q2"], "type": ["A.*"]}},
            "register": "errors"},
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
