# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what, for every endpoint that the OpenAPI document has: also for those that somebody adds tomorrow."""

import itertools
import re

import pytest
from event_listener.alert_rules import Rulebook
from event_listener.event import Category, Level, Observation, Record, State
from event_listener.manage import create_app
from event_listener.policy import RIGHTS, Action, Owner, Reach, Role
from event_listener.registry import changes
from event_listener.settings import ApiToken, Manage, Settings
from event_listener.settings_alerts import AlertSettings
from event_listener.settings_base import Secret
from event_listener.store import Arrival, Delivery, open_store

from tests.api_contract import JudgedClient

ROOT = "root-token-of-the-configuration"
# Each owner's things bear its marker, so what is shown of them is found in any answer.
OWNERS = {
    "mine": Owner("/a/b/", "x"),
    "neighbour": Owner("/a/b/", "y"),
    "below": Owner("/a/b/c/", "x"),
    "above": Owner("/a/", "x"),
    "lookalike": Owner("/a_b/", "x"),
    "other": Owner("/z/", "x"),
    "rootish": Owner("/"),
}
REACHED = {Role.USER: {"mine"}, Role.DOMAIN_ADMIN: {"mine", "neighbour", "below"}, Role.ROOT_ADMIN: set(OWNERS)}
ENDLESS = "/api/v1/events/stream"
# What makes an endpoint get as far as its permission; all others take an empty object or none.
BODIES = {
    ("POST", "/api/v1/users/{name}/tokens"): {"name": "mine"},
    ("PUT", "/api/v1/users/{name}"): {"state": "disabled"},
}


def arrival(marker, owner, number, **fields):
    return Arrival(
        journal_id=marker, journal_seq=number, received_ns=1000, source=f"src-{marker}", address=f"adr-{marker}",
        peer="", credential="", content_type="", body=f"body-{marker}".encode(), owner=owner, **fields,
    )  # fmt: skip


def observed(marker):
    """What a source says of a resource."""
    seen = (Observation("power", "On"),)
    return Record(type="Test.Event", resource_id=f"/r/res-{marker}", message=f"msg-{marker}", observed=seen, record={})


def fails(marker):
    """What raises an alert, and is a job that ended."""
    return Record(
        category=Category.ALERT, type="Vendor.FanFailed", level=Level.ERROR, resource_id=f"/r/res-{marker}",
        message=f"msg-{marker}", start_id=f"job-{marker}", state=State.COMPLETED, record={},
    )  # fmt: skip


def delivery(marker, webhook):
    names = ("message_id", "event_id", "event_type", "event_owner", "content_type")
    told = dict.fromkeys(names, f"msg-{marker}")
    return Delivery(id=f"whd-{marker}", webhook=webhook, payload=b"{}", created_ns=1000, **told)


