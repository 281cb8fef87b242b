# SPDX-License-Identifier: GPL-3.0-or-later
"""`event-listener route`: what the routes of a configuration would have sent. Sends nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import click

from event_listener.commands import load_settings, with_settings
from event_listener.commands.store_access import as_lines, opened, printable
from event_listener.event import Event, rfc3339
from event_listener.feed import facts_of
from event_listener.parameters import moment
from event_listener.route_report import Report, SinkReport
from event_listener.settings import Settings
from event_listener.store import Store

_PAGE = 2000
_REASONS = 8  # lines per sink


@click.group(short_help="Try routes on what was stored; sends nothing.")
def route() -> None:
    """Try routes on what was stored; sends nothing."""


@route.command()
@with_settings
@click.option(
    "--since", default="1d", show_default=True, metavar="TIME", help="Received at or after: a time or an age."
)
@click.option("--until", metavar="TIME", help="Received before; the same forms.")
@click.option("--sink", "names", multiple=True, metavar="NAME", help="Only this sink; repeatable.")
@click.option("--against", metavar="FILE", help="A configuration to compare with, such as the one in use.")
@click.option("--samples", type=click.IntRange(0, 1000), default=3, show_default=True, help="Events shown per sink.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per sink.")
def test(
    settings: Settings,
    since: str,
    until: str | None,
    names: tuple[str, ...],
    against: str | None,
    samples: int,
    as_json: bool,
) -> None:
    """Count what the routes of --config would have sent of the events in the log, per sink, and why not the others.

    Edit a copy of the configuration, try it, then put it in place. The log is read page by page; nothing is written.
    """
    report = Report(settings, load_settings(against) if against else None, samples)
    missing = set(names) - {sink.name for sink in report.sinks}
    if missing or not report.sinks:
        there = ", ".join(sink.name for sink in report.sinks) or "none"
        asked = f"no sink {', '.join(sorted(missing))}" if missing else "no sink that gets events by routes"
        raise click.ClickException(f"there is {asked}; there are: {there}")
    if names:
        report.sinks = [sink for sink in report.sinks if sink.name in names]
    now = time.time_ns()
    with opened(settings) as store:
        start = moment(since, now, "since")
        end = moment(until, now, "until") if until else None
        facts = facts_of(store)
        for page in _pages(store, start, end):
            report.take(page, facts)
    if as_json:
        as_lines([sink.as_json() for sink in report.sinks])
        return
    click.echo(f"{report.events} events received from {rfc3339(start)} to {rfc3339(end or now)}")
    for sink in report.sinks:
        _print(sink, compared=against is not None)


def _pages(store: Store, start: int, end: int | None) -> Iterator[list[Event]]:
    """The events of a time, with a bar on a terminal's standard error. What arrives meanwhile is left out."""
    position, head = store.log.before(start), store.log.head()
    with click.progressbar(
        length=head - position, label="reading", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as progress:
        while position < head:
            page = store.log.read_events_after(position, _PAGE)
            if not page:
                return
            progress.update(page[-1].seq - position)
            position = page[-1].seq
            yield [
                event
                for event in page
                if event.seq <= head and event.received_ns >= start and (end is None or event.received_ns < end)
            ]


def _print(sink: SinkReport, *, compared: bool) -> None:
    click.echo(f"\n{sink.name}: {sink.sent.total()} would be sent, {sink.left_out} would not")
    for name, count in sink.sent.most_common():
        click.echo(f"  {count:>9}  by route {printable(name)}")
    for text in sink.samples["sent"]:
        click.echo(f"             {printable(text)}")
    for reason, count in sink.against.most_common(_REASONS):
        click.echo(f"  {count:>9}  not: {printable(reason)}")
    if len(sink.against) > _REASONS:
        click.echo(f"             not: {len(sink.against) - _REASONS} more reasons (--json has all)")
    if compared:
        for what, sign in (("more", "+"), ("fewer", "-")):
            click.echo(f"  {getattr(sink, what):>9}  {what} than with the other configuration")
            for text in sink.samples[what]:
                click.echo(f"          {sign}  {printable(text)}")
