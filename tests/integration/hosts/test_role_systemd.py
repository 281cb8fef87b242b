# SPDX-License-Identifier: GPL-3.0-or-later
"""The role on booted hosts, installed from its tarball: deploy, deploy again, harden, restart, reboot, remove.

The tests of a host follow each other: they share one deployment, because a deployment takes its time.
"""

from __future__ import annotations

import base64
import threading
import time
from pathlib import Path

import pytest

from tests.integration.hosts.deployment import CREDENTIAL, SERVICES, TOKEN
from tests.integration.hosts.on_host import disk, exposure, post, properties, stored, wait_active

pytestmark = [pytest.mark.root, pytest.mark.slow]

# Where the services write whenever they have something to write.
OWN = ("var/lib/event-listener", "var/log/event-listener")


def test_check_mode_on_an_empty_host_writes_nothing(deployed):
    """Check mode before the first run reports changes, succeeds, and leaves the disk as it was."""
    assert deployed.preview.returncode == 0, deployed.preview.output
    assert deployed.preview.recap("changed") > 0
    assert deployed.after_preview == deployed.before


def test_second_run_changes_nothing(deployed):
    """The same variables again, for real or in check mode: no task reports a change."""
    assert deployed.first.recap("changed") > 0
    assert deployed.second.changed_tasks == []
    assert deployed.second.recap("changed") == 0
    assert deployed.check.changed_tasks == []


def test_second_run_is_short(deployed):
    """A run without changes has at most 30 tasks."""
    assert deployed.second.recap("ok") <= 30, deployed.second.output


def test_no_secret_is_shown(deployed):
    """Neither output nor process list has a password, token or passphrase."""
    shown = deployed.first.output + deployed.second.output + deployed.host.ssh("ps axeww -o args", root=True)
    for secret in (
        CREDENTIAL[1],
        TOKEN,
        "estate-test-passphrase",
        base64.b64encode(":".join(CREDENTIAL).encode()).decode(),
    ):
        assert secret not in shown


def test_units_are_active_and_enabled(deployed):
    """Target, socket and three services run, and the target comes with the next boot."""
    host = deployed.host
    units = ["event-listener.target", "event-listener-ingest.socket", *(f"event-listener-{name}" for name in SERVICES)]
    for unit in units:
        assert host.ssh(f"systemctl is-active {unit}", check=False).strip() == "active", unit
    assert host.ssh("systemctl is-enabled event-listener.target").strip() == "enabled"
    said = host.ssh("journalctl --no-pager -o short -u event-listener-ingest", root=True)
    assert " event-listener[" in said  # what log collectors select by
    assert " env[" not in said


@pytest.mark.parametrize("name", SERVICES)
def test_service_runs_without_root(deployed, name):
    """Every process of a service has the service's account, no capability, and no way to more."""
    group = properties(deployed.host, f"event-listener-{name}", "ControlGroup")[0]
    pids = deployed.host.ssh(f"cat /sys/fs/cgroup{group}/cgroup.procs").split()
    assert pids
    for pid in pids:
        status = deployed.host.ssh(f"cat /proc/{pid}/status", root=True)
        fields = dict(line.split(":", 1) for line in status.splitlines())
        assert "0" not in fields["Uid"].split()
        assert "0" not in fields["Gid"].split()
        assert int(fields["CapBnd"], 16) == 0
        assert fields["NoNewPrivs"].strip() == "1"


def test_port_443_is_served_with_tls(deployed):
    """An authenticated POST to port 443 is acknowledged; a POST without credentials is refused."""
    host = deployed.host
    with deployed.deployment.estate.network():
        assert post(host.address, "first-event") == 200
        assert post(host.address6, "second-event") == 200
    assert stored(host, {"first-event", "second-event"}) == {"first-event", "second-event"}


