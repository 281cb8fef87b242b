# SPDX-License-Identifier: GPL-3.0-or-later
"""osel's configuration, as its README has it, becomes one of ours; what changed is said."""

import pytest
import yaml
from click.testing import CliRunner
from event_listener import config_file
from event_listener.cli import main
from event_listener.osel_config import OselConfigError, imported

README = """\
debug: true
batch_interval: 2
rabbit_uri: "amqp://amqp_user:amqp_p%40ss@amqp.example:5673//"
logfile: "/var/log/os_event_listener.log"
syslog_server: your.syslog.server.fqdn
syslog_port: "514"
syslog_protocol: "tcp"
retry_syslog: "false"
openstack:
  identity_endpoint: "https://keystone.url:5000/v2.0/"
  tenant_name: "tenant_to_authenticate_against"
  user: "username"
  password: "keystone-secret"
  region: "region_name"
qualys:
  username: "qualys_username"
  password: "qualys-secret"
  option: "Name Of The Qualys Scan Profile"
  proxy_url: "http://in.case.you.need.to.proxy.to.reach.qualys/"
  url: "https://qualysapi.qualys.com/api/2.0/fo/scan/"
  drop6: true
"""


def test_the_example_of_its_readme(tmp_path):
    """Everything that osel read has its place; no secret is in the settings or on the screen."""
    (tmp_path / "osel.yaml").write_text(README)
    made = tmp_path / "made"
    run = CliRunner().invoke(main, ["import-osel", str(tmp_path / "osel.yaml"), str(made)])
    assert run.exit_code == 0, run.output
    settings = config_file.load(made / "config.yml")
    source = settings.openstack
    assert (source.hosts, source.virtual_host, source.username) == (["amqp.example:5673"], "/", "amqp_user")
    assert (made / "rabbitmq-password").read_text() == "amqp_p@ss\n"
    assert source.password.file == str(made / "rabbitmq-password")
    cloud = yaml.safe_load((made / "clouds.yaml").read_text())["clouds"][source.security_groups.cloud]
    assert cloud["auth"]["auth_url"] == "https://keystone.url:5000/v3"
    assert (cloud["auth"]["username"], cloud["region_name"]) == ("username", "region_name")
    (syslog,) = settings.sinks.syslog
    assert (syslog.host, syslog.transport, syslog.body, syslog.source_type) == (
        "your.syslog.server.fqdn:514", "tcp", "osel", "osel1.1",
    )  # fmt: skip
    (qualys,) = settings.sinks.qualys
    assert (qualys.option_profile, qualys.batch_interval, qualys.drop6) == (
        "Name Of The Qualys Scan Profile", 120.0, True,
    )  # fmt: skip
    assert (qualys.networks, qualys.dry_run) == ([], True)
    for secret in ("amqp_p", "keystone-secret", "qualys-secret"):
        assert secret not in run.output + (made / "config.yml").read_text()
    for name in ("rabbitmq-password", "qualys-password", "clouds.yaml"):
        assert (made / name).stat().st_mode & 0o077 == 0
    for word in ("ceilometer", "service account", "removals", "networks", "drop6", "logfile", "log_level"):
        assert word in run.output
    again = CliRunner().invoke(main, ["import-osel", str(tmp_path / "osel.yaml"), str(made)])
    assert (again.exit_code, "is not empty" in again.output) == (1, True)


def test_tls_hosts_and_what_is_left_out():
    found = imported("rabbit_uri: amqps://[2001:db8::1]/cloud%2Fone\nsyslog_server: s\nsyslog_protocol: udp", "/x")
    settings = config_file.convert(found.settings)
    assert (settings.openstack.hosts, settings.openstack.virtual_host) == (["[2001:db8::1]:5671"], "cloud/one")
    assert settings.openstack.tls is not None
    assert settings.openstack.security_groups is None
    assert (settings.sinks.syslog[0].transport, settings.sinks.qualys) == ("udp", [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "not valid YAML"),
        ("- 1", "no rabbit_uri"),
        ("debug: true", "no rabbit_uri"),
        ("rabbit_uri: http://x", "no amqp:// or amqps:// URL"),
        ("rabbit_uri: amqp://x:port", "rabbit_uri: "),
        ("{rabbit_uri: 'amqp://x', syslog_server: s, syslog_protocol: smoke}", "tcp or udp"),
        ("{rabbit_uri: 'amqp://x', batch_interval: often, qualys: {username: u}}", "number of minutes"),
    ],
)
def test_mistakes_are_named(text, problem):
    with pytest.raises(OselConfigError, match=problem):
        imported(text, "/x")
