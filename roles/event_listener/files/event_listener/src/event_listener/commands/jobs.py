# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener jobs`: what runs, what hangs, what didn't start."""

from __future__ import annotations

import time
from typing import Any

import click

from event_listener import job_view
from event_listener.asked import MAX_LIMIT
from event_listener.commands import with_settings
from event_listener.commands.store_access import as_lines, opened, table
from event_listener.jobs import Job, JobState
from event_listener.settings import Settings


@click.command(short_help="Print long-running jobs: tasks of BMCs and others.")
@with_settings
@click.option("--state", multiple=True, type=click.Choice([str(state) for state in JobState]), help="Repeatable.")
@click.option("--source", multiple=True, metavar="NAME", help="Only of this source; repeatable.")
@click.option("--start-id", multiple=True, metavar="TEXT", help="The Task's URI, a request's id; repeatable.")
@click.option("--id", multiple=True, metavar="ID", help="Only this job; repeatable.")
@click.option("--operation", multiple=True, metavar="TEXT", help="Such as compute.instance.create; repeatable.")
@click.option("--type", "type", multiple=True, metavar="TEXT", help="Whose last event is of this type; repeatable.")
@click.option("--resource-id", multiple=True, metavar="TEXT", help="Only about this resource; repeatable.")
@click.option("--site", multiple=True, metavar="NAME", help="Only what this site forwarded; repeatable.")
@click.option("--domain", multiple=True, metavar="PATH", help="Only of this domain; repeatable.")
@click.option("--account", multiple=True, metavar="NAME", help="Only of this account; repeatable.")
@click.option("--below", metavar="DOMAIN", help="Only of this domain and everything below it.")
@click.option("--running-for", metavar="AGE", help="Started so long ago (1h, 30m) and not ended.")
@click.option("--waiting-for", metavar="AGE", help="Scheduled so long ago and not started.")
@click.option("--hanging", is_flag=True, default=None, help="Without a sign of life for job.hanging_after.")
@click.option("--since", metavar="TIME", help="Last sign of life at or after: 2026-11-22T02:54:34Z, or an age as 2h.")
@click.option("--until", metavar="TIME", help="Last sign of life before; the same forms.")
@click.option("-n", "--limit", type=click.IntRange(1, MAX_LIMIT), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line, as the API shows jobs.")
def jobs(settings: Settings, as_json: bool, limit: int, hanging: bool | None, **given: Any) -> None:
    """Print the newest jobs that fit, newest first."""
    texts = {name: [value] if isinstance(value, str) else list(value) for name, value in given.items() if value}
    texts["limit"] = [str(limit)]
    if hanging:
        texts["hanging"] = ["true"]
    now = time.time_ns()
    with opened(settings) as store:
        found, _next = store.jobs.find(job_view.query(texts, now))
    if as_json:
        as_lines([job_view.shown(job, now) for job in found])
        return
    head = ["ID", "STATE", "SOURCE", "SINCE", "LASTS", "JOB", "MESSAGE"]
    table(head, [_row(job, job_view.shown(job, now)) for job in found])


def _row(job: Job, shown: dict[str, Any]) -> list[str]:
    state = job.state if job.percent is None or job.ended else f"{job.state} {job.percent}%"
    return [
        job.id,
        f"{state} (hangs)" if job.hanging_ns is not None else state,
        job.source,
        (shown["started"] or shown["scheduled"] or shown["ended"])[:19] + "Z",
        "-" if shown["seconds"] is None else f"{shown['seconds']:.0f}s",
        " ".join(text for text in (job.operation, job.start_id) if text),
        job.message or "",
    ]
