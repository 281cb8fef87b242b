# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole estate in one scenario: `make estate`. See docs/contributing-hosts.md."""
