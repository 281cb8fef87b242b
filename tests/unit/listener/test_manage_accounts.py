# SPDX-License-Identifier: GPL-3.0-or-later
"""Users, roles and tokens through the management application: what each may see and do, and what an attacker tries."""

import itertools
import json

import pytest
from event_listener import accounts, policy
from event_listener.event import Record
from event_listener.manage import create_app
from event_listener.policy import Action, Owner, Role
from event_listener.registry import changes
from event_listener.settings import ApiToken, Manage, Settings
from event_listener.settings_base import Secret
from event_listener.store import Actor, Arrival, Deed, Query, open_store
from event_listener.store.log import now_ns
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.api_contract import JudgedClient

ROOT = "root-token-of-the-configuration"
PASSWORD = "correct horse battery"
OWNERS = [Owner("/"), Owner("/a/", "x"), Owner("/a/b/", "x"), Owner("/a/b/", "y"), Owner("/ab/", "x"), Owner("/a/")]
USERS = {
    "root2": {"role": "root-admin"},
    "admin-a": {"role": "domain-admin", "domain": "/a/"},
    "admin-b": {"role": "domain-admin", "domain": "/a/b/"},
    "user-ax": {"role": "user", "domain": "/a/", "account": "x"},
    "user-bx": {"role": "user", "domain": "/a/b/", "account": "x"},
    "user-abx": {"role": "user", "domain": "/ab/", "account": "x"},
}


class Api:
    """The application with somebody's token."""

    def __init__(self, app, token):
        self._client, self._token = app.test_client(), token

    def __call__(self, method, path, status=200, /, **body):
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        answer = self._client.open(path, method=method, headers=headers, json=body or None)
        assert answer.status_code == status, (method, path, answer.status_code, answer.text)
        return answer.get_json() if answer.data else None


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """An application on a log with one event and one source of each owner, and every kind of user."""
    directory = tmp_path_factory.mktemp("accounts")
    (directory / "token").write_text(ROOT)
    token = ApiToken(name="ci", token=Secret(file=str(directory / "token")))
    app = create_app(Settings(state_dir=str(directory), manage=Manage(tokens=[token])))
    app.test_client_class = JudgedClient
    with open_store(directory) as store:
        for number, owner in enumerate(OWNERS):
            name = f"s{number}"
            store.log.add([arrival(name, owner)])
            store.sources.upsert(changes([{"name": name, "domain": owner.domain, "account": owner.account}]))
    root = Api(app, ROOT)
    for name, fields in USERS.items():
        root("PUT", f"/api/v1/users/{name}", 201, password=PASSWORD, **fields)
    return app


def arrival(name, owner):
    return Arrival(
        journal_id=name,
        journal_seq=0,
        received_ns=1000,
        source=name,
        address=name,
        peer="",
        credential="",
        content_type="",
        body=b"{}",
        owner=owner,
        records=(Record(type="Test.Event", record={}),),
    )


@pytest.fixture
def root(app):
    return Api(app, ROOT)


@pytest.fixture(scope="module")
def logged_in(app):
    anybody = Api(app, "")
    return {name: Api(app, anybody("POST", "/api/v1/login", user=name, password=PASSWORD)["secret"]) for name in USERS}


def principal(name):
    fields = USERS[name]
    return policy.Principal(
        name=name, role=Role(fields["role"]), domain=fields.get("domain", "/"), account=fields.get("account")
    )


@pytest.mark.parametrize("name", USERS)
def test_everybody_sees_their_own(logged_in, name):
    """Listed, filtered, by id and raw: the same set each time, and it is the policy's."""
    asks = logged_in[name]
    wanted = {f"s{n}" for n, owner in enumerate(OWNERS) if policy.allowed(principal(name), Action.READ_EVENTS, owner)}
    listed = asks("GET", "/api/v1/events?type=Test.Event")["events"]
    assert {event["source"] for event in listed} == wanted
    for number in range(len(OWNERS)):
        source, event = f"s{number}", f"s{number}-0-0"
        status = 200 if source in wanted else 404
        asks("GET", f"/api/v1/events/{event}", status)
        raw = asks._client.get(f"/api/v1/events/{event}/raw", headers={"Authorization": f"Bearer {asks._token}"})
        assert raw.status_code == status
        assert bool(asks("GET", f"/api/v1/events?source={source}&type=Test.Event")["events"]) is (source in wanted)
        assert bool(asks("GET", f"/api/v1/events?id={event}")["events"]) is (source in wanted)
        asks("GET", f"/api/v1/sources/{source}", status)
    assert {source["name"] for source in asks("GET", "/api/v1/sources")["sources"]} == wanted


