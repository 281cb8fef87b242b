# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job on a simulated fleet: deploy the listener, subscribe 24 BMCs, prove that every event arrives.

Everything is a user's own command: the playbooks, the role, the simulator. All files are below .build/demo.
KEEP=1 leaves it running; `tests/demo/run stop` stops it then.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from redfish_simulator.client import Fleet, FleetError

import inventory

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / ".build" / "demo"
INVENTORY = BASE / "inventory"
LISTENER = BASE / "listener"
COUNT = 24


class DemoError(Exception):
    """Why the demo ended early; the text is for the screen."""


def show(path: Path) -> str:
    """Return a path as it is typed in the checkout."""
    return str(path.relative_to(ROOT))


def free_ports(count: int) -> list[int]:
    """Return ports on loopback that nobody listens on."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def step(title: str, action: Callable[[], Any]) -> Any:
    """Run an action, with its title and its time on the screen."""
    started = time.monotonic()
    print(f"  {title} ...", end="", flush=True)
    result = action()
    print(f" {time.monotonic() - started:.1f} s", flush=True)
    return result


def play(playbook: str, *arguments: str) -> None:
    """Run ansible-playbook with its output in a log. Raises DemoError with the end of that log."""
    log = BASE / f"{playbook.removesuffix('.yml').rpartition('.')[2]}.log"
    command = [str(Path(sys.executable).parent / "ansible-playbook"), playbook, "-i", show(INVENTORY), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    # Accounts without a home that they may write to exist: all that Ansible leaves behind is below the checkout too.
    home = BASE / "ansible"
    environment.update(ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"), ANSIBLE_HOME=str(home))
    environment.update(ANSIBLE_LOCAL_TEMP=str(home / "tmp"), ANSIBLE_REMOTE_TEMP=str(home / "tmp"))
    with log.open("w") as output:
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        tail = "\n".join(log.read_text().splitlines()[-40:])
        raise DemoError(f"ansible-playbook {playbook} ended with {done.returncode}. The end of {show(log)}:\n{tail}")


def listener_command(*arguments: str) -> list[str]:
    """Return the command line of the deployed listener."""
    program = LISTENER / "programs" / "current" / "venv" / "bin" / "event-listener"
    return [str(program), "--config", str(LISTENER / "configuration" / "config.yml"), *arguments]


def stop() -> None:
    """Stop the listener and the simulator of this checkout, if they run."""
    if (LISTENER / "programs" / "current").exists():
        subprocess.run(listener_command("stop"), stdout=subprocess.DEVNULL, check=False)
    state = BASE / "fleet" / "state.json"
    if not state.exists():
        return
    pid = json.loads(state.read_text())["pid"]
    # The pid of a simulator that ended long ago may be somebody else's by now.
    with suppress(OSError):
        if b"redfish_simulator" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGTERM)


def fresh_directory() -> None:
    """Begin with nothing, whatever an earlier demo left."""
    stop()
    shutil.rmtree(BASE, ignore_errors=True)
    INVENTORY.mkdir(parents=True)


def run(fleet: Fleet) -> list[dict[str, Any]]:
    """Take all steps and return a row per BMC. Raises DemoError or FleetError."""
    step(f"start {COUNT} simulated BMCs of {len(set(inventory.vendors()))} vendors", fleet.start)
    ports = free_ports(2)
    inventory.write(INVENTORY, LISTENER, fleet.inventory_path, ports, sys.executable)
    step("pin their certificates       (ansible-playbook redfleet.events.pin)", lambda: play("redfleet.events.pin"))
    step("deploy the listener          (ansible-playbook redfleet.events.listener)", deploy(fleet))
    command = f"ansible-playbook subscribe.yml -i {show(INVENTORY)}"
    step(f"subscribe                    ({command})", lambda: play("subscribe.yml"))
    page = BASE / "proof.html"
    verify = lambda: play("redfleet.events.verify", "-e", f"report={page}")  # noqa: E731 - one use, right below
    step("prove that events arrive     (ansible-playbook redfleet.events.verify)", verify)
    print(f"  a page about it: {show(page)}")
    return rows(fleet, json.loads(page.with_suffix(".json").read_text())["hosts"])


def deploy(fleet: Fleet) -> Callable[[], None]:
    """Return the step that deploys the listener and lets the BMCs that verify it know its authority."""

    def action() -> None:
        play("redfleet.events.listener")
        fleet.trust((BASE / "fleet-ca" / "ca.pem").read_text())

    return action


def rows(fleet: Fleet, proof: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what the table shows of each BMC."""
    verdicts = {row["host"]: row for row in proof}
    url = yaml.safe_load((INVENTORY / "group_vars" / "all.yml").read_text())["event_listener_url"]
    made = []
    for bmc in fleet.bmcs:
        ours = [one for one in bmc.subscriptions() if str(one.get("Destination", "")).startswith(url)]
        verdict = verdicts[bmc.name]
        log = LISTENER / "logs" / f"Events_{bmc.address}.txt"
        delivered = verdict["verdict"] == "delivered" and log.exists() and len(ours) == 1
        made.append(
            {
                "bmc": bmc.name,
                "vendor": bmc.vendor,
                "login": bmc.login_type,
                "subscription": ", ".join(str(one["Id"]) for one in ours) or "none",
                "event": verdict.get("event_id") or verdict["verdict"],
                "latency": f"{verdict['latency_s']:.2f} s" if verdict.get("latency_s") is not None else "",
                "log": log.name if log.exists() else "none",
                "verified": delivered,
            }
        )
    return made


