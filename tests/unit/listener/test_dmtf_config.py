# SPDX-License-Identifier: GPL-3.0-or-later
"""A DMTF config.ini is read as that tool reads it, and what is wrong with one is said in full."""

from __future__ import annotations

import pytest
from event_listener import dmtf_inventory
from event_listener.dmtf_config import DmtfConfigError, Server, looks_like, parse, split_list

GOOD = """
[Information]
Updated = February 24, 2023

[SystemInformation]
ListenerIP = 0.0.0.0
ListenerPort = 443
UseSSL = on

[CertificateDetails]
certfile = cert.pem
keyfile = server.key

[SubscriptionDetails]
Destination = https://192.0.2.5/
EventTypes = [
    "Alert",
    "ResourceRemoved" ,
    "StatusChange"]
Context = Public
Format = Event
Expand = false
ResourceTypes = ["Chassis"]
Registries = ResourceEvent, TaskEvent

[ListenerAuthentication]
UserName = sender
Password = 100%%

[ServerInformation]
ServerIPs = ["https://192.0.2.10", '192.0.2.11:8443', "https://[2001:db8::1]"]
UserNames = root, "admin", ADMIN
Passwords = ["one", "two", "three"]
LoginType = ["BASIC"]
"""


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def problems(text: str) -> list[str]:
    with pytest.raises(DmtfConfigError) as caught:
        parse(text)
    return caught.value.problems


def test_the_full_example_is_read_as_the_tool_reads_it():
    """Names are addresses, a missing login is a session, %% is one %, arrays come in every spelling."""
    config = parse(GOOD)
    assert config.servers == (
        Server("192.0.2.10", "https://192.0.2.10", "root", "one", "basic"),
        Server("192.0.2.11", "192.0.2.11:8443", "admin", "two", "session"),
        Server("2001:db8::1", "https://[2001:db8::1]", "ADMIN", "three", "session"),
    )
    assert (config.address, config.port, config.tls) == ("0.0.0.0", 443, True)
    assert (config.certificate, config.key) == ("cert.pem", "server.key")
    assert (config.username, config.password) == ("sender", "100%")
    assert config.subscription == {
        "context": "Public",
        "event_types": ["Alert", "ResourceRemoved", "StatusChange"],
        "resource_types": ["Chassis"],
        "registry_prefixes": ["ResourceEvent", "TaskEvent"],
        "event_format_type": "Event",
        "include_origin_of_condition": False,
    }
    assert config.notes == ()


def test_no_password_is_in_a_representation():
    """A traceback or a debug line shows these objects."""
    shown = repr(parse(GOOD))
    assert not [secret for secret in ("one", "two", "three", "100%") if f"'{secret}'" in shown]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("[]", []),
        ("[ ]", []),
        ("a", ["a"]),
        ("a, b", ["a", "b"]),
        ("['a',\"b\"]", ["a", "b"]),
        ("[a\n,b]", ["a", "b"]),
        ("[::1]", ["::1"]),
        ("192.0.2.1, [::1]", ["192.0.2.1", "[::1]"]),
    ],
)
def test_an_array_has_many_spellings(text: str, expected: list[str]):
    """As the tool splits it."""
    assert split_list(text) == expected


def test_the_old_spelling_of_the_section_is_read():
    """Configurations of releases before the correction work on."""
    old = parse(changed("[SubscriptionDetails]", "[SubsciptionDetails]"))
    assert old == parse(GOOD)


def test_what_is_empty_is_not_subscribed():
    """The tool leaves out empty options."""
    text = GOOD
    for line in ("Context = Public", "Format = Event", "Expand = false", 'ResourceTypes = ["Chassis"]'):
        text = text.replace(line, line.partition("=")[0] + "=")
    assert set(parse(text).subscription) == {"event_types", "registry_prefixes"}


