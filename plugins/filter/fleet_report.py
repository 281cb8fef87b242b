# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter that makes a report's files."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_report
short_description: A report over the fleet as JSON and as a page
version_added: 0.1.0
description:
  - Makes the content of two files from a report, a JSON document and one HTML page that needs nothing else, with a
    picture of the fleet.
positional: kind, generated
options:
  _input:
    description: A report as from P(redfleet.events.fleet_verdicts#filter) or P(redfleet.events.fleet_proof#filter).
    type: dict
    required: true
  kind:
    description: What the report is about.
    type: str
    choices: [verify, audit, coverage, reconcile]
    required: true
  generated:
    description: When it was made, as text.
    type: str
    required: true
author:
  - redfleet.events contributors (@redfleet)
"""

EXAMPLES = r"""
- name: Write the page
  ansible.builtin.copy:
    content: "{{ (fleet | redfleet.events.fleet_report('audit', now(utc=true) | string)).html }}"
    dest: /srv/www/audit.html
    mode: "0644"
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - C(json) and C(html), the content of the two files. docs/reports.md of the collection describes the document.
  type: dict
"""

from ansible_collections.redfleet.events.plugins.plugin_utils import _report, _report_page


def fleet_report(report, kind, generated):
    """Return the content of the files (see RETURN)."""
    document = _report.document(report, kind, str(generated), report.get("sections") or ())
    return {"json": _report.as_json(document), "html": _report_page.page(document)}


class FilterModule:
    """Registers the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"fleet_report": fleet_report}
