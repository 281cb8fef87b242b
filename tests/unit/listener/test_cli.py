# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: commands are found, configurations checked, and ingest loads no SQL toolkit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from event_listener import __version__
from event_listener.cli import COMMANDS, main


def call(*arguments: str):
    """Run a command in this process."""
    return CliRunner().invoke(main, arguments)


def test_every_command_explains_itself():
    """Each is importable and has a help text."""
    for name in COMMANDS:
        answer = call(name, "--help")
        assert answer.exit_code == 0, answer.output
        assert f" {name} " in answer.output.splitlines()[0] + " "
    assert set(COMMANDS) <= set(call("--help").output.split())


def test_version_and_unknown_command():
    """What one types first, and what one mistypes."""
    assert __version__ in call("--version").output
    assert call("runn").exit_code == 2


def test_check_says_good(tmp_path: Path):
    """A file that only needs its defaults and no TLS."""
    config = tmp_path / "config.yml"
    config.write_text(f"state_dir: {tmp_path}\ningest: {{plain_http: true}}\n")
    for arguments in (["--config", str(config), "check"], ["check", "--config", str(config)]):
        answer = call(*arguments)
        assert (answer.exit_code, answer.output) == (0, f"{config}: good\n")


PLAIN = "ingest: {plain_http: true}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("ingest: {wokers: 1}", "ingest.wokers is not a setting"),
        ("ingest: {plain_http: true, bind: ['::1:443']}", "ingest.bind: ::1:443 is not an address to listen on"),
        (
            "ingest: {plain_http: true, credentials: [{name: a, token: {file: /none}}]}",
            "ingest.credentials[0].token: the secret in /none can't be read",
        ),
        (
            f"manage: {{tokens: [{{name: a, token: {{env: NOT_SET_HERE}}}}]}}\n{PLAIN}",
            "manage.tokens[0].token: the environment variable NOT_SET_HERE is not set",
        ),
        ("ingest: {tls: {certificate: /none.pem, key: /none.key}}", "ingest.tls.certificate: /none.pem can't be read"),
        (f"{PLAIN}\nstate_dir: /dev/null/data", "state_dir: /dev/null is not a directory"),
        (f"{PLAIN}\nstate_dir: some/where", "state_dir: some/where is relative"),
        (f"{PLAIN}\nsinks: {{text_log: {{directory: /dev/null}}}}", "sinks.text_log.directory: /dev/null is not"),
        (
            "ingest: {plain_http: true, bind: ['127.0.0.1:9440']}",
            "manage.bind: 127.0.0.1:9440 is in ingest.bind, too",
        ),
    ],
)
def test_check_names_each_mistake(tmp_path: Path, text: str, sentence: str):
    """With the file in front, status 78 (EX_CONFIG), and no trace."""
    config = tmp_path / "config.yml"
    config.write_text(text)
    answer = call("check", "--config", str(config))
    assert answer.exit_code == 78
    assert answer.output.startswith(f"{config}: ")
    assert sentence in answer.output


def test_syntax_only_looks_at_the_file_alone(tmp_path: Path):
    """For the machine that renders it, where no certificate is."""
    config = tmp_path / "config.yml"
    config.write_text("ingest: {credentials: [{name: a, token: {file: /none}}]}")
    assert call("check", "--syntax-only", "--config", str(config)).exit_code == 0


def test_the_environment_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """$EVENT_LISTENER_CONFIG; an argument wins over it."""
    (tmp_path / "a.yml").write_text("ingest: {plain_http: true}")
    monkeypatch.setenv("EVENT_LISTENER_CONFIG", str(tmp_path / "a.yml"))
    assert call("check").output == f"{tmp_path}/a.yml: good\n"
    assert "b.yml: can't be read" in call("check", "--config", str(tmp_path / "b.yml")).output


def test_a_wrong_configuration_ends_every_server(tmp_path: Path):
    """One sentence, before anything is opened."""
    config = tmp_path / "config.yml"
    config.write_text("ingets: {}")
    for name in ("run", "ingest", "manage", "relay", "stop"):
        answer = call(name, "--config", str(config))
        assert (answer.exit_code, "did you mean ingest?" in answer.output) == (78, True), name


def test_stopping_nothing_is_fine(tmp_path: Path):
    """So that a clean-up can call it in any case."""
    answer = call("stop", "--pid-file", str(tmp_path / "pid"))
    assert (answer.exit_code, answer.output) == (0, "no listener is running\n")


def test_ingest_loads_no_sql_toolkit_and_is_patched_late():
    """Two hundred workers' memory, and a bug less: SQLAlchemy belongs to the relay and the management API."""
    program = (
        "import sys; import event_listener.commands.serve, event_listener.serve, event_listener.ingest, "
        "event_listener.ingest_worker, event_listener.group_commit; "
        "print([name for name in sys.modules if name.split('.')[0] in ('sqlalchemy', 'alembic')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