def called(app, store):
    """A webhook of each owner, with a delivery; returns their ids."""
    made = {}
    for marker, owner in OWNERS.items():
        place = {"domain": owner.domain, "account": owner.account}
        body = {"name": f"hook-{marker}", "url": f"https://hook-{marker}.example/", **place}
        made[marker] = asked(app, ROOT, "POST", "/api/v1/webhooks", json=body).get_json()["webhook"]["id"]
    lease = store.cursors.acquire("webhooks", "test", 60)
    for marker, webhook in made.items():
        moved = {webhook: store.webhooks.place(webhook).position}
        store.deliveries.expand(lease, moved, 1, [delivery(marker, webhook)])
    store.cursors.release(lease)
    return made


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The application; of each owner a source with what it told, a user and its token, a webhook."""
    directory = tmp_path_factory.mktemp("permissions")
    (directory / "token").write_text(ROOT)
    token = ApiToken(name="ci", token=Secret(file=str(directory / "token")))
    app = create_app(Settings(state_dir=str(directory), manage=Manage(tokens=[token])))
    app.test_client_class = JudgedClient
    with open_store(directory) as store:
        store.jobs.reader.begin()
        alerts = store.alerts.reader(Rulebook(AlertSettings()))
        alerts.reader.begin()
        for marker, owner in OWNERS.items():
            store.sources.upsert(changes([{"name": f"src-{marker}", "domain": owner.domain, "account": owner.account}]))
            store.log.write([arrival(marker, owner, 1, records=(observed(marker),))], f"journal:{marker}", 1)
            store.log.write([arrival(marker, owner, 2, problem=f"odd-{marker}")], f"journal:{marker}", 2)
            store.log.write([arrival(marker, owner, 3, records=(fails(marker),))], f"journal:{marker}", 3)
        while any([store.jobs.follow(), alerts.follow()]):
            pass
        held = {item.source.removeprefix("src-"): item.seq for item in store.quarantine.list()}
        hooks = called(app, store)
    by_source = {
        kind: {one["source"]: one["id"] for one in asked(app, ROOT, "GET", f"/api/v1/{kind}").get_json()[kind]}
        for kind in ("alerts", "jobs")
    }
    ids = {}
    for marker, owner in OWNERS.items():
        fields = {"role": "user", "domain": owner.domain, "account": owner.account or "ops"}
        asked(app, ROOT, "PUT", f"/api/v1/users/usr-{marker}", json=fields)
        made = asked(app, ROOT, "POST", f"/api/v1/users/usr-{marker}/tokens", json={"name": f"tok-{marker}"}).get_json()
        ids[marker] = {
            "name": [f"src-{marker}", f"usr-{marker}", fields["account"]],
            "event_id": [f"{marker}-1-0"], "seq": [str(held[marker])], "token_id": [made["id"]],
            "alert_id": [by_source["alerts"][f"src-{marker}"]], "job_id": [by_source["jobs"][f"src-{marker}"]],
            "webhook_id": [hooks[marker]], "delivery_id": [f"whd-{marker}"],
        }  # fmt: skip
    return app, ids


def asked(app, token, method, path, **options):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    # Buffered: read to its end and closed, as a server does, so that the next export may begin.
    return app.test_client().open(path, method=method, headers=headers, buffered=True, **options)


def token_of(app, role, actions=None):
    owner = OWNERS["mine"]
    name = f"who-{role}"
    place = {} if role is Role.ROOT_ADMIN else {"domain": owner.domain}
    place |= {"account": owner.account} if role is Role.USER else {}
    asked(app, ROOT, "PUT", f"/api/v1/users/{name}", json={"role": role, **place})
    made = asked(app, ROOT, "POST", f"/api/v1/users/{name}/tokens", json={"name": "t", "actions": actions})
    return made.get_json()["secret"]


def operations(app):
    document = app.test_client().get("/api/v1/openapi.json").get_json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if operation["security"]:
                yield method.upper(), path, operation


def filled(path, values):
    """The path with every combination of values for its variables; ``none`` where there is no value."""
    names = re.findall(r"{(\w+)}", path)
    for chosen in itertools.product(*(values.get(name, ["none"]) for name in names)):
        yield path.format(**dict(zip(names, chosen, strict=True)))


def test_nobody_without_a_token(world):
    app, _ids = world
    for method, path, _operation in operations(app):
        for token in ("", "rft_wrong"):
            assert asked(app, token, method, next(filled(path, {"seq": ["1"]}))).status_code == 401, path


@pytest.mark.parametrize("role", Role)
def test_each_role_reaches_what_its_rights_say_and_nothing_else(world, role):
    app, _ids = world
    token = token_of(app, role)
    for method, path, operation in operations(app):
        if path.endswith("/logout") or path == ENDLESS:
            continue
        may = RIGHTS[Action(operation["x-action"])][role] is not Reach.NOTHING
        # An unknown parameter: whoever gets past the permission is told of it, and nothing is done.
        answer = asked(app, token, method, next(filled(path, {"seq": ["1"]})) + "?no-such-parameter=1")
        assert answer.status_code == (400 if may else 403), (method, path)


@pytest.mark.parametrize("action", Action)
def test_a_token_with_a_limit_is_for_that_alone(world, action):
    """Also root's."""
    app, _ids = world
    token = token_of(app, Role.ROOT_ADMIN, [action])
    for method, path, operation in operations(app):
        answer = asked(app, token, method, next(filled(path, {"seq": ["1"]})) + "?no-such-parameter=1")
        assert answer.status_code == (400 if operation["x-action"] == action else 403), (method, path)


def state(app):
    """All that could have been changed, as root sees it."""
    paths = ("users", "domains", "accounts", "sources", "quarantine", "resources", "events?type=Test.Event", "alerts",
             "jobs", "webhooks", "webhook-deliveries", "events?type=Test.Event&archived=true")  # fmt: skip
    return [asked(app, ROOT, "GET", f"/api/v1/{path}").get_json() for path in paths]


@pytest.mark.parametrize("role", [Role.USER, Role.DOMAIN_ADMIN])
def test_ids_of_others_are_as_unknown_ones(world, role):
    """Read, changed and removed: the same refusal as for an id that nobody has, and nothing is changed."""
    app, ids = world
    token = token_of(app, role)
    before = state(app)
    for method, path, operation in operations(app):
        if "{" not in path or RIGHTS[Action(operation["x-action"])][role] is Reach.NOTHING:
            continue
        body = BODIES.get((method, path), {} if method in ("PUT", "POST", "PATCH") else None)
        for marker in OWNERS.keys() - REACHED[role]:
            for where in filled(path, ids[marker]):
                query = f"?domain={OWNERS[marker].domain}" if where.startswith("/api/v1/accounts/") else ""
                answer = asked(app, token, method, where + query, json=body)
                assert answer.status_code in (400, 403, 404, 409), (method, where, answer.text)
                assert f"msg-{marker}" not in answer.text
    assert state(app) == before


