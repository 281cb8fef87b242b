# SPDX-License-Identifier: GPL-3.0-or-later
"""Where SELinux is enforcing, what the roles install works without a policy of its own (ADR 29).

Asked is Debian's policy, from its file: this kernel needs no SELinux. What the targeted policy of Fedora and RHEL says
is in the ADR.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
STORE = Path("/etc/selinux/default")
CONTEXTS = STORE / "contexts" / "files" / "file_contexts"
# The distribution's own, beside which Debian installs setools.
PYTHON = Path("/usr/bin/python3")
Question = tuple[str, str, str, str]


@pytest.fixture(scope="module", autouse=True)
def installed():
    """A policy and what reads it."""
    if shutil.which("matchpathcon", path="/usr/sbin:/usr/bin") is None or not CONTEXTS.exists():
        pytest.skip("no SELinux policy on this machine; tests/tools/install-debian-packages installs it")


def label(*paths: str | Path) -> list[str]:
    """The types that the policy has for paths."""
    command = ["matchpathcon", "-n", "-f", str(CONTEXTS), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": "/usr/sbin:/usr/bin"})
    return [line.split(":")[2] for line in done.stdout.split()]


def ask(of: Iterable[str], transitions: Iterable[tuple[str, str]] = (), allowed: Iterable[Question] = ()) -> dict:
    """Ask the policy; shapes are those of selinux_policy.py."""
    (path,) = (STORE / "policy").glob("policy.*")
    asked = {"policy": str(path), "of": [*of], "transitions": [*transitions], "allowed": [*allowed]}
    command = [PYTHON, Path(__file__).parent / "selinux_policy.py"]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused(of: Iterable[str], wanted: Iterable[Question]) -> list[Question]:
    """Those that the policy doesn't allow."""
    wanted = [*wanted]
    return [one for one, yes in zip(wanted, ask(of, allowed=wanted)["allowed"], strict=True) if not yes]


def commands() -> set[str]:
    """What the units of all roles execute, each as its first word."""
    units = ROOT.glob("roles/*/templates/*.service.j2")
    found = [one for unit in units for one in re.findall(r"^Exec\w+=-?(\S+)", unit.read_text(), re.MULTILINE)]
    assert len(found) > 10
    return {*found}


@pytest.fixture(scope="module")
def domain() -> str:
    """The domain into which systemd takes a service that begins with an ordinary program."""
    (found,) = ask(["init_t"], transitions=[("init_t", "bin_t")])["transitions"]
    return found


def test_units_begin_with_ordinary_programs():
    """The label of what is executed decides, and that of env is the same wherever our folders are."""
    found = commands()
    assert "/usr/bin/env" in found
    assert set(label(*found)) == {"bin_t"}


def test_services_come_into_an_unconfined_domain(domain):
    """Although no new privileges may be had, and whatever it then reads, writes or connects to."""
    assert refused(["init_t", domain], [
        ("init_t", domain, "process", "transition"),
        ("init_t", domain, "process2", "nnp_transition"),
        (domain, "bin_t", "file", "entrypoint"),
    ]) == []  # fmt: skip
    assert "unconfined_domain_type" in ask([domain])["attributes"][domain]


def test_what_services_start_stays_in_their_domain(domain):
    """nginx, nft, keepalived and ssh have domains of their own, which don't know our files: they aren't entered."""
    programs = dict(zip(
        ("nginx", "nft", "keepalived", "ssh"),
        label("/usr/sbin/nginx", "/usr/sbin/nft", "/usr/sbin/keepalived", "/usr/bin/ssh"), strict=True,
    ))  # fmt: skip
    assert programs["nginx"] == "httpd_exec_t"
    entered = ask([domain], transitions=[(domain, one) for one in programs.values()])["transitions"]
    # Without new privileges the kernel stays in the old domain where this permission is missing.
    tried = [(domain, one, "process2", "nnp_transition") for one in entered if one]
    assert refused([domain], tried) == tried
    assert refused([domain], [(domain, one, "file", "execute_no_trans") for one in programs.values()]) == []


def test_sockets_that_systemd_opens(domain):
    """They have the label of the service; its domain is what a port is asked for."""
    verbs = ("create", "bind", "listen")
    made = [("init_t", domain, kind, verb) for kind in ("tcp_socket", "unix_stream_socket") for verb in verbs]
    kinds = ("http_port_t", "reserved_port_t", "unreserved_port_t")
    ports = [(domain, one, "tcp_socket", "name_bind") for one in kinds]
    reached = [(domain, domain, "unix_stream_socket", "connectto"), (domain, "var_run_t", "sock_file", "write")]
    file = [("init_t", "var_run_t", "sock_file", one) for one in ("create", "setattr", "unlink")]
    assert refused(["init_t", domain], [*made, *ports, *reached, *file]) == []


def test_files_have_labels_that_are_allowed(domain):
    """Configuration, data and logs by their paths; programs with the label of their folder, and relabelled."""
    variables = yaml.safe_load((ROOT / "roles/event_listener/defaults/main.yml").read_text())
    folders = {name: variables[f"event_listener_{name}_dir"] for name in ("config", "state", "log", "install")}
    config, state, log = label(*(folders[name] + "/x" for name in ("config", "state", "log")))
    assert (config, state, log) == ("etc_t", "var_lib_t", "var_log_t")
    release = f"{folders['install']}/releases/0.1.0+0123456789ab"
    inside = ("venv/bin/event-listener", "venv/lib/python3.11/site-packages/a.so", "x")
    relabelled = label(*(f"{release}/{one}" for one in inside))
    assert relabelled == ["bin_t", "lib_t", "usr_t"]
    programs = [*relabelled, "var_t", "default_t"]  # also below /srv, or where the policy knows nothing
    assert refused(["init_t", domain], [
        ("init_t", config, "file", "read"),  # LoadCredential=
        (domain, config, "file", "read"),
        *((domain, one, "file", verb) for one in (state, log) for verb in ("create", "write", "rename", "unlink")),
        (domain, state, "file", "map"),  # SQLite's shared memory
        *((domain, one, "file", verb) for one in programs for verb in ("read", "map", "execute", "execute_no_trans")),
        *((domain, one, "lnk_file", "read") for one in programs),
    ]) == []  # fmt: skip
