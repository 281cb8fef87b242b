# SPDX-License-Identifier: GPL-3.0-or-later
"""`ansible-playbook redfleet.events.site -i config.ini` does the whole job of the DMTF tool, and takes over from it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from redfish_simulator.client import Fleet

from tests.integration.listener_process import free_port

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = "https://monitoring.example.com/redfish"
SECRET = "{{ 7 * 7 }}%!"
CONFIG = """
[SystemInformation]
ListenerIP = 127.0.0.1
ListenerPort = {port}
UseSSL = on

[CertificateDetails]
certfile = listener.pem
keyfile = listener.key

[{section}]
Destination = https://127.0.0.1:{port}/
Context = Public {{{{ 1 + 1 }}}}
{authentication}
[ServerInformation]
ServerIPs = {addresses}
UserNames = {users}
Passwords = {passwords}
LoginType = {logins}
"""


def environment(directory: Path) -> dict[str, str]:
    """A user's own configuration, with the collection installed and the plugin enabled."""
    link = directory / "collections" / "ansible_collections" / "redfleet" / "events"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.exists():
        link.symlink_to(ROOT)
    (directory / "ansible.cfg").write_text(
        "[inventory]\nenable_plugins = redfleet.events.dmtf_listener, host_list, script, auto, yaml, ini\n"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return {
        **clean,
        "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
        "ANSIBLE_HOME": str(directory / "home"),
        "ANSIBLE_LOCAL_TEMP": str(directory / "temp"),
        "ANSIBLE_COLLECTIONS_PATH": str(directory / "collections"),
        "ANSIBLE_NOCOLOR": "1",
    }


def command(directory: Path, program: str, *arguments: str, timeout: int = 60) -> subprocess.CompletedProcess:
    """Run a program of Ansible in a directory."""
    path = str(Path(sys.executable).parent / program)
    return subprocess.run(
        [path, *arguments], capture_output=True, text=True, timeout=timeout, env=environment(directory), cwd=directory
    )


def write_config(directory: Path, fleet: Fleet, port: int, section: str = "SubsciptionDetails", **more: str) -> Path:
    """The configuration that somebody used the DMTF tool with."""
    path = directory / "config.ini"
    path.write_text(
        CONFIG.format(
            port=port,
            section=section,
            addresses=json.dumps([bmc.baseuri for bmc in fleet.bmcs]),
            users=", ".join(bmc.username for bmc in fleet.bmcs),
            passwords=json.dumps([bmc.password.replace("%", "%%") for bmc in fleet.bmcs]),
            logins=", ".join(bmc.login_type for bmc in fleet.bmcs[:-1]),
            authentication=more.get("authentication", ""),
        )
    )
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def bmcs(fleet: Callable[..., Fleet], certificates: dict[str, Path]) -> Iterator[Fleet]:
    with fleet(mix="openbmc=1,idrac9=1,plain=1", listener_ca=str(certificates["ca"])) as running:
        yield running


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[Path]:
    """A directory whose listener, deployed as processes, is stopped at the end."""
    yield tmp_path
    program = tmp_path / "listener" / "programs" / "current" / "venv" / "bin" / "event-listener"
    if program.exists():
        config = tmp_path / "listener" / "configuration" / "config.yml"
        subprocess.run([str(program), "--config", str(config), "stop"], timeout=60, check=True, capture_output=True)


def beside(directory: Path) -> None:
    """Variables beside the file override its own: here, where the listener is put on a machine that isn't its own."""
    base = directory / "listener"
    variables = {
        "ansible_become": False,
        "event_listener_service_manager": "process",
        "event_listener_python": sys.executable,
        "event_listener_user": "root" if os.geteuid() == 0 else os.environ["USER"],
        "event_listener_manage_bind": f"127.0.0.1:{free_port()}",
        "event_listener_install_dir": str(base / "programs"),
        "event_listener_config_dir": str(base / "configuration"),
        "event_listener_state_dir": str(base / "data"),
        "event_listener_log_dir": str(base / "logs"),
    }
    (directory / "group_vars").mkdir(exist_ok=True)
    (directory / "group_vars" / "event_listeners.yml").write_text(yaml.safe_dump(variables))


@pytest.mark.slow
def test_one_command_takes_over_from_the_dmtf_tool(bmcs: Fleet, stopped: Path, certificates: dict[str, Path]):
    """Listener, subscriptions and proof; what the tool left behind is replaced, what others made stays; twice."""
    port = free_port()
    config = write_config(stopped, bmcs, port)
    shutil.copy(certificates["certificate"], stopped / "listener.pem")
    shutil.copy(certificates["key"], stopped / "listener.key")
    beside(stopped)
    left = {"Destination": f"https://127.0.0.1:{port}/", "Context": "Public", "Protocol": "Redfish"}
    for bmc in bmcs.bmcs:
        bmc.seed_subscriptions(left, left, {"Destination": FOREIGN, "Context": "theirs", "Protocol": "Redfish"})

    done = command(stopped, "ansible-playbook", "redfleet.events.site", "-i", str(config), timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 delivered" in done.stdout
    for bmc in bmcs.bmcs:
        held = {one["Destination"]: one for one in bmc.subscriptions()}
        assert len(bmc.subscriptions()) == 2, held
        ours = f"https://127.0.0.1:{port}/events/{bmc.address}"
        if ours in held:
            assert held[ours]["Context"] == "Public {{ 1 + 1 }}"
        assert {*held} - {FOREIGN} == {ours}
        assert held[FOREIGN]["Context"] == "theirs"
        log = stopped / "listener" / "logs" / f"Events_{bmc.address}.txt"
        assert log.read_text().startswith("Time:")
        assert bmc.password not in done.stdout + done.stderr
    assert (stopped / ".redfleet" / "bmc-events").stat().st_mode & 0o077 == 0

    again = command(stopped, "ansible-playbook", "redfleet.events.subscribe", "-i", str(config), timeout=200)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "3 ok" in again.stdout


def test_an_inventory_listing_holds_no_password(bmcs: Fleet, tmp_path: Path):
    """What `ansible-inventory` prints ends up in tickets."""
    section = f"[ListenerAuthentication]\nUserName = sender\nPassword = {SECRET.replace('%', '%%')}\n"
    config = write_config(tmp_path, bmcs, 9443, authentication=section)
    listed = command(tmp_path, "ansible-inventory", "-i", str(config), "--list")
    assert listed.returncode == 0, listed.stderr
    told = listed.stdout + listed.stderr
    assert not [bmc.name for bmc in bmcs.bmcs if bmc.password in told]
    assert SECRET not in told
    groups = json.loads(listed.stdout)
    assert groups["bmcs"]["hosts"] == [bmc.address for bmc in bmcs.bmcs]
    assert groups["event_listeners"]["hosts"] == ["listener"]
    logins = [groups["_meta"]["hostvars"][bmc.address]["redfish_login_type"] for bmc in bmcs.bmcs]
    assert logins == [*(bmc.login_type for bmc in bmcs.bmcs[:-1]), "session"]


def test_a_password_arrives_as_it_is_written(bmcs: Fleet, tmp_path: Path):
    """A password with the look of a template is a password; a Context, too."""
    section = f"[ListenerAuthentication]\nUserName = sender\nPassword = {SECRET.replace('%', '%%')}\n"
    config = write_config(tmp_path, bmcs, 9443, authentication=section)
    play = [
        {
            "hosts": "bmcs",
            "gather_facts": False,
            "tasks": [
                {
                    "ansible.builtin.debug": {
                        "msg": "{{ event_listener_credentials[0].password }}|{{ redfish_password }}|"
                        "{{ event_subscription.context }}|"
                    }
                }
            ],
        }
    ]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(play))
    done = command(tmp_path, "ansible-playbook", "play.yml", "-i", str(config))
    assert done.returncode == 0, done.stdout + done.stderr
    for bmc in bmcs.bmcs:
        assert f'"{SECRET}|{bmc.password}|Public {{{{ 1 + 1 }}}}|"' in done.stdout


def test_a_broken_file_is_an_error_that_tells_all(bmcs: Fleet, tmp_path: Path):
    """Whatever other plugins make of the file, the user reads what is wrong with it."""
    config = write_config(tmp_path, bmcs, 9443)
    text = config.read_text().replace("https://127.0.0.1:9443/", "https://<ListenerIP>/")
    config.write_text(text.replace("UseSSL = on", "UseSSL = maybe"))
    done = command(tmp_path, "ansible-playbook", str(ROOT / "playbooks" / "subscribe.yml"), "-i", str(config))
    assert done.returncode != 0
    assert "[SubsciptionDetails] Destination: https://<ListenerIP>/ still has a placeholder" in done.stderr
    assert "[SystemInformation] UseSSL: 'maybe' is neither on nor off. Write one of them." in done.stderr


def test_other_ini_inventories_are_left_alone(tmp_path: Path):
    """The plugin is asked first, so it must know what isn't its own."""
    inventory = tmp_path / "hosts.ini"
    inventory.write_text("[bmcs]\nbmc1 ansible_host=192.0.2.1\n")
    listed = command(tmp_path, "ansible-inventory", "-i", str(inventory), "--list")
    assert json.loads(listed.stdout)["bmcs"]["hosts"] == ["bmc1"]


@pytest.fixture
def imported(bmcs: Fleet, tmp_path: Path) -> Path:
    """The folder that import-config makes of a file with a password like a template."""
    section = f"[ListenerAuthentication]\nUserName = sender\nPassword = {SECRET.replace('%', '%%')}\n"
    config = write_config(tmp_path, bmcs, 9443, authentication=section)
    done = command(tmp_path, "event-listener", "import-config", str(config), "inventory")
    assert done.returncode == 0, done.stderr
    assert "inventory: 3 BMCs and a listener." in done.stdout
    assert "subscriptions to https://127.0.0.1:9443/ are removed" in done.stdout
    assert "listener.key can't be read now" in done.stdout
    assert not [bmc.name for bmc in bmcs.bmcs if bmc.password in done.stdout]
    return tmp_path / "inventory"


def test_an_imported_folder_says_the_same_as_the_file(bmcs: Fleet, imported: Path, tmp_path: Path):
    """Moving for good changes nothing but where things stand: BMCs get the same."""
    tasks = [
        {
            "ansible.builtin.copy": {
                "content": "{{ [redfish_baseuri, redfish_username, redfish_password, redfish_login_type, "
                "event_subscription, event_listener_credentials, event_listener_url] | to_json }}",
                "dest": f"{tmp_path}/{{{{ kind }}}}-{{{{ inventory_hostname }}}}",
                "mode": "0600",
            },
            "connection": "local",
        }
    ]
    play = {"hosts": "bmcs", "gather_facts": False, "tasks": tasks}
    play["vars"] = {"ansible_python_interpreter": sys.executable}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    for kind, source in (("file", tmp_path / "config.ini"), ("folder", imported)):
        done = command(tmp_path, "ansible-playbook", "play.yml", "-i", str(source), "-e", f"kind={kind}")
        assert done.returncode == 0, done.stdout + done.stderr
    for bmc in bmcs.bmcs:
        shown = json.loads((tmp_path / f"file-{bmc.address}").read_text())
        assert shown == json.loads((tmp_path / f"folder-{bmc.address}").read_text())
        assert shown[2] == bmc.password
        assert shown[5][0]["password"] == SECRET


def test_secrets_are_in_one_file_that_vault_takes(bmcs: Fleet, imported: Path, tmp_path: Path):
    """Everything else can go into version control."""
    vault = imported / "group_vars" / "all" / "vault.yml"
    assert vault.stat().st_mode & 0o777 == 0o600
    others = "".join(path.read_text() for path in imported.rglob("*.yml") if path != vault)
    assert not [bmc.name for bmc in bmcs.bmcs if bmc.password in others]
    assert SECRET not in others
    (tmp_path / "password").write_text("a vault's password")
    done = command(tmp_path, "ansible-vault", "encrypt", "--vault-password-file", "password", str(vault))
    assert done.returncode == 0, done.stderr
    assert vault.read_text().startswith("$ANSIBLE_VAULT")


def test_import_config_overwrites_nothing_and_tells_what_is_wrong(imported: Path, tmp_path: Path):
    """A second run on the same folder, and a file with mistakes."""
    before = {path: path.read_bytes() for path in imported.rglob("*.yml")}
    again = command(tmp_path, "event-listener", "import-config", "config.ini", "inventory")
    assert again.returncode == 1
    assert "inventory is not empty" in again.stderr
    assert before == {path: path.read_bytes() for path in imported.rglob("*.yml")}
    (tmp_path / "config.ini").write_text("[ServerInformation]\n")
    broken = command(tmp_path, "event-listener", "import-config", "config.ini", "other")
    assert broken.returncode == 1
    assert "[SystemInformation] ListenerIP: is missing or empty." in broken.stderr
    assert not (tmp_path / "other").exists()
