# SPDX-License-Identifier: GPL-3.0-or-later
"""From the role's variables to the listener's configuration."""

from __future__ import annotations

import pytest
from ansible_collections.redfleet.events.plugins.plugin_utils import _listener_config

GOOD = {
    "bind": ["0.0.0.0:443"],
    "manage_bind": "127.0.0.1:9440",
    "state_dir": "/var/lib/event-listener",
    "log_dir": "/var/log/event-listener",
    "user": "event-listener",
    "credentials": [{"name": "bmcs", "username": "bmc", "password": "p4ss"}, {"name": "new", "token": "t0k"}],
    "tokens": [{"name": "playbooks", "token": "4p1"}],
    "named_secrets": {"database": "s3cret"},
    "certificate": "/etc/event-listener/tls/listener.pem",
    "key": "/etc/event-listener/tls/listener.key",
    "secrets_dir": "/etc/event-listener/credentials",
    "second": False,
    "nginx": False,
    "nginx_possible": True,
    "systemd": False,
    "state": "present",
    "folders": {
        "event_listener_install_dir": "/opt/event-listener",
        "event_listener_config_dir": "/etc/event-listener",
        "event_listener_state_dir": "/var/lib/event-listener",
        "event_listener_log_dir": "/var/log/event-listener",
    },
    "tls": "ca",
    "tls_names": ["events.example"],
    "tls_certificate": "",
    "tls_key": "",
    "ca_dir": "/srv/fleet-ca",
    "ca_passphrase": "twelve chars",
    "python": "/usr/bin/python3",
    "systemd_running": False,
    "root": True,
    "firewall": "none",
    "firewall_sources": [],
    "firewall_peers": [],
    "nft": True,
    "firewalld": False,
}


def test_good_variables_have_no_problems():
    """The baseline that the next test breaks one by one."""
    assert _listener_config.problems({}, GOOD) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"bind": []}, "event_listener_bind is empty"),
        ({"credentials": []}, "event_listener_credentials is empty"),
        ({"credentials": [{"name": "a", "username": "u"}]}, "needs either username and password, or token"),
        ({"credentials": [{"name": "a"}]}, "needs either username and password, or token"),
        ({"credentials": [{"name": "a", "username": "u", "password": "p", "token": "t"}]}, "needs either"),
        ({"credentials": [{"name": "../a", "token": "t"}]}, "can't be a file name"),
        ({"tokens": [{"name": "a", "token": "t"}, {"name": "a", "token": "u"}]}, "the name a is given twice"),
        ({"named_secrets": {"../a": "s"}}, "'../a' needs a name that can be a file name"),
        ({"named_secrets": {"database": ""}}, "'database' needs a name"),
        ({"ca_passphrase": "short"}, "event_listener_ca_passphrase has less than 12"),
        ({"ca_dir": ""}, "event_listener_ca_dir is empty"),
        ({"tls_names": []}, "event_listener_tls_names is empty"),
        ({"tls": "files"}, "event_listener_tls_certificate is empty"),
        ({"nginx": True, "tls": "none"}, "nginx is there for TLS"),
        ({"nginx": True, "nginx_possible": False}, "nginx is not on the host"),
        ({"nginx": True, "state_dir": "/srv/" + "x" * 100}, "is a Unix socket, and its path may have 107 bytes"),
        ({"python": ""}, "No Python 3.11"),
        ({"systemd": True}, "systemd is not running"),
        ({"systemd": True, "systemd_running": True, "root": False}, "installed by root"),
        ({"root": False}, "ports below 1024 need root"),
        ({"folders": {**GOOD["folders"], "event_listener_install_dir": "/opt"}}, "not the listener's alone"),
        ({"folders": {**GOOD["folders"], "event_listener_install_dir": "srv/event"}}, "not the listener's alone"),
        ({"folders": {**GOOD["folders"], "event_listener_log_dir": "/opt/event-listener/log"}}, "inside or the same"),
    ],
)
def test_each_mistake_is_named(changed, said):
    """One sentence per mistake, with the variable in it."""
    found = _listener_config.problems({}, {**GOOD, **changed})
    assert any(said in sentence for sentence in found), found