@pytest.mark.parametrize("name", ["admin-a", "admin-b", "user-ax", "user-bx", "user-abx"])
def test_types_and_exports_hold_nothing_of_others(app, logged_in, name):
    asks = logged_in[name]
    wanted = {f"s{n}" for n, owner in enumerate(OWNERS) if policy.allowed(principal(name), Action.READ_EVENTS, owner)}
    counted = asks("GET", "/api/v1/events/types?type=Test.*")["types"]
    assert sum(one["count"] for one in counted) == len(wanted)
    assert asks("GET", "/api/v1/events?type=Test.*&limit=1&total=true")["total"] == len(wanted)
    headers = {"Authorization": f"Bearer {asks._token}"}
    client = app.test_client()
    for form in ("", "/json"):
        answer = client.get(f"/api/v1/events/export{form}?type=Test.*&payload=true", headers=headers)
        assert answer.status_code == 200, answer.text
        whole = map(json.dumps, answer.get_json()["events"]) if form else answer.text.splitlines()
        answer.close()
        assert {json.loads(line)["source"] for line in whole} == wanted
    for keyword in ("test", "s*", " ".join(f"s{n}" for n in range(9))):
        found = asks("GET", f"/api/v1/events?type=Test.*&keyword={keyword}")["events"]
        assert {event["source"] for event in found} == (wanted if keyword[0] in "t" or "*" in keyword else set())


@pytest.mark.parametrize("deed", ["archive", "delete"])
def test_nobody_archives_or_deletes_what_others_have(logged_in, root, deed):
    """By id, by query, by whatever filter; and a cursor of somebody else widens nothing."""
    before = root("GET", "/api/v1/events?type=Test.Event&archived=all")["events"]
    user = logged_in["user-bx"]
    user("POST", f"/api/v1/events/{deed}", 404, id=["s0-0-0"])
    user("POST", f"/api/v1/events/{deed}", 404, id=["s2-0-0", "s1-0-0"])
    user("POST", f"/api/v1/events/{deed}", 400)
    user("POST", f"/api/v1/events/{deed}", 400, dry_run=True)
    user("POST", f"/api/v1/events/{deed}", 400, ids=["s2-0-0"])
    user("POST", f"/api/v1/events/{deed}", 400, id=["s2-0-0"], scope={"reach": 3})
    for filters in ({"source": ["s1"]}, {"domain": ["/"]}, {"account": ["y"]}, {"below": "/ab/"}, {"keyword": "s1"}):
        assert user("POST", f"/api/v1/events/{deed}", **filters)["affected"] == 0
    assert user("POST", f"/api/v1/events/{deed}", below="/", type=["Test.*"], dry_run=True)["affected"] == 1
    for empty in ({"id": []}, {"id": [""]}, {"keyword": ""}, {"below": ""}, {"since": ""}, {"archived": ""}):
        user("POST", f"/api/v1/events/{deed}", 400, source=["s2"], **empty)  # no condition would mean more
    assert root("GET", "/api/v1/events?type=Test.Event&archived=all")["events"] == before
    cursor = root("GET", "/api/v1/events?type=Test.Event&limit=1")["cursor"]
    assert {event["source"] for event in user("GET", f"/api/v1/events?type=Test.Event&cursor={cursor}")["events"]} <= {
        "s2"
    }
    user("GET", f"/api/v1/events?cursor={cursor}", 400)
    user("GET", "/api/v1/events?cursor=eyJh", 400)


