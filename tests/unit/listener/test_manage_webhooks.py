# SPDX-License-Identifier: GPL-3.0-or-later
"""Webhooks through the management application: what each user may have, and what an attacker tries."""

import itertools

import pytest
import trustme
from event_listener import policy
from event_listener.manage import create_app
from event_listener.policy import Action, Owner, Role
from event_listener.settings import ApiToken, Manage, Settings
from event_listener.settings_base import Secret
from event_listener.settings_webhooks import Webhooks
from event_listener.store import Delivery, Query, open_store
from standardwebhooks.webhooks import Webhook as Verifier

from tests.api_contract import JudgedClient
from tests.unit.listener.test_manage_accounts import ROOT, Api
from tests.unit.listener.webhook_receiver import Receiver, server_context

OWNERS = [Owner("/"), Owner("/a/", "x"), Owner("/a/b/", "x"), Owner("/a/b/", "y"), Owner("/ab/", "x"), Owner("/a/")]
USERS = {
    "admin-a": {"role": "domain-admin", "domain": "/a/"},
    "admin-b": {"role": "domain-admin", "domain": "/a/b/"},
    "user-ax": {"role": "user", "domain": "/a/", "account": "x"},
    "user-bx": {"role": "user", "domain": "/a/b/", "account": "x"},
    "user-abx": {"role": "user", "domain": "/ab/", "account": "x"},
}
SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="
WEBHOOK = Webhooks(exempt_networks=["127.0.0.0/9"])
HOOKS, DELIVERIES = "/api/v1/webhooks", "/api/v1/webhook-deliveries"


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("webhooks")


@pytest.fixture(scope="module")
def app(directory):
    """An application with every kind of user."""
    (directory / "token").write_text(ROOT)
    token = ApiToken(name="ci", token=Secret(file=str(directory / "token")))
    app = create_app(Settings(state_dir=str(directory), manage=Manage(tokens=[token]), webhook=WEBHOOK))
    app.test_client_class = JudgedClient
    root = Api(app, ROOT)
    for name, fields in USERS.items():
        root("PUT", f"/api/v1/users/{name}", 201, **fields)
    return app


@pytest.fixture(scope="module")
def root(app):
    return Api(app, ROOT)


@pytest.fixture(scope="module")
def asks(app, root):
    """Each user with a token."""
    path = "/api/v1/users/{}/tokens"
    return {name: Api(app, root("POST", path.format(name), 201, name="t")["secret"]) for name in USERS}


@pytest.fixture(scope="module")
def hooks(root, directory):
    """A Local webhook of each owner with one delivery, by number."""
    made = []
    for number, owner in enumerate(OWNERS):
        fields = {"domain": owner.domain, "account": owner.account, "name": f"h{number}", "secret": SECRET}
        made.append(root("POST", HOOKS, 201, url=f"https://h{number}.example/", **fields)["webhook"]["id"])
    with open_store(directory) as store:
        lease = store.cursors.acquire("webhooks", "test", 60)
        for number, webhook in enumerate(made):
            store.deliveries.expand(
                lease, {webhook: store.webhooks.place(webhook).position}, 1, [delivery(number, webhook)]
            )
        store.cursors.release(lease)
    return made


def delivery(number, webhook):
    names = ("message_id", "event_id", "event_type", "event_owner", "content_type")
    return Delivery(id=f"whd_{number}", webhook=webhook, payload=b"{}", created_ns=1000, **dict.fromkeys(names, "x"))


def principal(name):
    fields = USERS[name]
    return policy.Principal(
        name=name, role=Role(fields["role"]), domain=fields.get("domain", "/"), account=fields.get("account")
    )


def reaches(name, number):
    return policy.allowed(principal(name), Action.MANAGE_WEBHOOKS, OWNERS[number])


