# SPDX-License-Identifier: GPL-3.0-or-later
"""Security group changes of OpenStack: what changed (changes.py), for whom (neutron.py), told as events (follower.py).

Off the path that acknowledges notifications: it reads the event log, as sinks do.
"""
