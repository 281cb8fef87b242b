# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a listener's certificate on a booted host: another authority, with events coming all the time."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.integration.hosts.on_host import Bmc, Traffic, properties, stored

pytestmark = [pytest.mark.root, pytest.mark.slow]

ONE_RELEASE = pytest.mark.parametrize("estate", ["bookworm"], indirect=True)


@ONE_RELEASE
def test_a_new_authority_while_bmcs_trust_both(deployed, tmp_path):
    """No connection is dropped, none is refused, ingest isn't restarted; a second run changes nothing."""
    host, play = deployed.host, deployed.deployment
    old_ca, new_ca = Path(play.variables["event_listener_ca_dir"]), tmp_path / "new-ca"

    def shown() -> bytes:
        with play.estate.network(), contextlib.closing(Bmc(host.address)) as bmc:
            return bmc.certificate()

    both = tmp_path / "both.pem"
    before, pid = shown(), properties(host, "event-listener-ingest", "MainPID")
    issued = play.good("renew_certificates", "-e", "renew_deploy=false", event_listener_ca_dir=str(new_ca))
    assert issued.changed_tasks == ["Certificate from the fleet's own authority"]
    assert shown() == before
    both.write_text((old_ca / "ca.pem").read_text() + (new_ca / "ca.pem").read_text())
    with (
        Traffic(play.estate, host, "lasting", lasting=True, ca_path=both) as lasting,
        Traffic(play.estate, host, "fresh", ca_path=both) as fresh,
    ):
        renewed = play.good("renew_certificates", event_listener_ca_dir=str(new_ca))
    assert renewed.changed_tasks == ["Deploy the certificate", "Deploy its key"]
    assert lasting.refused == fresh.refused == []
    acknowledged = lasting.acknowledged | fresh.acknowledged
    assert stored(host, acknowledged, timeout=60) == acknowledged
    assert shown() != before
    assert properties(host, "event-listener-ingest", "MainPID") == pid
    assert play.good("renew_certificates", event_listener_ca_dir=str(new_ca)).changed_tasks == []
    assert not host.succeeds("find /etc /opt /var/lib/event-listener -name 'ca.key' | grep .", root=True)
    scrape = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9440/metrics').read().decode())"
    metrics = host.ssh(f'python3 -c "{scrape}"')
    assert 'event_listener_tls_not_after_seconds{certificate="/etc/event-listener/tls/listener.pem"}' in metrics
    play.good("renew_certificates")
    assert shown() == before