@pytest.mark.parametrize(("name", "number"), list(itertools.product(USERS, range(len(OWNERS)))))
def test_attack_ids_of_others(asks, root, hooks, name, number):
    """By id, in lists and through deliveries: what is out of reach isn't there, and stays as it is."""
    api, webhook, mine = asks[name], hooks[number], reaches(name, number)
    assert (webhook in [item["id"] for item in api("GET", HOOKS)["webhooks"]]) is mine
    assert (f"whd_{number}" in [item["id"] for item in api("GET", DELIVERIES)["deliveries"]]) is mine
    listed = api("GET", f"{DELIVERIES}?webhook={webhook}")["deliveries"]
    assert bool(listed) is mine
    status = 200 if mine else 404
    api("GET", f"{HOOKS}/{webhook}", status)
    api("GET", f"{DELIVERIES}/whd_{number}", status)
    before = root("GET", f"{HOOKS}/{webhook}")
    api("PATCH", f"{HOOKS}/{webhook}", status, description="", check=True)
    if not mine:
        api("POST", f"{HOOKS}/{webhook}/test", 404, payload="x")
        api("PATCH", f"{HOOKS}/{webhook}", 404, url="https://evil.example/")
        api("DELETE", f"{HOOKS}/{webhook}", 404)
        api("DELETE", f"{DELIVERIES}/whd_{number}", 404)
        api("POST", f"{DELIVERIES}/whd_{number}/redeliver", 404)
        assert api("DELETE", f"{DELIVERIES}?webhook={webhook}")["deleted"] == 0
    assert root("GET", f"{HOOKS}/{webhook}") == before


@pytest.mark.parametrize(
    ("name", "fields", "status"),
    [
        ("user-ax", {}, 201),
        ("user-ax", {"scope": "Domain"}, 403),
        ("user-ax", {"scope": "Global", "domain": "/"}, 403),
        ("user-ax", {"account": "y"}, 403),
        ("user-ax", {"domain": "/a/b/", "account": "x"}, 403),
        ("user-ax", {"account": None}, 403),
        ("admin-a", {}, 201),
        ("admin-a", {"scope": "Domain"}, 201),
        ("admin-a", {"scope": "Domain", "domain": "/a/b/"}, 201),
        ("admin-a", {"scope": "Domain", "domain": "/ab/"}, 403),
        ("admin-a", {"scope": "Domain", "domain": "/"}, 403),
        ("admin-a", {"scope": "Global", "domain": "/"}, 403),
        ("admin-a", {"account": "x"}, 201),
        ("admin-b", {"domain": "/a/"}, 403),
    ],
)
def test_who_may_have_which_scope(asks, root, name, fields, status):
    """CloudStack's rules: users Local, domain admins also Domain in the own subtree, Global root alone."""
    answer = asks[name]("POST", HOOKS, status, name="scoped", url="https://scoped.example/", **fields)
    if status == 201:
        root("DELETE", f"{HOOKS}/{answer['webhook']['id']}", 204)


def test_attack_a_webhook_is_not_widened_or_moved(asks, hooks):
    asks["user-ax"]("PATCH", f"{HOOKS}/{hooks[1]}", 403, scope="Domain", account=None)
    asks["user-ax"]("PATCH", f"{HOOKS}/{hooks[1]}", 403, domain="/ab/")
    asks["admin-b"]("PATCH", f"{HOOKS}/{hooks[2]}", 403, domain="/a/")


def test_attack_a_domain_s_webhook_is_not_its_users(asks, root):
    """A user of an account in the domain would see, or lead elsewhere, what the whole domain is told."""
    made = root("POST", HOOKS, 201, name="wide", url="https://wide.example/", scope="Domain", domain="/a/")
    asks["user-ax"]("GET", f"{HOOKS}/{made['webhook']['id']}", 404)
    root("DELETE", f"{HOOKS}/{made['webhook']['id']}", 204)


