# SPDX-License-Identifier: GPL-3.0-or-later
"""One authority per fleet, and the certificates it issues: real keys, real files."""

from __future__ import annotations

import datetime
import os
import ssl
import stat

import pytest
from ansible_collections.redfleet.events.plugins.module_utils import _certificate as certs
from ansible_collections.redfleet.events.plugins.modules import fleet_certificate

PASSPHRASE = "correct horse battery"


@pytest.fixture
def params(tmp_path):
    """Options as AnsibleModule hands them over."""
    defaults = {name: spec.get("default") for name, spec in fleet_certificate.argument_spec().items()}
    given = {
        "ca_dir": str(tmp_path / "ca"),
        "passphrase": PASSPHRASE,
        "name": "listener1",
        "names": ["events.example", "192.0.2.10", "2001:db8::10"],
    }
    return {**defaults, **given}


def leaf(result):
    """Return the issued certificate."""
    with open(result["certificate_path"], "rb") as handle:
        return certs.load_certificate(handle.read(), "test")


def test_first_run_issues_and_second_changes_nothing(params):
    """Idempotent, and the result tells what was done."""
    first = fleet_certificate.run(params, check_mode=False)
    assert (first["changed"], first["action"], first["ca_created"]) == (True, "issued", True)
    again = fleet_certificate.run(params, check_mode=False)
    assert (again["changed"], again["action"], again["ca_created"]) == (False, "none", False)
    assert again["fingerprint"] == first["fingerprint"] == certs.fingerprint(leaf(first))


def test_sans_are_dns_and_ip(params):
    """Addresses become IP SANs: a BMC that is given an address compares with nothing else."""
    result = fleet_certificate.run(params, check_mode=False)
    assert certs.names_of(leaf(result)) == {"events.example", "192.0.2.10", "2001:db8::10"}
    kinds = {type(entry).__name__ for entry in certs.general_names(params["names"])}
    assert kinds == {"DNSName", "IPAddress"}


def test_keys_are_encrypted_and_private(params):
    """Neither key is readable without the passphrase, nor by others, and no result holds one."""
    result = fleet_certificate.run(params, check_mode=False)
    for path in (os.path.join(params["ca_dir"], "ca.key"), result["key_path"]):
        with open(path, "rb") as handle:
            content = handle.read()
        assert content.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        with pytest.raises(certs.CertificateError, match="can't be opened"):
            certs.decrypt_key(content, "another passphrase", path)
    assert stat.S_IMODE(os.stat(params["ca_dir"]).st_mode) == 0o700
    assert "PRIVATE" not in str(result)
    assert PASSPHRASE not in str(result)


def test_check_mode_predicts_and_writes_nothing(params):
    """Before the first run there is not even a folder; afterwards nothing differs."""
    predicted = fleet_certificate.run(params, check_mode=True)
    assert (predicted["changed"], predicted["action"], predicted["fingerprint"]) == (True, "issued", "")
    assert not os.path.exists(params["ca_dir"])
    made = fleet_certificate.run(params, check_mode=False)
    changed = fleet_certificate.run({**params, "names": ["other.example"]}, check_mode=True)
    assert (changed["changed"], changed["action"], changed["reason"]) == (True, "renewed", "names differ")
    assert certs.fingerprint(leaf(made)) == made["fingerprint"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"names": ["events.example"]}, "names differ"),
        ({"key_type": "rsa"}, "key type differs"),
        ({"renew_days": 396, "days": 500}, ""),
        ({"renew_days": 398, "days": 500}, "expires soon"),
    ],
)
def test_what_issues_again(params, change, reason):
    """A certificate is issued again for a reason, and only then."""
    fleet_certificate.run(params, check_mode=False)
    result = fleet_certificate.run({**params, **change}, check_mode=False)
    assert (result["changed"], result["reason"]) == (bool(reason), reason)


def test_another_authority_issues_again(params):
    """A restored or replaced authority makes the old certificate worthless."""
    fleet_certificate.run(params, check_mode=False)
    for name in ("ca.pem", "ca.key"):
        os.unlink(os.path.join(params["ca_dir"], name))
    result = fleet_certificate.run(params, check_mode=False)
    assert (result["ca_created"], result["reason"]) == (True, "another authority signed it")


def test_a_leaf_never_outlives_its_authority(params):
    """A chain is valid as a whole, and a leaf that is as old as its authority isn't issued on every run."""
    short = {**params, "ca_days": 30}
    result = fleet_certificate.run(short, check_mode=False)
    with open(result["ca_path"], "rb") as handle:
        authority = certs.load_certificate(handle.read(), "test")
    assert certs.not_after(leaf(result)) == certs.not_after(authority)
    assert fleet_certificate.run(short, check_mode=False)["changed"] is False


