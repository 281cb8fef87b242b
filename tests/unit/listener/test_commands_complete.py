# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API can, the command line can: docs/commands.md has a line for every operation, and its commands exist."""

import re
from pathlib import Path

import pytest
from click import Context, Group
from event_listener.cli import main
from event_listener.manage import create_app, openapi
from event_listener.settings import Settings
from event_listener.store import open_store

PAGE = Path(__file__).parents[3] / "docs" / "commands.md"


@pytest.fixture(scope="module")
def page():
    return PAGE.read_text()


def lines(page):
    """(operation, its commands) of each line of the table."""
    for api, commands in re.findall(r"^\| `([A-Z]+ /[^`]+)` \| (.+) \|$", page, re.MULTILINE):
        yield api, re.findall(r"`([^`]+)`", commands)


def test_every_operation_has_a_command_or_is_about_http(page, tmp_path):
    """Who adds an endpoint adds a command, and a line to the table."""
    with open_store(tmp_path):
        pass
    document = openapi.document(create_app(Settings(state_dir=str(tmp_path))))
    there = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    named = [api for api, _commands in lines(page)]
    assert len(set(named)) == len(named)
    assert set(named) <= there
    left = {operation.split()[1] for operation in there - set(named)}
    exempt = set(
        re.findall(r"`(/[^`]+)`", page[page.index("Over HTTP alone") : page.index("On the command line alone")])
    )
    assert left == exempt


def test_every_command_of_the_table_exists(page):
    for _api, commands in lines(page):
        for command in commands:
            found, context = main, Context(main)
            for word in [word for word in command.split() if not word.startswith("-") and word != "json"]:
                assert isinstance(found, Group), command
                found = found.get_command(context, word)
                assert found is not None, command
            options = {name for parameter in found.params for name in parameter.opts}
            assert {word for word in command.split() if word.startswith("-")} <= options, command
