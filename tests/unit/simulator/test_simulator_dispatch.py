# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials, roles, ETags, methods: what every service does, and how vendors differ."""

from __future__ import annotations

import pytest

SESSIONS = "/redfish/v1/SessionService/Sessions"
ACCOUNTS = "/redfish/v1/AccountService/Accounts"


def test_the_root_is_open_and_the_rest_is_not(desk):
    bmc = desk("plain")
    assert bmc("GET", "/redfish/v1", headers={}).body["UUID"] == bmc.bmc.identity.uuid
    refused = bmc("GET", "/redfish/v1/EventService", headers={})
    assert refused.status == 401
    assert refused.headers["WWW-Authenticate"].startswith("Basic ")


def test_wrong_passwords_are_counted(desk):
    bmc = desk("plain")
    assert bmc("GET", "/redfish/v1/EventService", headers=bmc.basic(password="wrong")).status == 401
    assert bmc("POST", SESSIONS, {"UserName": "admin", "Password": "wrong"}, {}).status == 401
    assert bmc.bmc.counters.refused_logins == 2


def test_session_life(desk):
    """Log in, use the token, log out; the token is worth nothing then."""
    bmc = desk("plain")
    who = bmc.bmc.identity
    opened = bmc("POST", SESSIONS, {"UserName": who.username, "Password": who.password}, {})
    assert opened.status == 201
    token = {"X-Auth-Token": opened.headers["X-Auth-Token"]}
    assert opened.headers["X-Auth-Token"] not in str(opened.body)
    assert bmc("GET", SESSIONS, headers=token).body["Members@odata.count"] == 1
    assert bmc("DELETE", opened.headers["Location"], headers=token).status == 204
    assert bmc("GET", SESSIONS, headers=token).status == 401


def test_the_session_table_is_limited(desk, refusal):
    bmc = desk("idrac9")
    who = bmc.bmc.identity
    login = {"UserName": who.username, "Password": who.password}
    for _number in range(8):
        assert bmc("POST", SESSIONS, login, {}).status == 201
    refused = bmc("POST", SESSIONS, login, {})
    assert (refused.status, refusal(refused)) == (503, ["SessionLimitExceeded"])


def test_sessions_expire(desk):
    bmc = desk("supermicro")
    session = bmc.bmc.sessions.create("ADMIN")
    token = {"X-Auth-Token": session.token}
    assert bmc("GET", SESSIONS, headers=token).status == 200
    session.last_used -= bmc.bmc.sessions.timeout + 1
    assert bmc("GET", SESSIONS, headers=token).status == 401
    assert bmc.bmc.sessions.all() == []


@pytest.mark.parametrize(("role", "status"), [("ReadOnly", 403), ("Operator", 201), ("Administrator", 201)])
def test_roles(desk, role, status):
    """Subscribing needs ConfigureComponents; a ReadOnly account gets 403, not 401."""
    bmc = desk("plain")
    account = {"UserName": "events", "Password": "long-enough-1", "RoleId": role}
    assert bmc("POST", ACCOUNTS, account).status == 201
    headers = bmc.basic("events", "long-enough-1")
    body = {"Destination": "https://h/", "Protocol": "Redfish"}
    assert bmc("POST", bmc.subscriptions, body, headers).status == status


@pytest.mark.parametrize(
    ("personality", "missing", "shape"),
    [("plain-weak-etag", 428, 'W/"'), ("plain-unquoted-etag", 428, ""), ("xcc2", 412, '"')],
)
def test_if_match_required(desk, personality, missing, shape):
    """PATCH without If-Match, with a stale one, with the one just read."""
    bmc = desk(personality)
    bmc.subscribe(Context="old")
    path = f"{bmc.subscriptions}/1"
    etag = bmc("GET", path).headers["ETag"]
    assert etag.startswith(shape)
    assert bmc("PATCH", path, {"Context": "new"}).status == missing
    assert bmc("PATCH", path, {"Context": "new"}, bmc.basic() | {"If-Match": '"stale"'}).status == 412
    assert bmc("PATCH", path, {"Context": "new"}, bmc.basic() | {"If-Match": etag}).status == 200


def test_if_match_refused(desk):
    bmc = desk("plain-if-match-refused")
    bmc.subscribe()
    path = f"{bmc.subscriptions}/1"
    etag = bmc("GET", path).headers["ETag"]
    assert bmc("PATCH", path, {"Context": "new"}, bmc.basic() | {"If-Match": etag}).status == 400
    assert bmc("PATCH", path, {"Context": "new"}).status == 200


def test_unknown_paths_methods_and_queries(desk):
    bmc = desk("plain")
    assert bmc("GET", "/redfish/v1/Nothing").status == 404
    refused = bmc("DELETE", "/redfish/v1/EventService")
    assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD, PATCH")
    assert bmc("GET", "/redfish/v1/Systems", query={"$orderby": "Id"}).status == 501
    assert bmc("POST", bmc.subscriptions).status == 400


def test_event_service_settings(desk, refusal):
    bmc = desk("openbmc")
    path = "/redfish/v1/EventService"
    assert bmc("PATCH", path, {"DeliveryRetryAttempts": 2, "DeliveryRetryIntervalSeconds": 60}).status == 204
    assert (bmc.bmc.retry_attempts, bmc.bmc.retry_interval) == (2, 60)
    assert refusal(bmc("PATCH", path, {"DeliveryRetryAttempts": 9})) == ["PropertyValueNotInList"]
    assert bmc("GET", "/redfish/v1/EventService").body["DeliveryRetryAttempts"] == 2
