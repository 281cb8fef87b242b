# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/events/stream`: events as they arrive, as Server-Sent Events.

https://html.spec.whatwg.org/multipage/server-sent-events.html. An event's id is its ``seq``, so Last-Event-ID is a
place in the log: the stream goes on after exactly that event. ``position`` events move the place where a filter lets
nothing through; they, too, are to be remembered by clients that resume.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
from flask import Blueprint, Response, g, request

from event_listener import parameters, topic
from event_listener.event import Event, as_json
from event_listener.manage.access import needs
from event_listener.manage.describe import Parameter, describe
from event_listener.manage.events import EVENT_PARAMETERS
from event_listener.manage.live import FullError, Live, Stream
from event_listener.manage.problems import problem
from event_listener.parameters import ParameterError
from event_listener.policy import Action
from event_listener.routes import key_of
from event_listener.store import Query, Store, StoreUnavailableError

# Without a meaning for a stream.
_NOT_HERE = ("before", "limit", "order", "until")
_PART = 64 << 10  # bytes that are handed over at once: a slow client is noticed by what it doesn't take
_RETRY_MS = 1000
_LONGEST = 3600.0  # seconds; then the client comes again, and is asked for its token again
_HEADERS = {
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",  # nginx: hand on at once
    "X-Content-Type-Options": "nosniff",
}
_encode = msgspec.json.Encoder().encode


_PARAMETERS = (
    *(one for one in EVENT_PARAMETERS if one.name not in _NOT_HERE),
    Parameter("topic", "Only events whose topic matches one of these patterns.", repeated=True),
    Parameter("Last-Event-ID", "The `seq` after which the stream goes on.", place="header"),
)


def blueprint(live: Live, heartbeat: float) -> Blueprint:
    """The route."""
    routes = Blueprint("stream", __name__, url_prefix="/api/v1")

    @routes.get("/events/stream")
    @needs(Action.READ_EVENTS)
    @describe("Events as they arrive, as Server-Sent Events.", parameters=_PARAMETERS, media="text/event-stream")
    def stream() -> Response:
        asked, patterns = _asked(request.args.to_dict(flat=False))
        asked = msgspec.structs.replace(asked, scope=g.scope)
        query = _placed(live.connection.store, asked, request.headers.get("Last-Event-ID", ""))
        if request.method == "HEAD":
            return Response(content_type="text/event-stream", headers=_HEADERS)
        try:
            joined = live.join(query, _condition(query, patterns), request.environ["gunicorn.socket"])
        except FullError:
            detail = f"there are {len(live)} streams, as many as are allowed (manage.max_streams); try again later"
            return problem(503, detail, {"Retry-After": "5"})
        answer = Response(_sent(joined, heartbeat), content_type="text/event-stream", headers=_HEADERS)
        answer.call_on_close(joined.close)
        return answer

    return routes


def _asked(given: Mapping[str, Sequence[str]]) -> tuple[Query, tuple[str, ...]]:
    """The query and the topic patterns. Raises ParameterError."""
    plain = {name: values for name, values in given.items() if name != "topic"}
    patterns = tuple(given.get("topic", ()))
    if "" in patterns:
        raise ParameterError("topic is empty; leave it out to see all")
    return parameters.query(plain, time.time_ns()), patterns


def _placed(store: Store, query: Query, last: str) -> Query:
    """With the place where the stream begins: after Last-Event-ID, else ``after``, ``since``, or now."""
    head = store.log.head()
    if last:
        if not (last.isascii() and last.isdigit()):
            raise ParameterError(f"Last-Event-ID {last[:40]!r} is no id of this stream")
        query = msgspec.structs.replace(query, after=int(last[:20]))
    elif not query.after:
        after = store.log.before(query.since_ns) if query.since_ns is not None else head
        query = msgspec.structs.replace(query, after=after)
    if query.after > head:
        raise ParameterError(f"the event log ends at {head}: event {query.after} was of another one; begin anew")
    return query


def _condition(query: Query, patterns: Sequence[str]) -> Callable[[Event], bool]:
    def wants(event: Event) -> bool:
        if not query.holds(event):
            return False
        return not patterns or any(topic.matches(pattern, key_of(event)) for pattern in patterns)

    return wants


def _sent(stream: Stream, heartbeat: float) -> Iterator[bytes]:
    """The body. The time between a part and the next call is what the client needs to take it."""
    shown, end = stream.position, time.monotonic() + _LONGEST
    try:
        yield from _timed(stream, b"retry: %d\n%s" % (_RETRY_MS, _position(shown)))
        for events in stream.parts(heartbeat):
            for part in _parts(events):
                yield from _timed(stream, part)
            if events:
                shown = events[-1].seq
            elif stream.position > shown:
                shown = stream.position
                yield from _timed(stream, _position(shown))
            else:
                yield from _timed(stream, b": still here\n\n")
            if time.monotonic() > end:
                return
    except StoreUnavailableError as error:
        yield f": {' '.join(str(error).split())}; resume later\n\n".encode()


def _timed(stream: Stream, part: bytes) -> Iterator[bytes]:
    stream.sending(now=True)
    yield part
    stream.sending(now=False)


def _position(seq: int) -> bytes:
    return b"event: position\nid: %d\ndata: %d\n\n" % (seq, seq)


def _parts(events: Sequence[Event]) -> Iterator[bytes]:
    part = bytearray()
    for event in events:
        part += b"id: %d\ndata: %s\n\n" % (event.seq, _encode(as_json(event)))
        if len(part) > _PART:
            yield bytes(part)
            part.clear()
    if part:
        yield bytes(part)
