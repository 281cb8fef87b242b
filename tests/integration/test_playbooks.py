# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks on a simulated fleet and a real listener, as a user runs them."""

from __future__ import annotations

import pytest
import yaml

from tests.integration.fleet_estate import Estate
from tests.integration.fleet_play import writes
from tests.integration.user_play import play, write

FOREIGN = {"Destination": "https://192.0.2.99/others", "Protocol": "Redfish", "Context": "theirs"}


@pytest.fixture(scope="module")
def estate(tmp_path_factory, fleet, listener):
    """Five BMCs that nothing was done to yet, one of them with a foreign subscription."""
    simulated = fleet(mix={"openbmc": 2, "ilo5": 1, "plain": 2}, time_scale=0.05, network="127.61.0.0/16")
    running = listener()
    simulated.trust(running.ca_path.read_text())
    return Estate(tmp_path_factory.mktemp("estate"), simulated, running)


@pytest.fixture
def subscribed(estate):
    """The same fleet, every BMC as declared and healthy, with one foreign subscription."""
    for bmc in estate.fleet.bmcs:
        bmc.clear_faults()
    estate.write_bmcs()
    estate.declare(context="as declared")
    done = estate.play("subscribe.yml")
    assert done.status == 0, done.output
    return estate


def test_check_mode_first_then_twice(estate):
    """Check mode reports and writes nothing; the first run subscribes every BMC once; the second changes nothing."""
    before = len(writes(estate.fleet))
    checked = estate.play("subscribe.yml", "--check")
    assert checked.status == 0, checked.output
    assert sorted(checked.summary()) == [bmc.name for bmc in estate.fleet.bmcs]
    assert all(verdict.startswith("changed") for verdict in checked.summary().values())
    assert len(writes(estate.fleet)) == before
    assert estate.listener.api("/api/v1/sources").json()["sources"] == []

    first = estate.play("subscribe.yml")
    assert first.status == 0, first.output
    assert all(len(estate.ours(bmc)) == 1 for bmc in estate.fleet.bmcs)
    assert all(verdict.startswith("changed") for verdict in first.summary().values())
    sources = {one["name"]: one for one in estate.listener.api("/api/v1/sources").json()["sources"]}
    assert {name: one["address"] for name, one in sources.items()} == {b.name: b.address for b in estate.fleet.bmcs}
    assert all(sources[bmc.name]["uuid"].lower() == bmc.uuid.lower() for bmc in estate.fleet.bmcs)

    second = estate.play("subscribe.yml")
    assert second.status == 0, second.output
    assert second.changed() == 0
    assert all(verdict.startswith("ok") for verdict in second.summary().values())


@pytest.mark.slow
def test_no_secret_at_any_verbosity(subscribed):
    """Neither the BMCs' passwords nor what they send to the listener is printed, at -vvv either."""
    for playbook in ("subscribe.yml", "redfleet.events.verify"):
        output = subscribed.play(playbook, "-vvv").output
        secrets = [bmc.password for bmc in subscribed.fleet.bmcs]
        secrets += [subscribed.listener.credentials[1], subscribed.listener.api_token]
        assert [secret for secret in secrets if secret in output] == []


def test_verify_gives_a_verdict_with_latency(subscribed):
    """Every BMC's test event is found; a BMC that stays silent is named, and only it fails."""
    done = subscribed.play("redfleet.events.verify")
    assert done.status == 0, done.output
    assert all("delivered" in verdict and " s" in verdict for verdict in done.summary().values())

    silent = subscribed.fleet.bmcs[3]
    silent.set_fault("silent")
    done = subscribed.play("redfleet.events.verify", "-e", "proof_timeout=3")
    assert done.status != 0
    summary = done.summary()
    assert summary.pop(silent.name).startswith("not delivered")
    assert all(verdict.startswith("delivered") for verdict in summary.values())
    assert done.recap(silent.name)["failed"] == 1
    assert done.recap(subscribed.fleet.bmcs[0].name)["failed"] == 0


def test_one_dead_bmc_never_stops_the_others(subscribed):
    """The dead one is unreachable in the summary, the others are changed; the run ends with an error."""
    dead, *alive = subscribed.showing_context()
    dead.set_fault("unreachable")
    subscribed.declare(context="another")
    done = subscribed.play("subscribe.yml")
    assert done.status != 0
    summary = done.summary()
    assert summary[dead.name].startswith("unreachable")
    assert {bmc.name: summary[bmc.name] for bmc in alive if not summary[bmc.name].startswith("changed")} == {}
    assert [one["Context"] for bmc in alive for one in subscribed.ours(bmc)].count("another") == len(alive)


@pytest.mark.parametrize("playbook", ["subscribe.yml", "redfleet.events.unsubscribe"])
def test_one_summary_tells_of_all_waves(subscribed, playbook):
    """Also where the first BMC is dead, and of those alone that --limit names."""
    dead, *_others, last = [bmc.name for bmc in subscribed.fleet.bmcs]
    subscribed.fleet.bmcs[0].set_fault("unreachable")
    done = subscribed.play(playbook, "-e", '{"rollout": [1, 2, "100%"], "prove": false}')
    assert done.output.count("TASK [Summary]") == 1
    assert sorted(done.summary()) == sorted(bmc.name for bmc in subscribed.fleet.bmcs)
    assert [done.recap(name)["failed"] for name in (dead, last)] == [1, 0]
    limited = subscribed.play(playbook, "--limit", last)
    assert (limited.status, list(limited.summary())) == (0, [last])


