# SPDX-License-Identifier: GPL-3.0-or-later
"""Every change through the API or the command line is an ActionEvent: also through endpoints somebody adds tomorrow.

The operations are those of the OpenAPI document; each that changes something is done here once, or exempt for a reason.
"""

import collections
import json
import threading

import pytest
from click.testing import CliRunner
from event_listener.alert_rules import Rulebook
from event_listener.cli import main
from event_listener.journal import Journal
from event_listener.manage import create_app
from event_listener.policy import Owner
from event_listener.settings import ApiToken, Manage, Settings
from event_listener.settings_alerts import AlertSettings
from event_listener.settings_base import Secret
from event_listener.store import Actor, Query, open_store
from event_listener.store.scans import Wanted

from tests.api_contract import JudgedClient
from tests.unit.listener.stores import arrival, write
from tests.unit.listener.test_manage_accounts import PASSWORD, ROOT, Api
from tests.unit.listener.test_manage_alerts import failure
from tests.unit.listener.test_manage_webhooks import delivery
from tests.unit.listener.test_store_registries import REGISTRY

API = "/api/v1"
EXEMPT = {
    f"POST {API}/webhooks/{{webhook_id}}/test": "a test delivery is sent and not recorded, as CloudStack has it",
    f"POST {API}/message-registries/unread": "a question; its body is only too long for a URL",
    f"POST {API}/proofs": "announces a test event, which then is in the log itself; it expires by itself",
    f"POST {API}/upkeep": "a playbook tells what it saw and did at BMCs, every few minutes; nothing is decided by it",
    f"POST {API}/coverage": "the same, of the whole fleet",
}
CONFIG = """state_dir: {directory}
user: root
sinks:
  syslog: [{{name: central, host: logs.example.com}}]
"""


class Changing:
    """A listener's state with something of everything, its application, and what was told since the last look."""

    def __init__(self, directory):
        self.directory, self._told = directory, 0
        (directory / "token").write_text(ROOT)
        (directory / "config.yml").write_text(CONFIG.format(directory=directory))
        Journal(str(directory)).close()
        token = ApiToken(name="ci", token=Secret(file=str(directory / "token")))
        with open_store(directory) as store:
            write(store, arrival(1), arrival(2), arrival(3, problem="torn", body=b"{}"))
            reader = store.alerts.reader(Rulebook(AlertSettings()))
            reader.reader.begin()
            store.log.add([failure(1, Owner())])
            while reader.follow():
                pass
        app = create_app(Settings(state_dir=str(directory), manage=Manage(tokens=[token])))
        app.test_client_class = JudgedClient
        self.app, self.root, self.done = app, Api(app, ROOT), set()

    def told(self):
        """The type, actor and place of each ActionEvent since the last call."""
        with open_store(self.directory) as store:
            head, found = store.log.head(), Query(category=("ActionEvent",), after=self._told, order="asc", limit=1000)
            events, self._told = store.queries.find(found).events, head
        details = [event.record["Oem"]["redfleet"] for event in events]
        return [(event.type, one["actor"], one["from"]) for event, one in zip(events, details, strict=True)]

    def do(self, operation, status=200, /, api=None, path="", body=None):
        """An operation that changes something: its answer, once it is known to be told of."""
        self.done.add(operation)
        method, template = operation.split()
        self.told()
        answer = (api or self.root)(method, path or template, status, **(body or {}))
        told = self.told()
        assert told, f"{operation} changed something, and no ActionEvent tells who did it"
        assert all(actor in ("token:ci", "ada") and place == "127.0.0.1" for _type, actor, place in told), told
        return answer


@pytest.fixture
def changing(tmp_path):
    return Changing(tmp_path)


