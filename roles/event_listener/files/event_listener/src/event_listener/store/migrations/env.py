# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by Alembic: apply the steps on the connection that the store gave, inside of its transaction."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    transactional_ddl=False,  # the store's transaction is around all of it
)
context.run_migrations()
