# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenAPI document: of every route and nothing else; what follows from it for parameters, tokens and browsers."""

import pytest
from event_listener.manage import create_app, openapi
from event_listener.policy import Action
from event_listener.settings import ApiToken, Manage, Settings
from event_listener.settings_base import Secret
from event_listener.store import open_store
from openapi_spec_validator import validate

from tests.api_contract import JudgedClient

HEADERS = {"Authorization": "Bearer root-token"}
FREE = {"/api/v1/login", "/api/v1/openapi.json", "/health/live", "/health/ready", "/health/receiving", "/metrics"}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    directory = tmp_path_factory.mktemp("openapi")
    (directory / "token").write_text("root-token")
    token = ApiToken(name="root", token=Secret(file=str(directory / "token")))
    with open_store(directory):
        pass
    app = create_app(Settings(state_dir=str(directory), manage=Manage(tokens=[token])))
    app.test_client_class = JudgedClient
    return app


@pytest.fixture(scope="module")
def document(app):
    return app.test_client().get("/api/v1/openapi.json").get_json()


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def test_every_route_is_described_and_nothing_else(app, document):
    """Who adds an endpoint describes it, beside its view: see manage/describe.py."""
    assert openapi.undescribed(app) == []
    served = {
        (openapi.path_of(rule), method)
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert {(path, method) for path, method, _operation in operations(document)} == served


def test_it_is_openapi_3_1(document):
    validate(document)
    ids = [operation["operationId"] for _path, _method, operation in operations(document)]
    assert len(set(ids)) == len(ids)


def test_every_operation_says_what_it_needs(document):
    """The right of each is in the document, and what needs none is a short list."""
    for path, _method, operation in operations(document):
        if path in FREE:
            assert operation["security"] == []
        else:
            assert operation["security"] == [{"token": []}]
            assert operation["x-action"] in set(Action)


def test_what_is_free_follows_the_settings(tmp_path):
    (tmp_path / "token").write_text("root-token")
    token = ApiToken(name="root", token=Secret(file=str(tmp_path / "token")))
    manage = Manage(tokens=[token], public_health=False, public_metrics=False)
    found = openapi.document(create_app(Settings(state_dir=str(tmp_path), manage=manage)))
    assert found["paths"]["/metrics"]["get"]["security"] == [{"token": []}]
    assert found["paths"]["/health/live"]["get"]["x-action"] == Action.OPERATE


def test_an_unknown_parameter_is_refused_everywhere(app, document):
    """With the names of those that there are; before the view, so that nothing was done."""
    client = app.test_client()
    for path, method, operation in operations(document):
        where = path.replace("{seq}", "1").replace("{", "").replace("}", "")
        answer = client.open(f"{where}?surprise=1", method=method, headers=HEADERS)
        assert answer.status_code == 400, (method, path)
        detail = answer.get_json()["detail"]
        assert "surprise is no parameter" in detail
        for one in operation["parameters"]:
            assert one["in"] != "query" or one["name"] in detail


def test_a_parameter_given_twice_is_refused_where_it_counts_once(app, document):
    client = app.test_client()
    for path, method, operation in operations(document):
        where = path.replace("{seq}", "1").replace("{", "").replace("}", "")
        for one in operation["parameters"]:
            if one["in"] == "query" and one["schema"].get("type") != "array":
                name = one["name"]
                answer = client.open(f"{where}?{name}=1&{name}=1", method=method, headers=HEADERS)
                assert (answer.status_code, answer.get_json()["detail"]) == (400, f"{name} is given 2 times")


def test_without_a_token_nothing_is_told_of_parameters(app):
    assert app.test_client().get("/api/v1/events?surprise=1").status_code == 401


def test_a_nul_is_refused_before_a_database_sees_it(app):
    answer = app.test_client().get("/api/v1/events?source=a%00b", headers=HEADERS)
    assert (answer.status_code, "NUL" in answer.get_json()["detail"]) == (400, True)


@pytest.mark.parametrize(
    "when", ["2263-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "9" * 30 + "w"]
)
def test_times_that_no_database_holds(app, when):
    """No event is there; it was a 500."""
    for name in ("since", "until"):
        assert app.test_client().get(f"/api/v1/events?{name}={when}", headers=HEADERS).status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/events", "/api/v1/openapi.json", "/nothing"])
def test_no_page_of_another_origin_may_read_it(app, path):
    """CORS is off: no answer allows an origin, not even the one to a preflight."""
    origin = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    for method in ("GET", "OPTIONS"):
        answer = app.test_client().open(path, method=method, headers={**HEADERS, **origin})
        assert not [name for name in answer.headers.keys() if name.lower().startswith("access-control-")]  # noqa: SIM118 - pairs