def owners(world):
    world.do(f"POST {API}/domains", 201, body={"path": "/a/"})
    world.do(f"DELETE {API}/domains", 204, path=f"{API}/domains?path=/a/")
    world.do(f"POST {API}/accounts", 201, body={"domain": "/b/", "name": "x"})
    world.do(f"DELETE {API}/accounts/{{name}}", 204, path=f"{API}/accounts/x?domain=/b/")
    sources = f"{API}/sources"
    world.do(f"PATCH {sources}", body={"sources": [{"name": "bmc1"}]})
    world.do(f"DELETE {sources}/{{name}}", 204, path=f"{sources}/bmc1")


def people(world):
    users = f"{API}/users"
    world.do(f"PUT {users}/{{name}}", 201, path=f"{users}/ada", body={"role": "root-admin", "password": PASSWORD})
    token = world.do(f"POST {users}/{{name}}/tokens", 201, path=f"{users}/ada/tokens", body={"name": "t"})["id"]
    world.do(f"DELETE {users}/{{name}}/tokens/{{token_id}}", 204, path=f"{users}/ada/tokens/{token}")
    session = world.do(f"POST {API}/login", body={"user": "ada", "password": PASSWORD})["secret"]
    ada = Api(world.app, session)
    token = world.do(f"POST {API}/me/tokens", 201, api=ada, body={"name": "mine"})["id"]
    world.do(f"DELETE {API}/me/tokens/{{token_id}}", 204, api=ada, path=f"{API}/me/tokens/{token}")
    world.do(f"POST {API}/logout", 204, api=ada)
    ada = Api(world.app, world.root("POST", f"{API}/login", user="ada", password=PASSWORD)["secret"])
    world.do(f"PUT {API}/me/password", 204, api=ada, body={"old": PASSWORD, "new": f"{PASSWORD}-2"})
    world.do(f"DELETE {users}/{{name}}", 204, path=f"{users}/ada")


def events(world):
    first, second = (one["id"] for one in world.root("GET", f"{API}/events?type=Test.Event")["events"])
    world.do(f"POST {API}/events/archive", body={"id": [first]})
    world.do(f"POST {API}/events/delete", body={"id": [second]})
    (alert,) = world.root("GET", f"{API}/alerts")["alerts"]
    world.do(f"POST {API}/alerts/actions", body={"action": "acknowledge", "ids": [alert["id"]]})
    entry = {"Id": "1", "Created": "2026-11-22T03:00:00Z", "MessageId": "Base.1.0.Test", "Message": "Missed"}
    world.do(f"POST {API}/backfill", body={"sources": [{"source": "bmc1", "entries": [entry]}]})


def hooks(world):
    hooks, sent = f"{API}/webhooks", f"{API}/webhook-deliveries"
    made = world.do(f"POST {hooks}", 201, body={"name": "h", "url": "https://h.example/", "scope": "Global"})
    hook = made["webhook"]["id"]
    world.do(f"PATCH {hooks}/{{webhook_id}}", path=f"{hooks}/{hook}", body={"description": "new"})
    with open_store(world.directory) as store:
        lease = store.cursors.acquire("webhooks", "test", 60)
        at = {hook: store.webhooks.place(hook).position}
        store.deliveries.expand(lease, at, store.log.head(), [delivery(number, hook) for number in range(2)])
    world.do(f"POST {sent}/{{delivery_id}}/redeliver", 202, path=f"{sent}/whd_0/redeliver")
    world.do(f"DELETE {sent}/{{delivery_id}}", 204, path=f"{sent}/whd_0")
    world.do(f"DELETE {sent}", path=f"{sent}?webhook={hook}")
    world.do(f"DELETE {hooks}/{{webhook_id}}", 204, path=f"{hooks}/{hook}")


def meanings(world):
    path = f"{API}/message-registries"
    readings = [{"registries": [REGISTRY, {**REGISTRY, "version": "2.0.0"}]}]
    world.do(f"PUT {path}", body={"readings": readings})
    world.do(f"DELETE {path}/{{registry}}/{{version}}", 204, path=f"{path}/R/1.0.0")
    world.do(f"DELETE {path}/{{registry}}", 204, path=f"{path}/R")


