# SPDX-License-Identifier: GPL-3.0-or-later
"""When a cursor passed an event: known to the second from few rows, on both databases."""

import random

from event_listener.store import History, checkpoints, schema
from event_listener.store.checkpoints import KEPT
from sqlalchemy import func, select

NAME = "sink:x"
SECOND = 1_000_000_000


def move(backend, *steps):
    for position, now_ns in steps:
        with backend.write() as connection:
            checkpoints.set_position(backend, connection, NAME, position, keep=True, now_ns=now_ns)


def times(store, seq):
    return [(one.after_ns, one.at_ns) for one in store.checkpoints.history(NAME, seq).passes]


def test_the_time_is_that_of_the_batch(store, backend):
    move(backend, (10, 1 * SECOND), (20, 5 * SECOND), (30, 9 * SECOND))
    assert times(store, 11) == times(store, 20) == [(1 * SECOND, 5 * SECOND)]
    assert times(store, 25) == [(5 * SECOND, 9 * SECOND)]
    assert store.checkpoints.history(NAME, 31) == History()
    assert store.checkpoints.history(NAME, 10) == History(began=True)
    assert store.checkpoints.history("sink:none", 1) is None


def test_a_replay_passes_again(store, backend):
    move(backend, (10, 1 * SECOND), (20, 5 * SECOND), (12, 6 * SECOND), (20, 8 * SECOND))
    assert times(store, 15) == [(1 * SECOND, 5 * SECOND), (6 * SECOND, 8 * SECOND)]
    assert times(store, 11) == [(1 * SECOND, 5 * SECOND)]


def test_what_is_no_longer_kept_says_so(store, backend):
    move(backend, (1, SECOND))
    last = KEPT + 1999
    rows = [{"name": NAME, "number": n, "position": n, "at_ns": n * SECOND} for n in range(2, last + 1)]
    with backend.write() as connection:
        connection.execute(schema.checkpoint.insert(), rows)
    move(backend, (last, last * SECOND), (last + 5, (last + 3) * SECOND), (last + 6, (last + 6) * SECOND))
    with backend.read() as connection:
        kept = connection.execute(select(func.count()).select_from(schema.checkpoint)).scalar_one()
    assert KEPT <= kept <= KEPT + 1000
    assert times(store, last) == [((last - 1) * SECOND, last * SECOND)]
    history = store.checkpoints.history(NAME, 5)
    assert (history.passes, history.began) == ([], False)
    assert history.before_ns is not None


def test_whatever_the_steps_the_truth_is_within_a_second_and_few_rows_are_kept(store, backend):
    chance = random.Random(11)
    now, position, truth = SECOND, 0, {}
    steps = [(0, now)]
    for _ in range(120):
        now += chance.choice([1, 1000, 50_000_000, 400_000_000, 7 * SECOND])
        size = chance.randrange(1, 30)
        truth.update(dict.fromkeys(range(position + 1, position + size + 1), now))
        position += size
        steps.append((position, now))
    move(backend, *steps)
    for seq in chance.sample(sorted(truth), 60):
        ((after, at),) = times(store, seq)
        assert after <= truth[seq] <= at <= truth[seq] + SECOND
    with backend.read() as connection:
        rows = connection.execute(select(func.count()).select_from(schema.checkpoint)).scalar_one()
    assert rows <= (now - SECOND) / SECOND + 2