def test_archived_is_seen_by_who_may_archive(app, logged_in):
    user = logged_in["user-abx"]
    assert user("POST", "/api/v1/events/archive", id=["s4-0-0"]) == {"affected": 1, "dry_run": False}
    user("GET", "/api/v1/events/s4-0-0", 404)
    user("GET", "/api/v1/events/s4-0-0/raw", 404)
    user("POST", "/api/v1/events/archive", 400, source=["s4"], archived="true")
    assert user("GET", "/api/v1/events/s4-0-0?archived=all")["id"] == "s4-0-0"
    assert [event["id"] for event in user("GET", "/api/v1/events?archived=true")["events"]] == ["s4-0-0"]
    made = user("POST", "/api/v1/me/tokens", 201, name="only", actions=["events.read"])
    limited = Api(app, made["secret"])
    assert "s4-0-0" not in {event["id"] for event in limited("GET", "/api/v1/events")["events"]}
    for path in (
        "events?archived=all",
        "events/s4-0-0?archived=true",
        "events/types?archived=all",
        "events/export?archived=all",
    ):
        limited("GET", f"/api/v1/{path}", 403)
    limited("POST", "/api/v1/events/archive", 403, id=["s4-0-0"])
    with app.test_request_context():
        store = app.extensions["live"].connection.store
        with store._backend.write() as connection:
            connection.exec_driver_sql("DELETE FROM event_mark")


@pytest.mark.parametrize(
    "query", ["domain=/", "domain=/ab/", "below=/", "account=y", "domain=/a/&account=x", "order=asc"]
)
def test_no_filter_widens_what_is_seen(logged_in, query):
    seen = {
        event["source"] for event in logged_in["user-bx"]("GET", f"/api/v1/events?type=Test.Event&{query}")["events"]
    }
    assert seen <= {"s2"}


def test_a_domain_with_its_subtree(root):
    found = root("GET", "/api/v1/events?type=Test.Event&below=a")["events"]
    assert {event["source"] for event in found} == {"s1", "s2", "s3", "s5"}
    found = root("GET", "/api/v1/events?type=Test.Event&domain=a/b&account=x")["events"]
    assert [event["source"] for event in found] == ["s2"]


def test_what_is_not_declared_is_roots_alone(app, logged_in):
    """Each endpoint, also one that somebody adds tomorrow, refuses a user unless its view says what it is."""
    open_to_all = {
        "/api/v1/login",
        "/api/v1/openapi.json",
        "/health/live",
        "/health/ready",
        "/health/receiving",
        "/metrics",
    }
    refused = 0
    for rule in app.url_map.iter_rules():
        path = str(rule)
        if path in open_to_all:
            continue
        for method in rule.methods - {"OPTIONS", "HEAD"}:
            where = path.replace("<int:seq>", "1").replace("<name>", "s0").replace("<event_id>", "s0-0-0")
            where = where.replace("<token_id>", "x").replace("<path:", "<").replace("<", "").replace(">", "")
            assert app.test_client().open(where, method=method).status_code == 401, path
            view = app.view_functions[rule.endpoint]
            if getattr(view, "needed_action", Action.OPERATE) is Action.OPERATE:
                logged_in["admin-a"](method, where, 403)
                refused += 1
    assert refused > 10


