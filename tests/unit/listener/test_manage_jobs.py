# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs through the management application and on the command line: what is asked, and who sees it."""

import json

import pytest
from click.testing import CliRunner
from event_listener import policy
from event_listener.cli import main
from event_listener.event import Category, Record, State
from event_listener.manage import create_app
from event_listener.policy import Action
from event_listener.settings import ApiToken, Manage, Settings
from event_listener.settings_base import Secret
from event_listener.store import Arrival, open_store
from event_listener.store.log import now_ns

from tests.unit.listener.test_manage_accounts import OWNERS, PASSWORD, ROOT, USERS, Api, principal

HOUR = 3600 * 10**9


def arrival(number, owner, record, age_ns=0):
    return Arrival(
        journal_id=f"{record.start_id}-{record.type}",
        journal_seq=0,
        received_ns=now_ns() - age_ns,
        source=f"s{number}",
        address=f"s{number}",
        peer="",
        credential="",
        content_type="",
        body=b"{}",
        owner=owner,
        records=(record,),
    )


def job(event_type, start_id, state=State.COMPLETED, **fields):
    return Record(category=Category.ASYNC_JOB, type=event_type, start_id=start_id, state=state, record={}, **fields)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """A log with a job of each owner that started two hours ago, and one of the first that ended."""
    directory = tmp_path_factory.mktemp("jobs")
    (directory / "token").write_text(ROOT)
    (directory / "config.yml").write_text(f"state_dir: {directory}\nuser: root\n")
    with open_store(directory) as store:
        store.jobs.reader.begin()
        found = [arrival(0, OWNERS[0], job("port.create.end", "req-1"))]
        found += [
            arrival(number, owner, job("VM.START", f"job-{number}", State.STARTED), 2 * HOUR)
            for number, owner in enumerate(OWNERS)
        ]
        store.log.add(found)
        while store.jobs.follow():
            pass
    return directory


@pytest.fixture(scope="module")
def app(directory):
    token = ApiToken(name="ci", token=Secret(file=str(directory / "token")))
    app = create_app(Settings(state_dir=str(directory), manage=Manage(tokens=[token])))
    for name, fields in USERS.items():
        Api(app, ROOT)("PUT", f"/api/v1/users/{name}", 201, password=PASSWORD, **fields)
    return app


@pytest.mark.parametrize("name", USERS)
def test_everybody_sees_their_own_jobs(app, name):
    """Listed, filtered and by id: the policy's set, whatever is asked."""
    secret = Api(app, "")("POST", "/api/v1/login", user=name, password=PASSWORD)["secret"]
    asks = Api(app, secret)
    wanted = {f"s{n}" for n, owner in enumerate(OWNERS) if policy.allowed(principal(name), Action.READ_EVENTS, owner)}
    assert {one["source"] for one in asks("GET", "/api/v1/jobs?state=started")["jobs"]} == wanted
    assert {one["source"] for one in asks("GET", "/api/v1/jobs?running_for=1h&below=/")["jobs"]} == wanted
    for one in Api(app, ROOT)("GET", "/api/v1/jobs?state=started")["jobs"]:
        asks("GET", f"/api/v1/jobs/{one['id']}", 200 if one["source"] in wanted else 404)


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ("state=running", 400, "none of scheduled, started, progress, completed, failed"),
        ("staet=started", 400, "staet is no parameter; there are account, before, below"),
        ("running_for=long", 400, "running_for 'long' is no time"),
        ("hanging=maybe", 400, "neither true nor false"),
        ("limit=0", 400, "no whole number from 1 to 1000"),
        ("limit=5&limit=6", 400, "limit is given 2 times"),
        ("source=", 400, "source is empty"),
        ("below=../x", 400, "write a path"),
    ],
)
def test_a_wrong_question_is_refused(app, asked, status, said):
    """A misspelt filter must not show everything."""
    assert said in Api(app, ROOT)("GET", f"/api/v1/jobs?{asked}", status)["detail"]


def test_what_is_shown(app):
    """Times by the listener's clock, how long it lasts, and the way to its events."""
    asks = Api(app, ROOT)
    assert asks("GET", "/api/v1/jobs?hanging=true") == {"jobs": [], "next": None}
    assert asks("GET", "/api/v1/jobs?waiting_for=0s")["jobs"] == []
    (ended,) = asks("GET", "/api/v1/jobs?start_id=req-1")["jobs"]
    assert (ended["operation"], ended["state"], ended["seconds"]) == ("port.create", "completed", None)
    (running,) = asks("GET", "/api/v1/jobs?start_id=job-3")["jobs"]
    assert running["seconds"] == pytest.approx(7200, abs=600)
    assert asks("GET", f"/api/v1/events?id={running['first_event']}")["events"][0]["start_id"] == "job-3"
    first = asks("GET", "/api/v1/jobs?limit=4")
    rest = asks("GET", f"/api/v1/jobs?before={first['next']}")
    assert len({one["id"] for one in first["jobs"] + rest["jobs"]}) == 7
    metrics = app.test_client().get("/metrics").text
    assert 'event_listener_jobs{state="started"} 6.0' in metrics
    assert "event_listener_jobs_hanging 0.0" in metrics


def test_on_the_command_line(directory):
    """As an operator types it."""

    def run(*arguments, status=0):
        done = CliRunner().invoke(main, ["--config", str(directory / "config.yml"), "jobs", *arguments])
        assert done.exit_code == status, done.output
        return done.output

    lines = run("--running-for", "1h").splitlines()
    assert lines[0].split() == ["ID", "STATE", "SOURCE", "SINCE", "LASTS", "JOB", "MESSAGE"]
    assert len(lines) == 7
    (ended,) = map(json.loads, run("--json", "--state", "completed").splitlines())
    assert (ended["start_id"], ended["source"]) == ("req-1", "s0")
    assert run("--hanging").count("\n") == 1
    assert "is no time" in run("--since", "soon", status=1)