def test_units_are_verified_by_systemd(deployed):
    """`systemd-analyze verify` finds nothing to say about the units."""
    done = deployed.host.ssh("systemd-analyze verify /etc/systemd/system/event-listener* 2>&1", root=True)
    assert [line for line in done.splitlines() if "event-listener" in line] == []


@pytest.mark.parametrize("name", SERVICES)
def test_exposure_is_low(deployed, name, progress):
    """`systemd-analyze security` rates each service at most 2.0."""
    figure, report = exposure(deployed.host, f"event-listener-{name}.service")
    progress(f"{deployed.host.name}: exposure of {name}: {figure}")
    assert figure <= 2.0, report


@pytest.mark.parametrize("name", SERVICES)
def test_service_sees_and_writes_only_its_own(deployed, name):
    """Inside a service's view, its account can't read secrets on disk, nor write outside of the listener's data."""
    host = deployed.host
    pid = properties(host, f"event-listener-{name}", "MainPID")[0]
    inside = f"nsenter --target {pid} --mount setpriv --reuid event-listener --regid event-listener --clear-groups"
    assert host.succeeds(f"{inside} touch /var/lib/event-listener/probe", root=True)
    host.ssh("rm /var/lib/event-listener/probe", root=True)
    for path in ("/etc/event-listener", "/opt/event-listener", "/var/lib", "/var/tmp/..", "/home", "/root"):
        assert not host.succeeds(f"{inside} touch {path}/probe", root=True), path
    assert not host.succeeds(f"{inside} sh -c 'cat /etc/event-listener/credentials/*'", root=True)
    modes = host.ssh("stat -c '%a %U' /etc/event-listener/credentials/*", root=True).split("\n")
    assert {mode for mode in modes if mode} == {"400 root"}


@pytest.mark.parametrize("name", SERVICES)
def test_killed_service_comes_back(deployed, name):
    """After kill -9 of its main process a service runs again, by itself."""
    unit = f"event-listener-{name}"
    pid = properties(deployed.host, unit, "MainPID")[0]
    deployed.host.ssh(f"kill -9 {pid}", root=True)
    wait_active(deployed.host, unit, previous=pid)