def test_no_secret_in_a_problem():
    """A mistake beside a secret must not print it."""
    credentials = [{"name": "a", "username": "", "password": "hunter2", "token": ""}]
    found = _listener_config.problems({}, {**GOOD, "credentials": credentials})
    assert found
    assert "hunter2" not in " ".join(found)


def test_settings_can_not_say_what_a_variable_says():
    """A setting that is said twice would be wrong once."""
    found = _listener_config.problems({"ingest": {"bind": ["0.0.0.0:1"]}}, GOOD)
    assert found == ["event_listener_settings has ingest.bind. Use the variable event_listener_bind for it."]


def test_absent_needs_safe_folders_only():
    """Removing asks for no credentials, but never for /opt."""
    assert _listener_config.problems({}, {**GOOD, "state": "absent", "credentials": [], "ca_passphrase": ""}) == []
    folders = {**GOOD["folders"], "event_listener_state_dir": "/var"}
    assert _listener_config.problems({}, {**GOOD, "state": "absent", "folders": folders})


def test_secrets_are_references_in_the_configuration():
    """The file names where secrets are; their values go into files of their own."""
    made = _listener_config.configuration({"ingest": {"workers": 4}}, GOOD)
    assert made["settings"]["ingest"]["workers"] == 4
    assert made["settings"]["ingest"]["credentials"][0]["password"] == {
        "file": "/etc/event-listener/credentials/credential-bmcs"
    }
    assert made["settings"]["manage"]["tokens"][0]["token"] == {
        "file": "/etc/event-listener/credentials/token-playbooks"
    }
    assert [(one["name"], one["value"], one["service"]) for one in made["secrets"]] == [
        ("credential-bmcs", "p4ss", "ingest"),
        ("credential-new", "t0k", "ingest"),
        ("token-playbooks", "4p1", "manage"),
    ]
    assert "p4ss" not in str(made["settings"])


def test_systemd_hands_secrets_over():
    """Under systemd a secret is a credential of the unit that needs it."""
    made = _listener_config.configuration({}, {**GOOD, "systemd": True})
    assert made["settings"]["ingest"]["credentials"][1]["token"] == {"credential": "credential-new"}


def test_without_a_certificate_it_is_plain_http():
    """An explicit choice of the role, written as such."""
    made = _listener_config.configuration({}, {**GOOD, "certificate": "", "key": "", "tls": "none"})
    assert made["settings"]["ingest"]["plain_http"] is True
    assert "tls" not in made["settings"]["ingest"]


def test_systemd_makes_the_socket_where_selinux_lets_it():
    """Below /run: the targeted policy has no rule by which systemd makes a socket below /var/lib."""
    made = _listener_config.configuration({}, {**GOOD, "nginx": True, "systemd": True})
    assert made["settings"]["ingest"]["bind"] == ["unix:/run/event-listener/ingest.sock"]


def test_nginx_in_front_leaves_one_way_in():
    """The addresses and TLS are nginx's; ingest listens on its socket, and believes only who connects there."""
    settings = _listener_config.configuration({}, {**GOOD, "nginx": True, "second": True})["settings"]
    assert settings["nginx"] == {"enabled": True, "bind": ["0.0.0.0:443"]}
    ingest = settings["ingest"]
    assert (ingest["bind"], ingest["plain_http"]) == (["unix:/var/lib/event-listener/ingest.sock"], True)
    assert ingest["trusted_proxies"] == ["unix"]
    assert ingest["tls"] == {
        "certificate": "/etc/event-listener/tls/listener.pem",
        "key": "/etc/event-listener/tls/listener.key",
        "second_certificate": "/etc/event-listener/tls/listener-rsa.pem",
        "second_key": "/etc/event-listener/tls/listener-rsa.key",
    }
