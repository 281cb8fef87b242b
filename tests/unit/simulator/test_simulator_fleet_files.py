# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line, the mix, the files, the personalities as data."""

from __future__ import annotations

import json
import stat
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
import yaml
from redfish_simulator.cli import options
from redfish_simulator.files import inventory, state, write_private
from redfish_simulator.identity import bmc_address, bmc_name
from redfish_simulator.mix import DEFAULT_MIX, parse_mix, spread
from redfish_simulator.personalities import PERSONALITIES, VENDORS
from redfish_simulator.tls import CertificateAuthority, FleetTls

ROOT = Path(__file__).parents[3]


def test_the_default_fleet_has_all_vendors_and_both_login_types_with_each():
    chosen = spread(24, None)
    assert {name for name, _login in chosen} == set(DEFAULT_MIX)
    for vendor in DEFAULT_MIX:
        assert {login for name, login in chosen if name == vendor} == {"session", "basic"}


def test_a_mix_is_interleaved_and_repeated():
    assert [name for name, _login in spread(5, {"openbmc": 2, "plain": 1})] == [
        "openbmc",
        "plain",
        "openbmc",
        "openbmc",
        "plain",
    ]
    assert parse_mix("openbmc=2, plain") == {"openbmc": 2, "plain": 1}
    assert parse_mix("idrac=4,ilo=1,xcc=1") == {"idrac9": 4, "ilo5": 1, "xcc2": 1}


@pytest.mark.parametrize("text", ["toaster=1", "openbmc=many", "openbmc=0", ""])
def test_a_wrong_mix_is_refused(text):
    with pytest.raises(ValueError, match="--mix"):
        parse_mix(text)


def test_names_and_addresses():
    assert [bmc_name(0, 24), bmc_name(9999, 10000)] == ["bmc001", "bmc10000"]
    assert [bmc_address("127.20.0.0/16", index) for index in (0, 255)] == ["127.20.0.1", "127.20.1.0"]
    assert bmc_address("10.79.128.0/17", 0) == "10.79.128.1"
    with pytest.raises(ValueError, match="public"):
        bmc_address("8.8.8.0/24", 0)
    with pytest.raises(ValueError, match="no room"):
        bmc_address("127.20.0.0/30", 2)


def test_command_line():
    chosen, manner = options(["--mix", "openbmc=2,plain=1", "--control", "127.0.0.1:9999", "--port", "0"])
    assert (chosen.count, chosen.control_port, chosen.port, manner.verbose) == (3, 9999, 0, False)
    assert options([])[0].count == 24


@pytest.mark.parametrize("wrong", [["--count", "0"], ["--control", "0.0.0.0:1"], ["--control", "x"], ["--mix", "x=1"]])
def test_wrong_command_lines_say_why(wrong, capsys):
    with pytest.raises(SystemExit) as ended:
        options(wrong)
    assert ended.value.code == 2
    assert wrong[0] in capsys.readouterr().err


def test_files_are_whole_and_private(desk, tmp_path):
    public = desk("openbmc").bmc.public()
    write_private(tmp_path / "inventory.yml", inventory([public]))
    write_private(tmp_path / "state.json", state("http://127.0.0.1:1", [public]))
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    host = yaml.safe_load((tmp_path / "inventory.yml").read_text())["bmcs"]["hosts"]["bmc001"]
    assert host["redfish_password"] == public["password"]
    assert set(host) == {
        "ansible_host",
        "redfish_baseuri",
        "redfish_username",
        "redfish_password",
        "redfish_login_type",
        "redfish_tls_fingerprint",
    }
    assert json.loads((tmp_path / "state.json").read_text())["bmcs"] == [public]


def test_certificates_are_each_bmcs_own_and_a_ca_comes_back(tmp_path):
    tls = FleetTls()
    prints = {tls.certificate(f"bmc{n:03}", f"127.20.0.{n}").fingerprint for n in range(1, 4)}
    assert len(prints) == 3
    first, again = CertificateAuthority(tmp_path), CertificateAuthority(tmp_path)
    assert first.certificate == again.certificate
    assert stat.S_IMODE((tmp_path / "ca-key.pem").stat().st_mode) == 0o600


@pytest.mark.parametrize("personality", PERSONALITIES.values(), ids=lambda each: each.name)
def test_personalities_are_sound(personality):
    """What is mandatory is accepted, what it defaults to is allowed, and its source is named."""
    assert personality.source
    assert set(personality.create.required) <= personality.create.accepts
    assert personality.delivery.policy in personality.delivery.policies
    assert set(personality.test.required) <= set(personality.test.parameters)
    assert personality.service.attempts[1] <= personality.service.attempts[0] <= personality.service.attempts[2]


def _traits(value, prefix=""):
    for field in fields(value):
        item = getattr(value, field.name)
        if is_dataclass(item):
            yield from _traits(item, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", item


def test_every_trait_is_somewhere_different_from_the_standard():
    """A word of the personality language that no personality uses describes no habit that anyone has."""
    seen = {}
    for personality in PERSONALITIES.values():
        for name, value in _traits(personality):
            seen.setdefault(name, set()).add(repr(value))
    assert [name for name, values in seen.items() if len(values) == 1] == []


def test_every_personality_is_documented():
    page = (ROOT / "docs" / "simulator.md").read_text()
    assert [name for name in PERSONALITIES if f"`{name}`" not in page] == []
    assert len(VENDORS) >= 7
