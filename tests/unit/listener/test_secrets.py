# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets come from files, the environment or systemd; a missing one names its place, never a value."""

from __future__ import annotations

from pathlib import Path

import pytest
from event_listener.secrets import SecretError, read_secret
from event_listener.settings import Secret


def test_a_file_loses_one_newline_only(tmp_path: Path):
    """Editors add one; a password may end in a space."""
    (tmp_path / "s").write_text(" p \r\n")
    assert read_secret(Secret(file=str(tmp_path / "s"))) == " p "
    (tmp_path / "s").write_text("p\n\n")
    assert read_secret(Secret(file=str(tmp_path / "s"))) == "p\n"


def test_environment_and_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The other two places."""
    monkeypatch.setenv("A_SECRET", "one")
    assert read_secret(Secret(env="A_SECRET")) == "one"
    (tmp_path / "bmc").write_text("two\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_secret(Secret(credential="bmc")) == "two"


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        (Secret(env="NOT_SET_ANYWHERE"), "the environment variable NOT_SET_ANYWHERE is not set"),
        (Secret(file="/nowhere/x"), "the secret in /nowhere/x can't be read: No such file"),
        (Secret(credential="bmc"), "needs \\$CREDENTIALS_DIRECTORY"),
    ],
)
def test_a_missing_secret_names_its_place(reference: Secret, sentence: str, monkeypatch: pytest.MonkeyPatch):
    """What, where, and what sets it."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(SecretError, match=sentence):
        read_secret(reference)


def test_empty_and_escaping_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An empty password would let everybody in who sends none."""
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(SecretError, match="is empty"):
        read_secret(Secret(file=str(tmp_path / "empty")))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(SecretError, match="must not hold a slash"):
        read_secret(Secret(credential="../x"))
