# SPDX-License-Identifier: GPL-3.0-or-later
"""Webhooks: events posted to whom users of the API name. See docs/webhooks.md."""
