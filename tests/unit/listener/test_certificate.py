# SPDX-License-Identifier: GPL-3.0-or-later
"""How long certificates are valid, and who says so: readiness, metrics, the doctor."""

import datetime

import pytest
import trustme
from event_listener.certificate import certificates
from event_listener.settings import Settings
from event_listener.settings_nginx import Nginx
from event_listener.settings_tls import Tls

DAY = 86400
ENDS = datetime.datetime(2030, 1, 31, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    """A certificate that is valid until ENDS."""
    path = tmp_path_factory.mktemp("tls") / "listener.pem"
    issued = trustme.CA().issue_cert("listener.example", not_after=ENDS)
    issued.cert_chain_pems[0].write_to_path(str(path))
    return str(path)


def settings(pem, **changes):
    base = Settings(state_dir="/nowhere")
    tls = Tls(certificate=pem, key="/nowhere/key", **changes)
    return base.__class__(state_dir="/nowhere", ingest=type(base.ingest)(tls=tls))


@pytest.mark.parametrize(
    ("days", "state", "said"),
    [(-40, "good", "valid until Jan 31"), (-20, "soon", "renew it"), (-1, "soon", "renew it"), (1, "wrong", "since")],
)
def test_the_end_is_told_in_time(pem, days, state, said):
    """Three weeks before it, unless the setting says otherwise."""
    (found,) = certificates(settings(pem), ENDS.timestamp() + days * DAY)
    assert (found.state, found.ends) == (state, ENDS.timestamp())
    assert said in found.text


def test_the_setting_decides_how_early(pem):
    (found,) = certificates(settings(pem, expiry_warning=50), ENDS.timestamp() - 40 * DAY)
    assert found.state == "soon"


def test_a_wrong_clock_and_a_lost_file_are_told(pem):
    (early,) = certificates(settings(pem), 0)
    (lost,) = certificates(settings("/nowhere/listener.pem"))
    assert (early.state, lost.state) == ("wrong", "wrong")
    assert "is the clock right" in early.text
    assert (lost.ends, "can't be read" in lost.text) == (0, True)


def test_both_kinds_of_keys_are_looked_at_and_plain_http_has_none(pem):
    second = settings(pem, second_certificate=pem, second_key="/nowhere/key")
    assert len(certificates(second)) == 2
    ingest = type(second.ingest)(plain_http=True, tls=Tls(certificate=pem))
    assert certificates(Settings(state_dir="/nowhere", ingest=ingest)) == []
    behind = type(ingest)(
        bind=["unix:/nowhere/ingest.sock"], plain_http=True, trusted_proxies=["unix"], tls=Tls(certificate=pem)
    )
    assert len(certificates(Settings(state_dir="/nowhere", ingest=behind, nginx=Nginx(enabled=True)))) == 1
