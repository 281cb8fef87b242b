# SPDX-License-Identifier: GPL-3.0-or-later
"""A real `event-listener run` for tests: its configuration, its processes, its answers."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import requests
import trustme
import yaml
from event_listener import journal_writer
from event_listener.journal import JournalReader
from event_listener.metrics import collect_ingest
from event_listener.process import die_with_parent
from prometheus_client import CollectorRegistry

from tests.api_contract import judged

READY_SECONDS = 40
STOP_SECONDS = 30


def free_port(host: str = "127.0.0.1") -> int:
    """Return a TCP port of `host` that was free a moment ago."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def merged(base: dict, changes: dict) -> dict:
    """Return `base` with `changes`, dictionaries within dictionaries merged."""
    result = dict(base)
    for key, value in changes.items():
        result[key] = merged(result[key], value) if isinstance(value, dict) and key in result else value
    return result


def url_host(host: str) -> str:
    """Return `host` as a URL wants it."""
    return f"[{host}]" if ":" in host else host


def issue_certificates(directory: Path) -> dict[str, Path]:
    """Make a test CA (`ca`) and a listener's certificate for loopback (`certificate`, `key`) in `directory`."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1", "::1")
    paths = {name: directory / f"{name}.pem" for name in ("ca", "certificate", "key")}
    authority.cert_pem.write_to_path(str(paths["ca"]))
    issued.private_key_pem.write_to_path(str(paths["key"]))
    for blob in issued.cert_chain_pems:
        blob.write_to_path(str(paths["certificate"]), append=True)
    return paths


def issue_client_certificates(directory: Path) -> dict[str, str]:
    """Make the PEM files of a fleet's CA (`fleet`), of a client of it (`bmc`) and of another CA's (`stranger`)."""
    fleet = trustme.CA()
    fleet.cert_pem.write_to_path(str(directory / "fleet.pem"))
    for name, authority in (("bmc", fleet), ("stranger", trustme.CA())):
        issued = authority.issue_cert("bmc.example")
        issued.private_key_and_cert_chain_pem.write_to_path(str(directory / f"{name}.pem"))
    return {name: str(directory / f"{name}.pem") for name in ("fleet", "bmc", "stranger")}


class RunningListener:
    """`url` and `manage_url` without a slash at the end; `credentials` = (username, password); a context manager.

    No rule raises alerts, unless the settings ask for it: its log holds what was sent.
    """

    def __init__(self, directory: Path, certificates: dict[str, Path], settings: dict, *, host: str, arguments: list):
        self.directory = directory
        self.ca_path = certificates["ca"]
        self.state_dir = directory / "state"
        self.log_dir = directory / "logs"
        self.config_path = directory / "config.yml"
        self.output_path = directory / "output.txt"
        self.credentials = ("bmc", secrets.token_hex(12))
        self.token = secrets.token_hex(12)
        self.api_token = secrets.token_hex(12)
        self.arguments = arguments
        self.process: subprocess.Popen | None = None
        self._write_configuration(certificates, settings, host)

    def _write_configuration(self, certificates: dict[str, Path], settings: dict, host: str) -> None:
        port, manage_port = free_port(host), free_port()
        for name, text in (("password", self.credentials[1]), ("token", self.token), ("api-token", self.api_token)):
            (self.directory / name).write_text(text + "\n")
        base = {
            "state_dir": str(self.state_dir),
            "user": "root",
            "ingest": {
                "bind": [f"{url_host(host)}:{port}"],
                "commit_timeout": 25,  # a disk that has much else to write isn't what tests are about
                "tls": {"certificate": str(certificates["certificate"]), "key": str(certificates["key"])},
                "credentials": [
                    {"name": "basic", "username": "bmc", "password": {"file": str(self.directory / "password")}},
                    {"name": "bearer", "token": {"file": str(self.directory / "token")}},
                ],
            },
            "manage": {
                "bind": f"127.0.0.1:{manage_port}",
                "tokens": [{"name": "tests", "token": {"file": str(self.directory / "api-token")}}],
            },
            "sinks": {
                "text_log": {"directory": str(self.log_dir)},
                "json_lines": {"directory": str(self.log_dir)},
            },
            "alert": {"default_rules": []},
        }
        if "nginx" in settings:
            self.directory.chmod(0o755)
            base["nginx"] = {"enabled": True, "bind": base["ingest"]["bind"]}
            base["ingest"] |= {
                "bind": [f"unix:{self.directory}/ingest.sock"], "plain_http": True, "trusted_proxies": ["unix"],
            }  # fmt: skip
        self.settings = merged(base, settings)
        self.state_dir = Path(self.settings["state_dir"])
        self.log_dir = Path(self.settings["sinks"]["text_log"]["directory"])
        self.config_path.write_text(yaml.safe_dump(self.settings))
        plain = self.settings["ingest"].get("plain_http") and "nginx" not in settings
        scheme = "http" if plain else "https"
        self.address = (host, port)
        self.url = f"{scheme}://{url_host(host)}:{port}"
        self.manage_url = f"http://127.0.0.1:{manage_port}"

    def start(self, *, wait: bool = True) -> RunningListener:
        """Start it; with `wait`, return once it says that it is ready."""
        command = [sys.executable, "-m", "event_listener", "run", "--config", str(self.config_path), *self.arguments]
        with self.output_path.open("ab") as output:
            self._began = output.tell()
            # A session of its own: a Ctrl-C in the terminal of the tests ends them, and they end it; the kernel does
            # when they are killed.
            self.process = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=functools.partial(die_with_parent, os.getpid()),  # noqa: PLW1509 - tests start no threads yet
            )
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self) -> None:
        """Wait for the line that `run` prints when all answers."""
        assert self.process is not None
        deadline = time.monotonic() + READY_SECONDS
        while b"ready: " not in self.output_path.read_bytes()[self._began :]:
            assert self.process.poll() is None, f"the listener ended:\n{self.output()}"
            assert time.monotonic() < deadline, f"the listener didn't get ready:\n{self.output()}"
            time.sleep(0.05)

    def output(self) -> str:
        """Return what the listener printed so far."""
        return self.output_path.read_text(errors="replace") if self.output_path.exists() else ""

    def stop(self) -> int | None:
        """End it in good order and return its exit status."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise
        finally:
            self.process = None

    def __enter__(self) -> RunningListener:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def pids(self, name: str) -> list[int]:
        """Return the processes of a part: supervisor, ingest (the master), worker, writer, manage, nginx or relay."""
        assert self.process is not None
        if name == "supervisor":
            return [self.process.pid]
        if name in ("worker", "writer"):
            return [
                pid
                for master in self.pids("ingest")
                for pid in children(master)
                if is_writer(pid) == (name == "writer")
            ]
        return [pid for pid in children(self.process.pid) if f"\0{name}\0" in command_line(pid)]

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to (the first process of) a part, as `pids` names them; return its pid."""
        wait_for(lambda: self.pids(name), 60)  # the supervisor waits up to 30 s after many ends
        pid = self.pids(name)[0]
        os.kill(pid, number)
        return pid

    def freeze_relay(self) -> int:
        """Stop it (SIGSTOP) while it doesn't write to the journal, which would stop ingest, too; return its pid."""

        def is_at_rest() -> bool:
            os.kill(pid, signal.SIGSTOP)
            wait_for(lambda: "\nState:\tT" in Path(f"/proc/{pid}/status").read_text())
            try:
                for name in ("queue.lock", "write.lock"):
                    with (self.state_dir / "journal" / name).open("a") as held:
                        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.kill(pid, signal.SIGCONT)
                return False
            return True

        pid = self.kill("relay", signal.SIGCONT)
        wait_for(is_at_rest, 60)
        return pid

    def kill_all(self) -> None:
        """End everything at once, as a power cut does."""
        names = ("supervisor", "ingest", "worker", "writer", "nginx", "manage", "relay")
        for pid in [pid for name in names for pid in self.pids(name)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self.process is not None
        self.process.wait()
        self.process = None

    def post(self, body: object, path: str = "/", **options) -> requests.Response:
        """POST as a BMC does: JSON, the right credentials, the test CA; `options` are those of requests.post."""
        options = {"auth": self.credentials, "verify": str(self.ca_path)} | options
        key = "data" if isinstance(body, bytes) else "json"
        return requests.post(self.url + path, **{key: body}, timeout=options.pop("timeout", 60), **options)

    def api(self, path: str, **parameters) -> requests.Response:
        """GET from the management API with the token."""
        headers = {"Authorization": f"Bearer {self.api_token}"}
        url, judge = self.manage_url + path, {"response": judged}
        return requests.get(url, params=parameters, headers=headers, timeout=60, hooks=judge)

    def metric(self, name: str, **labels: str) -> float:
        """Return a counter of ingest, summed over its workers, as the management API gets it; 0 before its first."""
        registry = CollectorRegistry()
        collect_ingest(registry, self.state_dir)
        return registry.get_sample_value(name, labels) or 0.0

    def journal(self) -> JournalReader:
        """Return a reader of the journal; a context manager."""
        return JournalReader(self.state_dir)


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> object:
    """Return the condition's first true value; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it didn't come true in time"
        time.sleep(0.05)
    return value


def children(pid: int) -> list[int]:
    """Return the children of a process, oldest first."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return sorted(int(child) for task in tasks for child in (task / "children").read_text().split())
    except (FileNotFoundError, ProcessLookupError):
        return []


def is_writer(pid: int) -> bool:
    """Whether a process of ingest is the one that writes the journal."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == journal_writer.NAME
    except (FileNotFoundError, ProcessLookupError):
        return False


def command_line(pid: int) -> str:
    """Return the arguments of a process with NUL between them; "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
