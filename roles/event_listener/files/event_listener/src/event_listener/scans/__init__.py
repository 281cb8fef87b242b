# SPDX-License-Identifier: GPL-3.0-or-later
"""Vulnerability scans of what a change affected: which addresses, when, by which scanner, and what came of it."""
