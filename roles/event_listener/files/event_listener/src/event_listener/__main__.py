# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m event_listener` is `event-listener`."""

from event_listener.cli import main

main(prog_name="event-listener")