def test_two_services_on_one_address_get_the_port_into_their_names():
    """Host names of an inventory are unique."""
    config = parse(changed("192.0.2.11:8443", "192.0.2.10:8443"))
    assert [server.name for server in config.servers][:2] == ["192.0.2.10-443", "192.0.2.10-8443"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"two", "three"]', '"two"]', ["[ServerInformation] Passwords: has 2 entries for 3 ServerIPs"]),
        ('"two", "three"]', '"tw,o", "three"]', ["[ServerInformation] Passwords: has 4 entries for 3 ServerIPs"]),
        ('"three"]', '"three",]', ["[ServerInformation] Passwords: entry 4 of 4 is empty", "has 4 entries"]),
        ('"three"]', '"three"', ["[ServerInformation] Passwords: has one bracket without the other", "0 entries"]),
        ("root,", "", ["[ServerInformation] UserNames: has 2 entries for 3 ServerIPs"]),
        ('["BASIC"]', '["Digest"]', ["[ServerInformation] LoginType: 'digest' is unknown. Write Session or Basic."]),
        ('["BASIC"]', "Basic,Basic,Basic,Basic", ["[ServerInformation] LoginType: has 4 entries for 3 ServerIPs"]),
        ("https://192.0.2.10", "https://<RedfishIP>", ["[ServerInformation] ServerIPs: https://<RedfishIP> still"]),
        ("https://192.0.2.10", "ftp://192.0.2.10", ["[ServerInformation] ServerIPs: 'ftp://192.0.2.10' is no"]),
        ("192.0.2.11:8443", "https://192.0.2.10", ["[ServerInformation] ServerIPs: https://192.0.2.10 is given"]),
        (
            "https://192.0.2.5/",
            "https://<ListenerIP>/",
            ["[SubscriptionDetails] Destination: https://<"],
        ),
        ("https://192.0.2.5/", "192.0.2.5", ["[SubscriptionDetails] Destination: 192.0.2.5 is no URL"]),
        ("https://192.0.2.5/", "", ["[SubscriptionDetails] Destination: is missing or empty"]),
        ("Format = Event", "Format = Metrics", ["[SubscriptionDetails] Format: 'Metrics' is unknown"]),
        ("Expand = false", "Expand = maybe", ["[SubscriptionDetails] Expand: 'maybe' is unknown"]),
        ("ListenerPort = 443", "ListenerPort = https", ["[SystemInformation] ListenerPort: 'https' is no port"]),
        ("ListenerPort = 443", "ListenerPort = 0", ["[SystemInformation] ListenerPort: '0' is no port"]),
        ("UseSSL = on", "UseSSL = maybe", ["[SystemInformation] UseSSL: 'maybe' is neither on nor off"]),
        ("keyfile = server.key", "", ["[CertificateDetails] keyfile: is missing or empty"]),
        ("100%%", "100%", ["[ListenerAuthentication] Password: has a % that stands alone", "is missing"]),
        ("Password = 100%%", "", ["[ListenerAuthentication] Password: is missing or empty"]),
        ("UserName = sender", "UserName = a:b", ["[ListenerAuthentication] UserName: has a colon"]),
        (
            "[ServerInformation]",
            "[SubsciptionDetails]\n[ServerInformation]",
            ["[SubsciptionDetails]: the old spelling"],
        ),
    ],
)
def test_a_mistake_is_named_by_section_and_option(old: str, new: str, expected: list[str]):
    """And by what to do about it; no more is said than what is wrong."""
    found = problems(changed(old, new))
    assert found[0].startswith(expected[0]), found
    assert found[0].endswith(".")
    assert len(found) <= len(expected), found


def test_all_mistakes_are_told_at_once():
    """Nobody repairs a file one run at a time."""
    text = changed("UseSSL = on", "UseSSL = maybe").replace("Format = Event", "Format = x").replace('"two", ', "")
    assert len(problems(text)) == 3


@pytest.mark.parametrize("line", ["Passwords2 s3cret", "[ServerInformation"])
def test_a_line_that_is_none_is_told_by_its_number_alone(line: str):
    """The line itself may hold a password."""
    found = problems(GOOD + line + "\n")
    assert found[0].startswith(f"line {len(GOOD.splitlines()) + 1}: ")
    assert "s3cret" not in found[0]


def test_a_section_given_twice_is_told():
    """The tool would end with a traceback."""
    assert "already exists" in problems(GOOD + "[ListenerAuthentication]\n")[0]


def test_what_a_user_should_know_is_noted():
    """No credential, the example's credential, no servers, TLS that doesn't fit the Destination."""
    section = "[ListenerAuthentication]\nUserName = sender\nPassword = 100%%\n"
    assert "anybody could send events" in parse(changed(section, "")).notes[0]
    example = parse(changed("sender", "username").replace("100%%", "password"))
    assert "known to everybody" in example.notes[0]
    assert "UseSSL is off" in parse(changed("UseSSL = on", "UseSSL = off")).notes[0]
    empty = parse(GOOD[: GOOD.index("[ServerInformation]")] + "[ServerInformation]\nServerIPs = []\n")
    assert empty.servers == ()
    assert "nothing to subscribe" in empty.notes[0]


def test_other_ini_files_are_no_dmtf_configuration():
    """An inventory in INI format belongs to another plugin."""
    assert looks_like(GOOD)
    assert not looks_like("[bmcs]\nSystemInformation ansible_host=192.0.2.1\n# [ServerInformation]\n")


def test_the_tools_destination_is_retired_and_ours_names_the_source():
    """Left behind subscriptions have headers that nobody can read, so they are replaced, not adopted."""
    wanted = dmtf_inventory.subscription(parse(GOOD))
    assert wanted["retired_destinations"] == ["https://192.0.2.5/"]
    assert wanted["destination"].endswith("/events/{{ inventory_hostname }}")
    secret = dmtf_inventory.Template("{{ secret }}")
    assert dmtf_inventory.common(parse(GOOD), secret, secret)["event_listener_url"] == "https://192.0.2.5"