def test_every_operation_that_changes_something_is_told(changing):
    document = changing.root("GET", f"{API}/openapi.json")
    there = {
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method in methods
        if method != "get"
    }
    for some in (owners, people, events, hooks, meanings):
        some(changing)
    assert there - EXEMPT.keys() == changing.done, "each is done here, or is exempt for a reason"
    assert EXEMPT.keys() <= there


def test_what_changes_nothing_is_not_told(changing):
    """A look with `check`, a dry run, what is there already, and what is refused."""
    path, readings = f"{API}/message-registries", [{"registries": [REGISTRY]}]
    changing.root("PUT", path, readings=readings)
    changing.told()
    changing.root("PUT", path, readings=readings)
    changing.root("PUT", path, readings=[{"registries": [{**REGISTRY, "version": "3.0.0"}]}], check=True)
    changing.root("DELETE", f"{path}/R/7.0.0", 404)
    changing.root("POST", f"{API}/events/delete", type=["Test.Event"], dry_run=True)
    changing.root("POST", f"{API}/backfill", sources=[{"source": "bmc1", "entries": []}])
    assert changing.told() == []


def test_what_only_the_command_line_does_is_told(changing, monkeypatch):
    """Sinks, scans, quarantine: by the login behind sudo. What it shares with the API takes the same way."""
    monkeypatch.setenv("SUDO_USER", "grace")
    (changing.directory / "registry.json").write_text(json.dumps(REGISTRY))
    with open_store(changing.directory) as store:
        wanted = Wanted("scan1", ("192.0.2.1",), ("event",), Owner())
        store.scans.schedule("qualys", 0, 1, [wanted], dry_run=False)
        store.scans.ended(store.scans.claim("qualys", 10, 60), "it failed", "")
        (torn,) = store.quarantine.list()
    changing.told()

    def run(*words):
        done = CliRunner().invoke(main, [*words, "--config", str(changing.directory / "config.yml")])
        assert done.exit_code == 0, done.output
        return [kind for kind, actor, place in changing.told() if (actor, place) == ("grace", "command line")]

    assert run("sink", "pause", "central") == ["SINK.PAUSE"]
    assert run("sink", "resume", "central") == ["SINK.RESUME"]
    assert run("sink", "resume", "central") == [], "it wasn't paused"
    assert run("sink", "replay", "central", "--from", "2026-01-01T00:00:00Z") == ["SINK.REPLAY"]
    assert run("scans", "retry", "scan1") == ["SCAN.RETRY"]
    assert run("registries", "import", str(changing.directory / "registry.json")) == ["MESSAGEREGISTRY.CREATE"]
    assert run("registries", "import", str(changing.directory / "registry.json")) == [], "it was there"
    assert run("registries", "remove", "R") == ["MESSAGEREGISTRY.DELETE"]
    assert run("quarantine", "retry", str(torn.seq)) == ["QUARANTINE.RETRY"]


def test_steering_a_lane_is_told_on_each_database(emptied):
    """Also while the log grows: sequence numbers are given to one writer at a time."""
    ada = Actor("ada", "here")
    writer = threading.Thread(target=lambda: [write(emptied, arrival(number)) for number in range(1, 30)])
    writer.start()
    for _turn in range(5):
        emptied.cursors.pause("central", ada)
        assert emptied.cursors.resume("central", ada)
        emptied.cursors.rewind("sink:central", "central", 0, ada)
    writer.join()
    found = emptied.queries.find(Query(category=("ActionEvent",), resource_id=("central",), limit=100)).events
    told = collections.Counter(event.type for event in found)
    assert told == {"SINK.PAUSE": 5, "SINK.RESUME": 5, "SINK.REPLAY": 5}
    assert emptied.log.head() == 29 + 15
