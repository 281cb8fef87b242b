# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener doctor`: what is wrong with the files, and `--repair` for what can be mended."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from event_listener.commands import become_service_user, config_option, config_path, load_settings
from event_listener.settings import Settings

if TYPE_CHECKING:
    from event_listener.doctor import Finding, Patient

_MARKS = {"good": "ok", "note": "note", "wrong": "WRONG", "repaired": "repaired"}


@click.command(short_help="Look for what is wrong with the files, and repair it.")
@config_option
@click.option("--repair", is_flag=True, help="Mend what can be mended. The listener has to be stopped.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def doctor(config: str | None, repair: bool, as_json: bool) -> None:
    """Look at directories, disk, journal, event log, cursors, marks, clock and certificate. Changes nothing.

    With --repair, corrupt files are set aside whole below `set-aside` in state_dir, and what can still be read goes
    into new ones; numbers are never given twice. Exit status: 0 all is good or was repaired, 1 something is wrong.
    """
    settings = load_settings(config_path(config))
    from event_listener.doctor import Patient as Given  # noqa: PLC0415 - SQL, for this command alone
    from event_listener.journal import JournalBrokenError, JournalUnavailableError  # noqa: PLC0415 - same
    from event_listener.store import StoreUnavailableError  # noqa: PLC0415 - same

    if repair:
        _refuse_running(settings)
    wrong = repairable = 0
    try:
        for finding in _examine(Given(settings, repair)):
            wrong += finding.state == "wrong"
            repairable += finding.repairable
            line = f"{_MARKS[finding.state]:<8}  {finding.what}{': ' if finding.text else ''}{finding.text}"
            click.echo(json.dumps(msgspec.structs.asdict(finding)) if as_json else line)
    except (StoreUnavailableError, JournalUnavailableError, JournalBrokenError, OSError) as error:
        raise click.ClickException(f"the examination ended early: {error}") from error
    if not as_json and repairable:
        click.echo(f"{repairable} of it can be repaired: stop the listener, then `event-listener doctor --repair`")
    sys.exit(1 if wrong else 0)


def _examine(patient: Patient) -> Iterator[Finding]:
    from event_listener.doctor import examine_contents, examine_place  # noqa: PLC0415 - as above

    place = list(examine_place(patient))
    yield from place
    if any(finding.state == "wrong" and not finding.repairable for finding in place) or not patient.state_dir.is_dir():
        return
    become_service_user(patient.settings)
    yield from examine_contents(patient)


def _refuse_running(settings: Settings) -> None:
    from event_listener.doctor import users  # noqa: PLC0415 - as above

    if found := users(Path(settings.state_dir)):
        who = ", ".join(f"{name} ({pid})" for pid, name in sorted(found.items())[:5])
        raise click.ClickException(f"stop the listener first; files in {settings.state_dir} are open in {who}")
