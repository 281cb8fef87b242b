# SPDX-License-Identifier: GPL-3.0-or-later
"""How many rows PostgreSQL looks at for a page: as many in a log that is ten times as long.

Counted, not timed: what each step of each plan took in, of the statements as the listener asks them.
"""

import contextlib
import time

import pytest
from event_listener.store import Query, Store
from event_listener.store.periods import BLOCK
from event_listener.store.postgresql import PostgreSQLBackend
from msgspec.structs import replace
from sqlalchemy import event, text

from tests.benchmarks import _event_load as load

LOADED, OLD, SINCE_THEN = 20_000, 4_000, 4_000
DAY_NS = 86_400_000_000_000
LIMIT = 20
MOST = 25 * LIMIT  # rows; they were 4,000 and more


@pytest.fixture(scope="module")
def url(postgresql):
    return postgresql.without_password(postgresql.new_database())


@pytest.fixture(scope="module")
def backend(postgresql, url):
    """A log whose first fifth is old; what came in at the end is beyond all statistics."""
    found = PostgreSQLBackend(url, postgresql.password)
    store = Store(found)
    load.load(store, found, LOADED, OLD, NOW - 30 * DAY_NS, 600, batch=OLD)
    new = [load.arrival(LOADED + one, NOW + one * 1_000_000_000) for one in range(1, SINCE_THEN + 1)]
    store.log.write(new, load.CURSOR, LOADED + SINCE_THEN)
    while store.search.step():
        pass
    yield found
    found.close()


@contextlib.contextmanager
def asked(backend):
    """The statements that are sent meanwhile, with their values."""
    found = []

    def note(_connection, _cursor, statement, values, *_):
        found.append((statement, values))

    event.listen(backend.engine, "before_cursor_execute", note)
    yield found
    event.remove(backend.engine, "before_cursor_execute", note)


def looked_at(backend, query):
    """The events that were found, and how many rows were taken in on the way."""
    with asked(backend) as statements:
        found = Store(backend).queries.find(query).events
    total = 0
    with backend.read() as connection, connection.connection.driver_connection.cursor() as cursor:
        for statement, values in statements:
            if statement.startswith("SET"):
                cursor.execute(statement)
            elif "FROM event" in statement and "WITH RECURSIVE" not in statement:
                cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
                total += rows(cursor.fetchone()[0][0]["Plan"])
    return found, total


def rows(plan):
    removed = sum(count for name, count in plan.items() if name.startswith("Rows Removed by"))
    return (plan["Actual Rows"] + removed) * plan["Actual Loops"] + sum(map(rows, plan.get("Plans", ())))


NOW = time.time_ns()
JUST = NOW + 100_000_000_000
QUESTIONS = {
    "common word": Query(keyword="fan"),
    "common word, deep": Query(keyword="fan", before=LOADED // 2),
    "common word, old": Query(keyword="fan", until_ns=NOW - 20 * DAY_NS),
    "rare word": Query(keyword="unit777"),
    "old period": Query(until_ns=NOW - 20 * DAY_NS),
    "what has just come in": Query(since_ns=JUST, order="asc"),
    "the newest of that": Query(since_ns=JUST),
}


@pytest.mark.parametrize("title", QUESTIONS)
def test_a_page_costs_what_it_shows(backend, title):
    query = replace(QUESTIONS[title], limit=LIMIT)
    found, touched = looked_at(backend, query)
    assert len(found) == LIMIT or title == "rare word"
    # Times are known by the block: one at the edge of a period may be looked through.
    assert touched < MOST + BLOCK


@pytest.mark.usefixtures("backend")
def test_the_plan_is_made_for_the_words_asked_for(postgresql, url):
    """Also where the statement is prepared, and the server would rather take the plan it has for any words."""
    mode = "options=-c%20plan_cache_mode%3Dforce_generic_plan"
    stubborn = PostgreSQLBackend(f"{url}?{mode}", postgresql.password)
    for _often in range(12):
        Store(stubborn).queries.find(Query(keyword="unit777", limit=LIMIT))
    prepared = "SELECT generic_plans FROM pg_prepared_statements WHERE statement ILIKE '%tsquery%'"
    with stubborn.read() as connection:
        plans = list(connection.execute(text(prepared)).scalars())
    stubborn.close()
    assert plans
    assert not any(plans)