@pytest.mark.parametrize("playbook", ["subscribe.yml", "redfleet.events.unsubscribe"])
def test_too_many_refused_credentials_end_the_run(subscribed, playbook):
    """A wrong password is tried once per host, and more than max_refused of them end the run before the next wave."""
    first, second, *rest = subscribed.fleet.bmcs
    subscribed.write_bmcs(
        **{bmc.name: {"redfish_password": "wrong", "redfish_login_type": "basic"} for bmc in (first, second)}
    )
    seen = {bmc.name: len(bmc.requests()) for bmc in subscribed.fleet.bmcs}
    done = subscribed.play(playbook, "-e", '{"max_refused": 1, "rollout": [2, "100%"], "prove": false}')
    assert done.status != 0
    assert "Too many BMCs refuse the credentials" in done.output
    for bmc in (first, second):
        refused = [one for one in bmc.requests()[seen[bmc.name] :] if one["status"] == 401]
        assert len(refused) <= 1
    assert all(len(bmc.requests()) == seen[bmc.name] for bmc in rest)


def test_a_wave_that_is_not_proven_ends_the_rollout(subscribed):
    """With rollout, each wave has to deliver before the next one starts."""
    first, *rest = subscribed.fleet.bmcs
    first.set_fault("silent")
    seen = {bmc.name: len(bmc.requests()) for bmc in rest}
    done = subscribed.play("subscribe.yml", "-e", '{"rollout": [1, "100%"], "proof_timeout": 2}')
    assert done.status != 0
    assert "This wave is not proven" in done.output
    assert all(len(bmc.requests()) == seen[bmc.name] for bmc in rest)


def test_audit_reports_drift_and_changes_nothing(subscribed):
    """No drift is success; drift is named per host with its property, and ends with an error."""
    assert subscribed.play("redfleet.events.audit").status == 0
    subscribed.declare(context="drifted away")
    before = len(writes(subscribed.fleet))
    done = subscribed.play("redfleet.events.audit")
    assert done.status != 0
    drifted = {name for name, verdict in done.summary().items() if verdict.startswith("drifted")}
    assert drifted == {bmc.name for bmc in subscribed.showing_context()}
    assert any("Context" in verdict for verdict in done.summary().values())
    assert len(writes(subscribed.fleet)) == before


def test_unsubscribe_leaves_foreign_subscriptions(subscribed):
    """Exactly ours go; a second run changes nothing."""
    plain = subscribed.fleet.by_vendor("plain")[0]
    mine = subscribed.ours(plain)
    plain.seed_subscriptions(*mine, FOREIGN)
    done = subscribed.play("redfleet.events.unsubscribe")
    assert done.status == 0, done.output
    assert all(subscribed.ours(bmc) == [] for bmc in subscribed.fleet.bmcs)
    assert [one["Destination"] for one in plain.subscriptions()] == [FOREIGN["Destination"]]
    again = subscribed.play("redfleet.events.unsubscribe")
    assert (again.status, again.changed()) == (0, 0)


@pytest.mark.parametrize("playbook", ["subscribe.yml", "redfleet.events.verify", "redfleet.events.audit"])
def test_an_empty_fleet_is_an_error(tmp_path, playbook):
    """A typing error in a group's name must not look like success."""
    inventory = write(tmp_path / "hosts.yml", {"bmc": {"hosts": {"bmc001": {}}}})
    done = play(playbook, inventory)
    assert done.status != 0
    assert "no host in the group bmcs" in done.output


def test_pin_collects_keeps_and_reports(subscribed):
    """New fingerprints are written once; a different certificate is an error until it is replaced on purpose."""
    content = yaml.safe_load((subscribed.inventory / "bmcs.yml").read_text())
    for variables in content["bmcs"]["hosts"].values():
        del variables["redfish_tls_fingerprint"]
    write(subscribed.inventory / "bmcs.yml", content)
    pins = subscribed.inventory / "group_vars" / "bmcs" / "tls_fingerprints.yml"
    try:
        assert subscribed.play("redfleet.events.pin", "--check").status == 0
        assert not pins.exists()
        done = subscribed.play("redfleet.events.pin")
        assert done.status == 0, done.output
        wanted = {bmc.name: bmc.tls_fingerprint for bmc in subscribed.fleet.bmcs}
        assert yaml.safe_load(pins.read_text())["redfish_tls_fingerprints"] == wanted
        assert subscribed.play("subscribe.yml").status == 0
        assert subscribed.play("redfleet.events.pin").changed() == 0
        other = {**wanted, subscribed.fleet.bmcs[0].name: "sha256:" + "0" * 64}
        write(pins, {"redfish_tls_fingerprints": other})
        done = subscribed.play("redfleet.events.pin")
        assert done.status != 0
        assert "another certificate" in done.output
        assert yaml.safe_load(pins.read_text())["redfish_tls_fingerprints"] == other
        assert subscribed.play("redfleet.events.pin", "-e", "pin_replace=true").status == 0
        assert yaml.safe_load(pins.read_text())["redfish_tls_fingerprints"] == wanted
    finally:
        pins.unlink(missing_ok=True)