def test_attack_a_limited_token_gets_no_events_by_a_webhook(app, root, hooks):
    """A token for webhooks alone must not read events through their deliveries, nor have them sent."""
    path = "/api/v1/users/user-ax/tokens"
    secret = root("POST", path, 201, name="w", actions=["webhooks.manage"])["secret"]
    api = Api(app, secret)
    api("POST", HOOKS, 403, name="leak", url="https://leak.example/")
    api("GET", DELIVERIES, 403)
    api("GET", f"{DELIVERIES}/whd_1", 403)
    api("POST", f"{DELIVERIES}/whd_1/redeliver", 403)
    api("POST", f"{HOOKS}/{hooks[1]}/test", 403, payload="x")
    api("PATCH", f"{HOOKS}/{hooks[1]}", 403, url="https://leak.example/")
    reader = root("POST", path, 201, name="r", actions=["events.read"])["secret"]
    Api(app, reader)("GET", HOOKS, 403)


def test_cloudstack_defect_the_secret_is_never_shown(root, hooks, directory):
    """CloudStack lists the secret in clear. Here not in any answer, nor in the events of changes."""
    with open_store(directory) as store:
        events = str([event.record for event in store.queries.find(Query(limit=1000)).events])
    shown = str(root("GET", HOOKS)) + str(root("GET", f"{HOOKS}/{hooks[0]}")) + events
    assert "WEBHOOK.CREATE" in shown
    assert SECRET not in shown
    assert SECRET.removeprefix("whsec_") not in shown
    changed = root("PATCH", f"{HOOKS}/{hooks[0]}", 200, generate_secret=True)
    assert changed["secret"].startswith("whsec_")
    assert changed["webhook"]["old_secret_until"]
    assert "secret" not in changed["webhook"]


@pytest.mark.usefixtures("hooks")
def test_cloudstack_defect_dates_alone_delete_no_deliveries_of_others(asks, root):
    """In CloudStack a user who gave only dates deleted everybody's (fixed later by an isRootAdmin guard)."""
    others = {f"whd_{number}" for number in range(len(OWNERS)) if not reaches("user-abx", number)}
    assert asks["user-abx"]("DELETE", f"{DELIVERIES}?since=2000-01-01T00:00:00Z")["deleted"] == 0
    assert asks["user-abx"]("DELETE", f"{DELIVERIES}?until=1s")["deleted"] == 1
    assert others <= {item["id"] for item in root("GET", DELIVERIES)["deliveries"]}
    asks["user-abx"]("DELETE", DELIVERIES, 400)


def test_cloudstack_defect_no_limit_per_account(root):
    """CloudStack has none. And the same URL, or name, once per owner, as there."""
    fields = {"domain": "/many/", "account": "m"}
    for number in range(50):
        root("POST", HOOKS, 201, name=f"n{number}", url=f"https://m.example/{number}", **fields)
    assert "webhook.limit" in root("POST", HOOKS, 400, name="n", url="https://m.example/", **fields)["detail"]
    twice = root("POST", HOOKS, 409, name="n", url="https://m.example/1", **fields)
    assert "already in use" in twice["detail"]
    for item in root("GET", f"{HOOKS}?domain=/many/")["webhooks"]:
        root("DELETE", f"{HOOKS}/{item['id']}", 204)


def test_what_is_asked_wrongly_is_refused(root, hooks):
    one = f"{HOOKS}/{hooks[0]}"
    assert "allow_http" in root("POST", HOOKS, 400, name="n", url="http://h.example/")["detail"]
    root("GET", f"{HOOKS}?nmae=x", 400)
    root("GET", f"{HOOKS}?state=Broken", 400)
    root("GET", f"{HOOKS}?scope=local", 400)
    root("GET", f"{HOOKS}?account=", 400)
    root("GET", f"{DELIVERIES}?limit=0", 400)
    root("GET", f"{DELIVERIES}?state=Lost", 400)
    root("GET", f"{DELIVERIES}?since=yesterday", 400)
    root("PATCH", one, 400, nmae="x")
    root("PATCH", one, 400, secret="x" * 20, generate_secret=True)
    root("PATCH", one, 400, filters=[{"value": ""}])
    root("PATCH", one, 409, filters=[{"value": "A"}, {"value": "A"}])
    root("GET", f"{HOOKS}/nothing", 404)
    root("PATCH", f"{HOOKS}/nothing", 404, name="x")