@pytest.mark.parametrize(
    ("who", "method", "path", "body", "status"),
    [
        ("admin-a", "PUT", "/api/v1/users/evil", {"role": "root-admin"}, 403),
        ("admin-a", "PUT", "/api/v1/users/evil", {"role": "domain-admin", "domain": "/"}, 403),
        ("admin-a", "PUT", "/api/v1/users/evil", {"role": "user", "domain": "/ab/", "account": "x"}, 403),
        ("admin-a", "PUT", "/api/v1/users/root2", {"state": "disabled"}, 403),
        ("admin-a", "PUT", "/api/v1/users/user-abx", {"domain": "/a/"}, 403),
        ("admin-a", "PUT", "/api/v1/users/user-ax", {"domain": "/ab/"}, 403),
        ("admin-a", "PUT", "/api/v1/users/admin-a", {"role": "root-admin", "domain": "/"}, 403),
        ("admin-b", "PUT", "/api/v1/users/admin-a", {"password": PASSWORD + "!"}, 403),
        ("admin-a", "DELETE", "/api/v1/users/root2", {}, 404),
        ("admin-a", "DELETE", "/api/v1/users/user-abx", {}, 404),
        ("admin-a", "POST", "/api/v1/users/root2/tokens", {"name": "mine"}, 404),
        ("admin-a", "GET", "/api/v1/users/root2/tokens", {}, 404),
        ("admin-a", "POST", "/api/v1/domains", {"path": "/ab/c/"}, 403),
        ("admin-a", "DELETE", "/api/v1/domains?path=/ab/", {}, 403),
        ("admin-a", "POST", "/api/v1/accounts", {"name": "z", "domain": "/"}, 403),
        ("admin-a", "DELETE", "/api/v1/accounts/x?domain=/ab/", {}, 403),
        ("user-ax", "GET", "/api/v1/users", {}, 403),
        ("user-ax", "PUT", "/api/v1/users/user-ax", {"role": "domain-admin"}, 403),
        ("user-ax", "GET", "/api/v1/domains", {}, 403),
        ("user-ax", "PATCH", "/api/v1/sources", {"sources": []}, 403),
        ("admin-a", "PATCH", "/api/v1/sources", {"sources": [{"name": "s0", "domain": "/a/"}]}, 403),
        ("root2", "PUT", "/api/v1/users/a%2Fb", {"role": "user"}, 404),
        ("root2", "PUT", "/api/v1/users/short", {"role": "root-admin", "password": "short"}, 400),
        ("root2", "PUT", "/api/v1/users/lonely", {"role": "user"}, 400),
        ("root2", "PUT", "/api/v1/users/lost", {"role": "root-admin", "domain": "/a/"}, 400),
        ("root2", "PUT", "/api/v1/users/odd", {"role": "king"}, 400),
        ("root2", "PUT", "/api/v1/users/odd", {"role": "user", "passwort": "x"}, 400),
        ("root2", "DELETE", "/api/v1/domains?path=/", {}, 400),
        ("root2", "DELETE", "/api/v1/domains?path=/a/", {}, 400),
        ("root2", "DELETE", "/api/v1/accounts/x?domain=/a/", {}, 400),
        ("root2", "POST", "/api/v1/me/tokens", {"name": "short", "expires_in": 1}, 400),
    ],
)  # fmt: skip
def test_what_is_refused(logged_in, root, who, method, path, body, status):
    """Whatever is tried: refused, and nothing is changed."""
    before = [root("GET", f"/api/v1/{what}") for what in ("users", "domains", "accounts", "sources")]
    logged_in[who](method, path, status, **body)
    assert [root("GET", f"/api/v1/{what}") for what in ("users", "domains", "accounts", "sources")] == before


def test_a_domain_administrator_at_work(root, logged_in):
    """Makes a domain, an account, a user and a token in the own subtree; each is an ActionEvent that says who."""
    admin, head = logged_in["admin-a"], root("GET", "/api/v1/events?limit=1")["head"]
    admin("POST", "/api/v1/domains", 201, path="a/new")
    admin("POST", "/api/v1/domains", 200, path="/a/new/")
    made = admin("PUT", "/api/v1/users/nina", 201, role="user", domain="/a/new/", account="web", password=PASSWORD)
    assert made["user"]["has_password"] is True
    again = admin("PUT", "/api/v1/users/nina", 200, role="user", domain="/a/new/", account="web", password=PASSWORD)
    assert again["changed"] is False
    token = admin("POST", "/api/v1/users/nina/tokens", 201, name="grafana", actions=["events.read"])
    assert "web" in {item["name"] for item in admin("GET", "/api/v1/accounts")["accounts"]}
    admin("DELETE", f"/api/v1/users/nina/tokens/{token['id']}", 204)
    admin("DELETE", "/api/v1/users/nina", 204)
    admin("DELETE", "/api/v1/accounts/web?domain=/a/new/", 204)
    admin("DELETE", "/api/v1/domains?path=/a/new/", 204)
    told = root("GET", f"/api/v1/events?after={head}&order=asc&category=ActionEvent")["events"]
    assert [event["type"] for event in told] == [
        "DOMAIN.CREATE", "ACCOUNT.CREATE", "USER.CREATE", "TOKEN.CREATE",
        "TOKEN.DELETE", "USER.DELETE", "ACCOUNT.DELETE", "DOMAIN.DELETE",
    ]  # fmt: skip
    assert {event["record"]["Oem"]["redfleet"]["actor"] for event in told} == {"admin-a"}
    assert {event["domain"] for event in told} == {"/a/new/"}
    everything = json.dumps(told)
    assert PASSWORD not in everything
    assert token["secret"] not in everything
    assert "argon2" not in everything


