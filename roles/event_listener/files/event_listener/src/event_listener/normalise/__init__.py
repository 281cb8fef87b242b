# SPDX-License-Identifier: GPL-3.0-or-later
"""Raw payloads to records: one file per origin. No I/O, and total: no payload makes them raise."""