def test_a_change_is_tried_and_repeated(root, hooks):
    """Check mode writes nothing; the same change again changes nothing: what modules need."""
    one = f"{HOOKS}/{hooks[3]}"
    wanted = {"filters": [{"value": "VM.", "match": "Prefix"}], "levels": ["ERROR"], "state": "Disabled"}
    assert root("PATCH", one, 200, check=True, **wanted)["changed"]
    assert root("GET", one)["filters"] == []
    assert root("PATCH", one, 200, **wanted)["changed"]
    again = root("PATCH", one, 200, **wanted)
    assert not again["changed"]
    assert again["before"] == again["webhook"]
    assert again["webhook"]["filters"] == [{"value": "VM.", "mode": "Include", "match": "Prefix"}]
    assert root("GET", f"{HOOKS}?state=Disabled")["webhooks"][0]["id"] == hooks[3]


def test_what_holds_webhooks_is_not_removed(root):
    """Whoever makes an account of the same name later must not find a webhook of somebody else's in it."""
    fields = {"domain": "/gone/", "account": "g"}
    made = root("POST", HOOKS, 201, name="n", url="https://g.example/", **fields)["webhook"]["id"]
    assert "has webhooks" in root("DELETE", "/api/v1/accounts/g?domain=/gone/", 400)["detail"]
    root("DELETE", f"{HOOKS}/{made}", 204)
    root("DELETE", "/api/v1/accounts/g?domain=/gone/", 204)


@pytest.mark.usefixtures("hooks")
def test_redelivery_keeps_payload_and_id(root):
    """As CloudStack: a delivery of its own with the original payload; receivers know the message by its id."""
    made = root("POST", f"{DELIVERIES}/whd_2/redeliver", 202)
    first = root("GET", f"{DELIVERIES}/whd_2")
    assert made["redelivery_of"] == "whd_2"
    assert made["id"] != "whd_2"
    assert [made[name] for name in ("payload", "message_id", "event_id")] == [
        first[name] for name in ("payload", "message_id", "event_id")
    ]
    root("POST", f"{DELIVERIES}/nothing/redeliver", 404)


def test_a_test_delivery_is_sent_and_not_recorded(root):
    """As CloudStack: its payload and type; the answer says what came of it."""
    authority = trustme.CA()
    context = server_context(authority.issue_cert("127.0.0.1"))
    with Receiver(context=context) as receiver:
        fields = {"url": receiver.url, "ca": authority.cert_pem.bytes().decode(), "secret": SECRET}
        made = root("POST", HOOKS, 201, name="tried", **fields)["webhook"]["id"]
        answer = root("POST", f"{HOOKS}/{made}/test", 200, payload="")
        ((headers, body),) = receiver.requests
        root("POST", f"{HOOKS}/{made}/test", 200, payload="plain")
        assert receiver.requests[1][0]["Content-Type"] == "text/plain"
    assert (answer["success"], answer["status"], answer["address"]) == (True, 200, "127.0.0.1")
    assert Verifier(SECRET).verify(body, headers) == {"CloudStack": "works!"}
    assert headers["X-CS-Event"] == "TEST.WEBHOOK"
    assert root("GET", f"{DELIVERIES}?webhook={made}")["deliveries"] == []
    root("DELETE", f"{HOOKS}/{made}", 204)


@pytest.mark.parametrize("host", ["127.200.0.1", "169.254.169.254", "10.0.0.1", "[::1]"])
def test_attack_a_user_looks_inside_by_test_deliveries(asks, host):
    """This host, clouds' credentials, private networks: refused before a connection, whoever may read the answer."""
    made = asks["user-ax"]("POST", HOOKS, 201, name="inside", url=f"https://{host}/")["webhook"]["id"]
    answer = asks["user-ax"]("POST", f"{HOOKS}/{made}/test", 200, payload="x")
    assert (answer["success"], answer["status"], answer["response"]) == (False, None, "")
    assert "not allowed" in answer["error"]
    asks["user-ax"]("DELETE", f"{HOOKS}/{made}", 204)