def test_no_kind_of_id_is_left_out(world):
    """What somebody adds tomorrow gets an id of each owner in this world, too."""
    app, ids = world
    for _method, path, operation in operations(app):
        if any(
            RIGHTS[Action(operation["x-action"])][role] is not Reach.NOTHING
            for role in REACHED.keys() - {Role.ROOT_ADMIN}
        ):
            assert set(re.findall(r"{(\w+)}", path)) <= ids["mine"].keys(), path


def deeds(ids, marker):
    """What changes several at once, by the ids of somebody and by filters that have only that one's things."""
    event, alert, webhook = ids["event_id"], ids["alert_id"], ids["webhook_id"][0]
    for deed in ("archive", "delete"):
        yield "POST", f"/api/v1/events/{deed}", {"json": {"id": event}}
        yield "POST", f"/api/v1/events/{deed}", {"json": {"source": [f"src-{marker}"]}}
        yield (
            "POST",
            f"/api/v1/events/{deed}",
            {"json": {"domain": [OWNERS[marker].domain], "keyword": f"msg-{marker}"}},
        )
    for deed in ("acknowledge", "resolve", "archive", "delete"):
        yield "POST", "/api/v1/alerts/actions", {"json": {"action": deed, "ids": alert}}
        yield "POST", "/api/v1/alerts/actions", {"json": {"action": deed, "filter": {"source": [f"src-{marker}"]}}}
    for query in ({"id": f"whd-{marker}"}, {"webhook": webhook}, {"event_id": f"msg-{marker}"}):
        yield "DELETE", "/api/v1/webhook-deliveries", {"query_string": query}


@pytest.mark.parametrize("role", [Role.USER, Role.DOMAIN_ADMIN])
def test_no_deed_touches_what_is_others(world, role):
    """Events, alerts and deliveries, by ids and by filters: refused, or none is affected."""
    app, ids = world
    token = token_of(app, role)
    before = state(app)
    for marker in OWNERS.keys() - REACHED[role]:
        for method, path, options in deeds(ids[marker], marker):
            answer = asked(app, token, method, path, **options)
            done = answer.get_json().keys() & {"affected", "deleted"}
            counted = [answer.get_json()[name] for name in done]
            assert answer.status_code in (403, 404) or counted == [0], (method, path, options, answer.text)
            assert f"hook-{marker}" not in answer.text
    assert state(app) == before


@pytest.mark.parametrize("role", [Role.USER, Role.DOMAIN_ADMIN])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_nobody_goes_on_in_the_pages_of_others(world, role, order):
    """Root's cursor is a place in the log, not a right; whichever end comes first."""
    app, _ids = world
    token, cursor = token_of(app, role), None
    shown = set()
    for _page in OWNERS:
        query = {"type": "Test.Event", "order": order, "limit": 1, **({"cursor": cursor} if cursor else {})}
        seen = asked(app, token, "GET", "/api/v1/events", query_string=query).get_json()["events"]
        shown |= {event["source"].removeprefix("src-") for event in seen}
        cursor = asked(app, ROOT, "GET", "/api/v1/events", query_string=query).get_json().get("cursor")
        if cursor is None:
            break
    assert shown == REACHED[role]


@pytest.mark.slow
@pytest.mark.parametrize("role", [Role.USER, Role.DOMAIN_ADMIN])
def test_no_question_shows_what_is_others(world, role):
    """Every list, without and with every parameter that it has, set to what is somebody else's."""
    app, ids = world
    token = token_of(app, role)
    foreign = [marker for marker in OWNERS if marker not in REACHED[role]]
    shown = set()
    for method, path, operation in operations(app):
        if method != "GET" or "{" in path or path == ENDLESS:
            continue
        for query in ({}, *questions(operation, ids)):
            answer = asked(app, token, "GET", path, query_string=query)
            # A refusal says what was asked, and nothing more.
            text = answer.text if answer.status_code == 200 else ""
            for marker in foreign:
                assert not re.search(rf"\b(src|adr|msg|odd|res|usr|tok|hook|job|whd)-{marker}\b", text), (path, query)
            shown |= {path} if re.search(r"\b(src|usr|hook|whd)-mine\b", text) else set()
    wanted = {f"/api/v1/{name}" for name in ("events", "events/export", "events/export/json", "sources", "resources")}
    wanted |= {f"/api/v1/{name}" for name in ("quarantine", "jobs", "webhooks", "webhook-deliveries")}
    assert shown >= (wanted if role is Role.USER else {*wanted, "/api/v1/users", "/api/v1/alerts"})


def questions(operation, ids):
    """Each parameter with each value that could lead to somebody's things."""
    for one in operation["parameters"]:
        if one["in"] != "query":
            continue
        yield from ({one["name"]: value} for value in ("0", "/", "1h", "true"))
        marker = "lookalike"  # out of the reach of a user, and of an administrator
        known = [*itertools.chain(*ids[marker].values()), f"/r/res-{marker}", f"msg-{marker}", OWNERS[marker].domain]
        for value in (*known, f"src-mine,src-{marker}"):
            yield {one["name"]: value}