def test_whom_a_source_belongs_to_is_in_the_tree(root, logged_in):
    """A playbook registers BMCs with a domain and an account that nobody made before; a check makes nothing."""
    wanted = [{"name": f"t{n}", "domain": "/a/t/", "account": "w"} for n in range(3)]
    root("PATCH", "/api/v1/sources", sources=wanted, check=True)
    assert "/a/t/" not in root("GET", "/api/v1/domains")["domains"]
    root("PATCH", "/api/v1/sources", sources=wanted)
    assert "/a/t/" in logged_in["admin-a"]("GET", "/api/v1/domains")["domains"]
    assert {"domain": "/a/t/", "name": "w"} in root("GET", "/api/v1/accounts")["accounts"]
    told = root("GET", "/api/v1/events?category=ActionEvent&domain=/a/t/")["events"]
    assert {event["type"] for event in told} == {"DOMAIN.CREATE", "ACCOUNT.CREATE", "SOURCE.CREATE"}
    for number in range(3):
        root("DELETE", f"/api/v1/sources/t{number}", 204)


def test_a_limited_token(app, logged_in):
    """It does what it is for and nothing else, and can't make itself greater."""
    made = logged_in["user-ax"]("POST", "/api/v1/me/tokens", 201, name="read", actions=["events.read"])
    limited = Api(app, made["secret"])
    assert limited("GET", "/api/v1/me")["actions"] == ["events.read"]
    limited("GET", "/api/v1/events")
    limited("GET", "/api/v1/sources", 403)
    limited("POST", "/api/v1/me/tokens", 403, name="more")
    limited("PUT", "/api/v1/me/password", 403, old=PASSWORD, new=PASSWORD + "!")
    listed = logged_in["user-ax"]("GET", "/api/v1/me/tokens")["tokens"]
    assert made["id"] in {token["id"] for token in listed}
    assert made["secret"] not in json.dumps(listed)
    logged_in["user-ax"]("DELETE", f"/api/v1/me/tokens/{made['id']}", 204)
    limited("GET", "/api/v1/events", 401)
    strong = logged_in["root2"]("POST", "/api/v1/me/tokens", 201, name="m", actions=["accounts.manage"])
    Api(app, strong["secret"])("PUT", "/api/v1/users/evil", 403, role="root-admin")


def test_an_expired_token(app, root, monkeypatch):
    made = root("POST", "/api/v1/users/root2/tokens", 201, name="brief", expires_in=60)
    brief = Api(app, made["secret"])
    brief("GET", "/api/v1/me")
    now = now_ns() + 61 * 10**9
    monkeypatch.setattr("event_listener.store.users.now_ns", lambda: now)
    brief("GET", "/api/v1/me")  # the clock was set forward; a minute hasn't passed
    monkeypatch.setattr("event_listener.store.users.cautious_ns", lambda: now)
    brief("GET", "/api/v1/me", 401)


def test_logging_in_and_out(app, root):
    root("PUT", "/api/v1/users/paul", 201, role="user", domain="/a/", account="x", password=PASSWORD)
    anybody = Api(app, "")
    session = Api(app, anybody("POST", "/api/v1/login", user="paul", password=PASSWORD)["secret"])
    other = Api(app, anybody("POST", "/api/v1/login", user="paul", password=PASSWORD)["secret"])
    session("PUT", "/api/v1/me/password", 403, old="wrong", new=PASSWORD + "2")
    session("POST", "/api/v1/logout", 204)
    session("GET", "/api/v1/me", 401)
    other("PUT", "/api/v1/me/password", 204, old=PASSWORD, new=PASSWORD + "2")
    other("GET", "/api/v1/me", 401)  # a changed password ends every session
    anybody("POST", "/api/v1/login", 401, user="paul", password=PASSWORD)
    again = Api(app, anybody("POST", "/api/v1/login", user="paul", password=PASSWORD + "2")["secret"])
    root("PUT", "/api/v1/users/paul", 200, state="disabled")
    again("GET", "/api/v1/me", 401)
    anybody("POST", "/api/v1/login", 401, user="paul", password=PASSWORD + "2")


def test_guessing_is_slowed_and_told(app, root, monkeypatch):
    """A few wrong ones are free, then the user is locked for longer and longer; also the right one waits then."""
    now = now_ns()
    monkeypatch.setattr("event_listener.store.users.now_ns", lambda: now)  # a slow machine mustn't wait the lock out
    root("PUT", "/api/v1/users/rita", 201, role="user", domain="/a/", account="x", password=PASSWORD)
    anybody = Api(app, "")
    for _try in range(accounts.FREE_FAILURES - 1):
        anybody("POST", "/api/v1/login", 401, user="rita", password="x")
    anybody("POST", "/api/v1/login", 429, user="rita", password="x")
    anybody("POST", "/api/v1/login", 429, user="rita", password=PASSWORD)
    failed = root("GET", "/api/v1/events?type=USER.LOGIN&level=ERROR")["events"]
    about = [event for event in failed if event["resource_id"] == "rita"]
    assert len(about) == 1  # once a minute, not per try
    assert about[0]["domain"] == "/a/"
    now += 2 * 10**9
    anybody("POST", "/api/v1/login", 200, user="rita", password=PASSWORD)


