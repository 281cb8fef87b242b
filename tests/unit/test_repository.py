# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in one place has its counterparts: modules in action groups and docs, links that lead somewhere."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
DOCS = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
TESTS = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__))
PAGES = "\n".join(path.read_text() for path in DOCS)


def documentation(module: str) -> dict:
    text = (ROOT / "plugins" / "modules" / f"{module}.py").read_text()
    return yaml.safe_load(re.search(r'DOCUMENTATION = r"""\n(.*?)"""', text, re.DOTALL).group(1))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_in_the_action_group_of_its_connection(module: str):
    """module_defaults reach a module only through the group, so one that is left out loses its credentials."""
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]
    fragments = documentation(module).get("extends_documentation_fragment", [])
    for group in ("redfish", "listener"):
        assert (f"redfleet.events._{group}" in fragments) == (module in groups[group]), group


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_tested_and_documented(module: str):
    """A module nobody runs is a promise nobody keeps."""
    assert re.search(rf"\b{module}\b", TESTS), f"no test names {module}"
    assert re.search(rf"^#+ .*\b{module}\b", PAGES, re.MULTILINE), f"no page has a heading for {module}"


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path):
    """A reader who follows a link arrives."""
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_decisions_are_numbered_once():
    """An ADR is found by its number."""
    numbers = [path.name[:4] for path in (ROOT / "docs" / "adr").glob("*.md")]
    assert len(numbers) == len(set(numbers)), sorted(numbers)


@pytest.mark.parametrize("playbook", sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml")))
def test_a_playbook_is_documented(playbook: str):
    """Every playbook that a user can name is in the table of playbooks."""
    assert re.search(rf"^\| `{playbook}` \|", PAGES, re.MULTILINE), f"no table of docs/playbooks.md has {playbook}"


@pytest.mark.parametrize(
    "path", ["fleet-ca", "examples/fleet-ca", "inventory/group_vars/bmcs/tls_fingerprints.yml", ".venv", ".build"]
)
def test_what_using_a_clone_leaves_is_not_shipped(path: str):
    """The authority's key and the pins of one's own fleet stay out of git and of the collection's tarball."""
    ignored = yaml.safe_load((ROOT / "galaxy.yml").read_text())["build_ignore"]
    assert any(fnmatch.fnmatch(path, pattern) for pattern in ignored)
    patterns = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines()]
    assert Path(path).name in patterns