def print_table(table: list[dict[str, Any]]) -> None:
    """Print a row per BMC."""
    columns = ["bmc", "vendor", "login", "subscription", "event", "latency", "log"]
    widths = [max(len(column), *(len(row[column]) for row in table)) for column in columns]
    print()
    print("  " + "  ".join(column.ljust(width) for column, width in zip(columns, widths, strict=True)).rstrip())
    for row in table:
        cells = (row[column].ljust(width) for column, width in zip(columns, widths, strict=True))
        print("  " + "  ".join(cells).rstrip())


def print_log(table: list[dict[str, Any]]) -> None:
    """Print the first lines of one text log."""
    log = LISTENER / "logs" / table[0]["log"]
    if not log.exists():
        return
    print(f"\n  {show(log)}:")
    for line in log.read_text(errors="replace").splitlines()[:14]:
        print(f"    {line[:110]}")


def print_next_steps(fleet: Fleet) -> None:
    """Say how to look at what KEEP=1 left running, and how to stop it."""
    events = f"{show(LISTENER)}/programs/current/venv/bin/event-listener -c {show(LISTENER)}/configuration/config.yml"
    print("\n  It is still running (KEEP=1). Look at it:")
    print(f"    tail -f {show(LISTENER)}/logs/Events_*.txt")
    print(f"    {events} events -f")
    print(f"    .venv/bin/ansible-playbook redfleet.events.audit -i {show(INVENTORY)}")
    print(f'    curl -X POST {fleet.control}/events -d \'{{"kind": "Alert"}}\'     (every BMC sends an alert)')
    print("  Stop it:")
    print("    tests/demo/run stop")


def main(arguments: list[str]) -> int:
    """Run or stop the demo; return the exit status."""
    if arguments == ["stop"]:
        stop()
        return 0
    keep = os.environ.get("KEEP", "") not in ("", "0")
    print("demo: the whole way, on simulated BMCs")
    fresh_directory()
    fleet = Fleet(count=COUNT, directory=BASE / "fleet", outlive=keep)
    verified = 0
    try:
        table = run(fleet)
        print_table(table)
        print_log(table)
        verified = sum(row["verified"] for row in table)
    except (DemoError, FleetError) as error:
        print(f"\n\n{error}\n")
    except KeyboardInterrupt:
        print("\n\nstopped by Ctrl-C\n")
        keep = False
    finally:
        if keep and verified:
            print_next_steps(fleet)
        else:
            stop()
            fleet.stop()
    print(f"\ndemo: {verified} of {COUNT} sources verified")
    return 0 if verified == COUNT else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
