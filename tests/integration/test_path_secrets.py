# SPDX-License-Identifier: GPL-3.0-or-later
"""Secret paths of BMCs that can send no header: registered, rotated and revoked by a playbook that shows none."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from pathlib import Path

import requests

from tests.integration.listener_process import RunningListener, wait_for
from tests.integration.user_play import Done, play, write


def registered(running: RunningListener, directory: Path, known: list[dict], *arguments: str) -> Done:
    """Run listener_source for bmc1 with these secret paths, as verbosely as anybody may."""
    task = {
        "name": "Secret paths",
        "redfleet.events.listener_source": {
            "url": running.manage_url,
            "token": running.api_token,
            "sources": [{"name": "bmc1", "path_secrets": known}],
        },
    }
    tasks = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}]
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = write(directory / "hosts.yml", {"all": {"hosts": {"localhost": local}}})
    return play(str(write(directory / "secrets.yml", tasks)), inventory, "-vvv", "--diff", *arguments)


def test_a_playbook_rotates_secret_paths(listener: Callable[..., RunningListener], tmp_path: Path):
    """The old one stays valid until it is left out; check mode changes nothing; no output or log holds a secret."""
    old, new = ({"id": name, "secret": f"secret-{secrets.token_urlsafe(32)}"} for name in ("2025", "2026"))
    here = {"networks": ["127.0.0.0/8"]}
    outputs: list[str] = []
    with listener() as running:

        def run(known: list[dict], *arguments: str) -> int:
            done = registered(running, tmp_path, known, *arguments)
            assert done.status == 0, done.output
            outputs.append(done.output)
            return done.changed()

        def answer(path_secret: str) -> int:
            url = f"{running.url}/events/bmc1/{path_secret}"
            return requests.post(url, json={"Events": []}, verify=str(running.ca_path), timeout=30).status_code

        assert run([{**old, **here}], "--check") == 1
        assert answer(old["secret"]) == 401
        assert run([{**old, **here}]) == 1
        wait_for(lambda: answer(old["secret"]) == 200, 60)
        assert run([{**old, **here}]) == 0, "the same again"

        assert run([{"id": "2025", **here}, {**new, **here}]) == 1
        wait_for(lambda: answer(new["secret"]) == 200, 60)
        assert answer(old["secret"]) == 200, "kept by its id"
        assert run([{"id": "2026", **here}]) == 1
        wait_for(lambda: answer(old["secret"]) == 401, 60)
        assert answer(new["secret"]) == 200

        assert run([{**new, "networks": ["192.0.2.0/24"]}]) == 1
        wait_for(lambda: answer(new["secret"]) == 401, 60)
        outputs += [running.output(), running.api("/api/v1/sources/bmc1").text]
        wrong = registered(running, tmp_path, [{"id": "x", "secret": "secret-too-short", **here}])
        assert wrong.status != 0
        outputs.append(wrong.output)
    for output in outputs:
        for secret in (old["secret"], new["secret"], running.api_token, "secret-too-short"):
            assert secret not in output
