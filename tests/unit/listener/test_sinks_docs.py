# SPDX-License-Identifier: GPL-3.0-or-later
"""Every example of configuration in the bus's pages is one that the listener takes."""

import re
from pathlib import Path

import pytest
from event_listener import config_file
from event_listener.settings import Sinks
from event_listener.sinks import SINKS

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGES = [DOCS / "event-bus.md", DOCS / "sites.md", *sorted((DOCS / "sinks").glob("*.md"))]


def examples(page):
    return re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_are_good(page):
    found = examples(page)
    assert found
    for example in found:
        config_file.parse(example, page)


@pytest.mark.parametrize("kind", SINKS)
def test_the_page_of_a_sink_configures_it(kind):
    default = getattr(Sinks(), kind)
    settings = config_file.parse(examples(DOCS / "sinks" / f"{kind}.md")[0])
    assert getattr(settings.sinks, kind) != default or kind in ("text_log", "json_lines")
    assert f"({'sinks/' + kind}.md)" in (DOCS / "event-bus.md").read_text()