def test_an_unknown_user_is_not_told_apart(app, root):
    """Same answer; and the name isn't logged, since it may be a password in the wrong field."""
    one = Api(app, "")("POST", "/api/v1/login", 401, user="rita2", password="x")
    assert one["detail"] == "user or password is wrong"
    failed = root("GET", "/api/v1/events?type=USER.LOGIN&level=ERROR")["events"]
    assert "rita2" not in json.dumps(failed)


def test_a_configured_token_is_root_but_no_user(root):
    assert root("GET", "/api/v1/me")["name"] == "token:ci"
    root("POST", "/api/v1/logout", 409)
    root("POST", "/api/v1/me/tokens", 409, name="x")


DOMAINS = ["/", "/a/", "/a/b/", "/a/b/c/", "/ab/", "/b/"]
WHO = st.tuples(st.sampled_from(list(Role)), st.sampled_from(DOMAINS), st.sampled_from(["x", "y"]))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(DOMAINS), st.none() | st.sampled_from(["x", "y"])), max_size=8), WHO)
def test_random_trees(tmp_path_factory, owners, who):
    """Over random sources and a random user: listed is what the policy allows, event by event."""
    role, domain, account = who
    asks = policy.Principal(name="p", role=role, domain=domain, account=account)
    with open_store(tmp_path_factory.mktemp("tree")) as store:
        store.log.add([arrival(f"s{n}", Owner(*owner)) for n, owner in enumerate(owners)])
        for action in (Action.READ_EVENTS, Action.READ_SOURCES):
            scope = policy.scope(asks, action)
            found = {event.source for event in store.queries.find(Query(scope=scope)).events}
            wanted = {f"s{n}" for n, owner in enumerate(owners) if policy.allowed(asks, action, Owner(*owner))}
            assert found == wanted
            for number in range(len(owners)):
                event = store.queries.get(f"s{number}-0-0", scope)
                assert (event is not None) is (f"s{number}" in wanted)
        filtered_and_deleted(store, asks, owners)


FILTERS = [
    Query(below="/a/"), Query(domain=("/a/", "/ab/")), Query(account=("x",)), Query(keyword="test s*"),
    Query(type=("Test.*",), below="/a/b/"), Query(source=("s0", "s1", "s2")), Query(since_ns=1), Query(archived="all"),
]  # fmt: skip


def filtered_and_deleted(store, asks, owners):
    """Whatever the filter: exactly what it finds for root and the policy allows; also what is archived and deleted."""
    everything = store.queries.find(Query()).events
    scope = policy.scope(asks, Action.MANAGE_EVENTS)
    for index, query in enumerate(FILTERS):
        wanted = [one.id for one in everything if query.holds(one) and scope.holds(Owner(one.domain, one.account))]
        mine = replace(query, scope=scope)
        assert [one.id for one in store.queries.find(mine).events] == wanted
        assert store.queries.total(mine) == len(wanted)
        if query.names_some():
            deed = (Deed.ARCHIVE, Deed.DELETE)[index % 2]
            assert store.deeds.do(deed, mine, Actor("p", "here"), Owner(), dry_run=True) == len(wanted)
    mine = Query(type=("Test.*",), scope=scope)
    wanted = {one.id for one in everything if scope.holds(Owner(one.domain, one.account))}
    assert store.deeds.do(Deed.DELETE, mine, Actor("p", "here"), Owner()) == len(wanted)
    left = {one.id for one in store.queries.find(Query(type=("Test.*",), archived="all")).events}
    assert left == {f"s{number}-0-0" for number in range(len(owners))} - wanted


def test_lock_times_rise_and_end():
    waits = [accounts.lock_seconds(count) for count in range(60)]
    assert waits[: accounts.FREE_FAILURES] == [0] * accounts.FREE_FAILURES
    assert all(a <= b for a, b in itertools.pairwise(waits))
    assert waits[-1] == 900