def test_an_expired_leaf_is_replaced(params):
    """Expiry counts even where the renewal's margin doesn't."""
    fleet_certificate.run(params, check_mode=False)
    later = certs.utcnow() + datetime.timedelta(days=400)
    with open(os.path.join(params["ca_dir"], "ca.pem"), "rb") as handle:
        authority = certs.load_certificate(handle.read(), "test")
    with open(os.path.join(params["ca_dir"], "issued", "listener1.pem"), "rb") as handle:
        certificate = certs.load_certificate(handle.read(), "test")
    assert certs.reason_to_issue(certificate, params["names"], "ecdsa", authority, 0, later) == "expires soon"


def test_half_an_authority_is_an_error(params):
    """A lost key must not silently start a new authority that no BMC trusts."""
    fleet_certificate.run(params, check_mode=False)
    os.unlink(os.path.join(params["ca_dir"], "ca.key"))
    with pytest.raises(certs.CertificateError, match=r"ca\.key is missing"):
        fleet_certificate.run(params, check_mode=False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "../up"}, "can't be a file name"),
        ({"passphrase": "short"}, "shorter than 12"),
        ({"names": []}, "names is empty"),
        ({"renew_days": 400}, "has to be less than days"),
        ({"names": ["a" * 70 + ".example"]}, "neither an IP address nor a host name"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_made(params, change, said):
    """One sentence, and no folder."""
    with pytest.raises(certs.CertificateError, match=said):
        fleet_certificate.run({**params, **change}, check_mode=False)
    assert not os.path.exists(params["ca_dir"])


def test_a_client_that_trusts_the_authority_accepts_the_chain(params, tmp_path):
    """The file works as a server's chain: OpenSSL itself verifies name, purpose and signature."""
    result = fleet_certificate.run(params, check_mode=False)
    for name in params["names"]:
        handshake(*contexts(result, tmp_path), name)


def contexts(result, tmp_path):
    """Return what a BMC that trusts the authority and what the listener do TLS with."""
    with open(result["key_path"], "rb") as handle:
        plain = certs.plain_key(handle.read(), PASSPHRASE, "test")
    (tmp_path / "key.pem").write_text(plain)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(result["certificate_path"], tmp_path / "key.pem")
    return ssl.create_default_context(cafile=result["ca_path"]), server_context


def handshake(client_context, server_context, name):
    """Complete a TLS handshake in memory."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    open_ends = [client, server]
    while open_ends:
        for end in list(open_ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            open_ends.remove(end)


def test_private_key_filter_opens_only_with_the_passphrase(params):
    """The filter is how a task gets the key; a wrong passphrase is an error without the key in it."""
    from ansible.errors import AnsibleFilterError
    from ansible_collections.redfleet.events.plugins.filter.private_key import FilterModule

    opened = FilterModule().filters()["private_key"]
    result = fleet_certificate.run(params, check_mode=False)
    with open(result["key_path"], encoding="ascii") as handle:
        pem = handle.read()
    assert opened(pem, PASSPHRASE).startswith("-----BEGIN PRIVATE KEY-----")
    with pytest.raises(AnsibleFilterError, match="can't be opened"):
        opened(pem, "another passphrase")


def test_constrained_authority_issues_for_what_is_permitted_only(params, tmp_path):
    """A client that knows name constraints accepts what is below them; another name is never issued."""
    params["permitted"] = ["example", "192.0.2.0/24", "2001:db8::/32"]
    result = fleet_certificate.run(params, check_mode=False)
    handshake(*contexts(result, tmp_path), "events.example")
    for name in ("events.example.org", "notexample", "198.51.100.1", "2001:db9::1"):
        params["names"] = ["events.example", name]
        with pytest.raises(certs.CertificateError, match=f"may not issue for {name}"):
            fleet_certificate.run(params, check_mode=False)


@pytest.mark.parametrize(("permitted", "refused"), [(["example"], "192.0.2.10"), (["192.0.2.0/24"], "events.example")])
def test_a_kind_that_is_not_named_is_excluded(params, permitted, refused):
    """Domains alone allow no address, networks alone no host name: clients see so in the certificate too."""
    params["permitted"] = permitted
    params["names"] = [refused]
    with pytest.raises(certs.CertificateError, match="may not issue"):
        fleet_certificate.run(params, check_mode=False)
    with open(os.path.join(params["ca_dir"], "ca.pem"), "rb") as handle:
        constraints = certs.load_certificate(handle.read(), "test").extensions
    assert constraints.get_extension_for_class(certs.x509.NameConstraints).value.excluded_subtrees


def test_a_permitted_address_that_is_no_network_is_refused(params):
    params["permitted"] = ["192.0.2.10/24"]
    with pytest.raises(certs.CertificateError, match="not a network"):
        fleet_certificate.run(params, check_mode=False)