def test_restart_refuses_nobody(deployed):
    """While ingest is restarted, every new connection is served: the port belongs to systemd."""
    host, estate = deployed.host, deployed.deployment.estate
    over, statuses, refused = threading.Event(), {}, []

    def bmc(number: int) -> None:
        with estate.network():
            count = 0
            while not over.is_set():
                marker = f"restart-{number}-{count}"
                count += 1
                try:
                    statuses[marker] = post(host.address, marker)
                except OSError as error:
                    refused.append(f"{marker}: {error!r}")

    threads = [threading.Thread(target=bmc, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        host.ssh("systemctl restart event-listener-ingest.service", root=True)
        time.sleep(1)
    over.set()
    for thread in threads:
        thread.join()
    assert refused == []
    assert set(statuses.values()) == {200}
    assert stored(host, set(statuses)) == set(statuses)


@pytest.mark.parametrize("method", ["stop", "kill"])
def test_listener_comes_back_with_its_host(deployed, method):
    """After a reboot or a power cut the listener serves again, and holds all that it had acknowledged."""
    host, estate = deployed.host, deployed.deployment.estate
    markers = {f"{method}-{number}" for number in range(20)}
    with estate.network():
        assert {post(host.address, marker) for marker in markers} == {200}
    getattr(host, method)()
    host.start()
    host.wait()
    for name in SERVICES:
        wait_active(host, f"event-listener-{name}")
    with estate.network():
        assert post(host.address, f"after-{method}") == 200
    wanted = markers | {f"after-{method}"}
    assert stored(host, wanted) == wanted


def test_port_stays_open_while_ingest_cannot_start(deployed):
    """However long ingest can't start, the port stays open, and when it can again, who waited is served."""
    host, estate = deployed.host, deployed.deployment.estate
    python = "/opt/event-listener/current/venv/bin/event-listener"
    host.ssh(f"mv {python} {python}.away; systemctl kill -s KILL event-listener-ingest.service", root=True)
    answers = []

    def bmc() -> None:
        with estate.network():
            answers.append(post(host.address, "patient"))

    waiting = threading.Thread(target=bmc)
    waiting.start()
    time.sleep(8)  # five failures within ten seconds make systemd give up, unless told otherwise
    assert answers == []
    assert host.ssh("systemctl is-active event-listener-ingest.socket").strip() == "active"
    host.ssh(f"mv {python}.away {python}", root=True)
    waiting.join()
    assert answers == [200]


def test_wrong_settings_are_refused_before_anything_changes(deployed):
    """A setting that doesn't exist ends the run by name; what runs goes on as it was."""
    host = deployed.host
    before = disk(host, OWN), [properties(host, f"event-listener-{name}", "MainPID") for name in SERVICES]
    run = deployed.deployment.play("listener", event_listener_settings={"ingest": {"wrokers": 3}})
    assert run.returncode != 0
    assert "wrokers" in run.output
    assert run.recap("changed") == 0, run.changed_tasks
    assert (disk(host, OWN), [properties(host, f"event-listener-{name}", "MainPID") for name in SERVICES]) == before


def test_changed_setting_is_applied_once(deployed):
    """A modified setting is announced by check mode, applied, and then left alone; what somebody else did is mended."""
    host = deployed.host
    settings = {"event_listener_settings": {"ingest": {"workers": 3}}}
    announced = deployed.deployment.good("listener", "--check", **settings)
    applied = deployed.deployment.good("listener", **settings)
    assert "Configuration" in announced.changed_tasks
    assert "Configuration" in applied.changed_tasks
    assert "workers: 3" in host.ssh("cat /etc/event-listener/config.yml", root=True)
    tls = "/etc/event-listener/tls"
    others = ["chmod 0755 " + tls, "systemctl disable event-listener.target", "systemctl stop event-listener-relay"]
    host.ssh("; ".join([*others, f"touch {tls}/listener-rsa.key"]), root=True)
    mended = deployed.deployment.good("listener", **settings)
    assert mended.changed_tasks == [
        "Folders of configuration, data and logs",
        "Services run now and after a reboot",
        "No second key stays where there is one kind",
    ]
    assert host.ssh(f"stat -c %a {tls}; ls {tls}", root=True).split() == ["750", "listener.key", "listener.pem"]
    assert host.ssh("systemctl is-enabled event-listener.target").strip() == "enabled"
    assert host.ssh("systemctl is-active event-listener-relay").strip() == "active"


def test_absent_leaves_the_data_and_purge_leaves_nothing(deployed):
    """`state: absent` removes programs, configuration and secrets and keeps the data; with purge that goes too."""
    host, play = deployed.host, deployed.deployment
    data = {name for name in disk(host) if name.startswith(OWN)}
    logs = {name for name in data if name.endswith(".txt")}
    assert logs
    announced = play.good("listener", "--check", event_listener_state="absent")
    assert announced.recap("changed") > 0
    assert host.succeeds("systemctl is-active event-listener.target")
    play.good("listener", event_listener_state="absent")
    assert play.good("listener", event_listener_state="absent").changed_tasks == []
    left = {name for name in disk(host) - deployed.before if "event-listener" in name}
    assert logs <= left
    assert {name for name in left if "/run/" not in name} <= data  # a service may note something there to its end
    assert host.ssh("systemctl list-units --all --no-legend 'event-listener*'").strip() == ""

    play.good("listener", event_listener_state="absent", event_listener_purge=True)
    assert play.good("listener", event_listener_state="absent", event_listener_purge=True).changed_tasks == []
    assert {name for name in disk(host) - deployed.before if "event-listener" in name} == set()
    assert not host.succeeds("getent passwd event-listener")
    assert Path(play.variables["event_listener_ca_dir"]).is_dir()  # the fleet's authority isn't the host's to remove
