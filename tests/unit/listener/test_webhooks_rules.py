# SPDX-License-Identifier: GPL-3.0-or-later
"""The pure part of webhooks: who gets which event, filters, signatures, what follows from an attempt."""

import base64
import hashlib
import json
from datetime import UTC, datetime

import msgspec
import pytest
from event_listener.event import Category, Event, Level
from event_listener.policy import Owner, Principal, Role
from event_listener.webhooks import signing
from event_listener.webhooks.filters import Filter, Match, Mode, passes
from event_listener.webhooks.model import (
    Groups,
    Scope,
    Webhook,
    WebhookChange,
    WebhookConflictError,
    WebhookError,
    changed,
    in_scope,
    shown,
)
from event_listener.webhooks.schedule import (
    DELIVERED,
    FAILED,
    PENDING,
    SECOND,
    Attempt,
    Health,
    Rules,
    follow_up,
    health_after,
    verdict,
)
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook as Verifier

ROOT = Principal(name="root", role=Role.ROOT_ADMIN)
RULES = Rules(tries=5, base=5.0, longest=100.0, disable_after=3600.0)
PARTS = st.lists(st.sampled_from(["a", "A", "b", "ab", "a.b"]), max_size=3)
DOMAINS = PARTS.map(lambda parts: "/" + "".join(f"{part}/" for part in parts))
OWNERS = st.builds(Owner, DOMAINS, st.none() | st.sampled_from(["x", "X", "y"]))
TEXTS = st.text("aAb.", min_size=1, max_size=4)
FILTERS = st.builds(Filter, value=TEXTS, mode=st.sampled_from(Mode), match=st.sampled_from(Match))


def event(owner=Owner(), **fields):  # noqa: B008 - frozen
    known = {"seq": 1, "id": "e", "source": "s", "address": "a", "received_ns": 0, "payload_id": 1, "type": "A.B"}
    return Event(**{**known, "domain": owner.domain, "account": owner.account, **fields})


def webhook(**fields):
    return Webhook(**{"id": "wh_1", "name": "n", "url": "https://receiver.example/", **fields})


@given(st.lists(st.tuples(st.sampled_from(Scope), OWNERS), max_size=8), OWNERS)
def test_who_gets_which_event(scopes, owner):
    """Over random trees: Global all, Domain what is below, Local exactly the own account's; once per webhook.

    Written as paths, independently of the code. A neighbour whose name begins alike gets nothing.
    """
    hooks = [
        webhook(id=str(number), scope=scope, domain=one.domain, account=one.account if scope is Scope.LOCAL else None)
        for number, (scope, one) in enumerate(scopes)
    ]

    def wanted(hook):
        parts, whole = hook.domain.strip("/").split("/"), owner.domain.strip("/").split("/")
        below = hook.domain == "/" or whole[: len(parts)] == parts
        mine = (hook.domain, hook.account) == (owner.domain, owner.account)
        return {Scope.GLOBAL: True, Scope.DOMAIN: below, Scope.LOCAL: mine}[hook.scope]

    found = [hook.id for hook in Groups(hooks).of(event(owner))]
    assert sorted(found) == sorted(hook.id for hook in hooks if wanted(hook))
    assert found == list(dict.fromkeys(found))
    assert all(in_scope(hook, owner) == wanted(hook) for hook in hooks)


@given(st.lists(FILTERS, max_size=5), TEXTS)
def test_filters_as_cloudstack_reads_them(filters, text):
    """An exclude wins; with includes one of them must match; none is all. Case matters."""
    tests = {
        Match.EXACT: lambda value: text == value,
        Match.PREFIX: lambda value: text[: len(value)] == value,
        Match.SUFFIX: lambda value: text[-len(value) :] == value,
        Match.CONTAINS: lambda value: text.find(value) >= 0,
    }
    excluded = [item for item in filters if item.mode is Mode.EXCLUDE and tests[item.match](item.value)]
    includes = [item for item in filters if item.mode is Mode.INCLUDE]
    included = not includes or any(tests[item.match](item.value) for item in includes)
    assert passes(filters, text) is (not excluded and included)


@given(FILTERS, FILTERS, TEXTS, TEXTS)
def test_what_a_filter_covers_it_matches(wide, narrow, before, after):
    """Refused is only what has no effect: all that the narrow one matches, the wide one matches too."""
    text = {Match.SUFFIX: before + narrow.value, Match.PREFIX: narrow.value + after, Match.EXACT: narrow.value}.get(
        narrow.match, before + narrow.value + after
    )
    assert narrow.matches(text)
    if wide.covers(narrow):
        assert wide.matches(text)


@pytest.mark.parametrize(
    "pair",
    [
        (Filter(value="A.B"), Filter(value="A.B")),
        (Filter(value="A.", match=Match.PREFIX), Filter(value="A.B")),
        (Filter(value="A.B"), Filter(value="A.", match=Match.PREFIX, mode=Mode.EXCLUDE)),
        (Filter(value="A", mode=Mode.EXCLUDE), Filter(value="A")),
    ],
)
def test_cloudstack_defect_conflicting_filters_are_refused(pair):
    """CloudStack computes isConflicting() and ignores it (event-platforms research, 3.4)."""
    with pytest.raises(WebhookConflictError, match=r"has no effect|includes only what"):
        changed(webhook(), WebhookChange(filters=pair), ROOT, 0)


def test_an_exclude_may_narrow_an_include():
    pair = (Filter(value="VM.", match=Match.PREFIX), Filter(value="VM.START", mode=Mode.EXCLUDE))
    after = changed(webhook(), WebhookChange(filters=pair), ROOT, 0)
    assert [after.wants(event(type=text)) for text in ("VM.STOP", "VM.START", "NET.UP")] == [True, False, False]


@pytest.mark.parametrize("category", Category)
def test_cloudstack_defect_all_categories_are_delivered(category):
    """CloudStack delivers ActionEvents alone, whatever its documentation says."""
    assert webhook(scope=Scope.GLOBAL).wants(event(category=category))
    assert not webhook(scope=Scope.GLOBAL, levels=(Level.ERROR,)).wants(event(category=category))
    others = tuple(item for item in Category if item is not category)
    assert not webhook(scope=Scope.GLOBAL, categories=others).wants(event(category=category))


def test_cloudstack_defect_an_event_without_an_account_is_delivered():
    """CloudStack skips those (apache/cloudstack#10117)."""
    assert webhook(scope=Scope.DOMAIN, domain="/a/").wants(event(Owner("/a/b/")))
    assert webhook(scope=Scope.LOCAL, domain="/a/").wants(event(Owner("/a/")))


HEADERS = {"message_id": "msg_1", "event_id": "e-1", "event_type": "A.B", "owner": "a/x", "content_type": "text/plain"}


@given(st.binary(max_size=200), st.text(min_size=16, max_size=40).filter(str.isprintable))
def test_cloudstack_signature_by_an_independent_hmac(payload, secret):
    """RFC 2104 by hand, as CloudStack computes it: base64 of HMAC-SHA256 with the secret's UTF-8 over the payload."""
    key = secret.encode()
    key = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + payload).digest()
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).digest()
    found = signing.headers(timestamp=1, payload=payload, secrets=[secret], **HEADERS)
    assert found["X-CS-Signature"] == base64.b64encode(outer).decode()


def test_standard_signature_by_the_standardwebhooks_package():
    """While a secret is rotated, both verify; a replay with another time or id doesn't."""
    new, old = signing.new_secret(), signing.new_secret()
    now = int(datetime.now(UTC).timestamp())
    payload = json.dumps({"type": "A.B", "ü": 1}).encode()
    found = signing.headers(timestamp=now, payload=payload, secrets=[new, old], **HEADERS)
    for secret in (new, old):
        assert Verifier(secret).verify(payload, found) == {"type": "A.B", "ü": 1}
    for header, value in (("webhook-id", "msg_2"), ("webhook-timestamp", str(now - 1))):
        with pytest.raises(Exception, match="No matching signature"):
            Verifier(new).verify(payload, {**found, header: value})
    assert len(found["webhook-signature"].split()) == 2


def test_a_secret_of_one_s_own_verifies_too():
    """The verifier wants base64: of the secret's text."""
    secret, now = "correct horse battery", int(datetime.now(UTC).timestamp())
    found = signing.headers(timestamp=now, payload=b"{}", secrets=[secret], **HEADERS)
    Verifier(base64.b64encode(secret.encode()).decode()).verify(b"{}", found)


def test_the_signature_vector_of_the_specification():
    """From the Standard Webhooks specification's libraries."""
    found = signing.standard_signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_without_a_secret_nothing_is_signed():
    found = signing.headers(timestamp=1, payload=b"", secrets=[], **HEADERS)
    assert not {"X-CS-Signature", "webhook-signature"} & set(found)
    assert found["User-Agent"] == "CS-Hookshot/a/x"


@given(st.text(max_size=50))
def test_what_a_bmc_says_never_breaks_a_header(text):
    """Its event types become headers: no line breaks, ASCII only."""
    found = signing.headers(timestamp=1, payload=b"", secrets=[], **{**HEADERS, "event_type": text})
    assert found["X-CS-Event"].isascii()
    assert found["X-CS-Event"].isprintable()


def attempt(status=None, **headers):
    return Attempt(started_ns=0, duration_ms=1, status=status, error="" if status else "dead", response_headers=headers)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_cloudstack_defect_any_2xx_is_success(status):
    """CloudStack takes 200 alone, and sends again what was taken with 201, 202 or 204."""
    assert follow_up(attempt(status), 1, RULES, 0, 0.5).state == DELIVERED
    assert health_after(Health(3, 1, 1), attempt(status), 0, 0.5) == Health()


@pytest.mark.parametrize("status", [None, 301, 302, 308, 400, 403, 404, 408, 429, 500, 503])
def test_everything_else_is_tried_again(status):
    assert follow_up(attempt(status), 1, RULES, 0, 0.5).state == PENDING
    assert follow_up(attempt(status), RULES.tries, RULES, 0, 0.5).state == FAILED


@given(st.integers(1, 4), st.floats(0, 0.999))
def test_cloudstack_defect_attempts_back_off(number, chance):
    """CloudStack tries again at once. Here each wait is between half of and the doubled base, never above the limit."""
    wait = follow_up(attempt(500), number, RULES, 0, chance).next_ns / SECOND
    full = min(RULES.longest, RULES.base * 2 ** (number - 1))
    assert full / 2 <= wait <= full


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(status):
    asked = attempt(status, **{"retry-after": "120"})
    assert follow_up(asked, 1, RULES, 0, 0.5).next_ns == 120 * SECOND
    assert health_after(Health(), asked, 0, 0.5).rests_until_ns == 120 * SECOND
    endless = attempt(status, **{"retry-after": "999999999"})
    assert follow_up(endless, 1, RULES, 0, 0.5).next_ns == 3600 * SECOND


def test_gone_is_gone():
    gone = attempt(410)
    assert follow_up(gone, 1, RULES, 0, 0.5).state == FAILED
    assert "410" in verdict(Health(1), gone, RULES, 0)


def test_an_endpoint_is_given_up_after_long_and_many_failures():
    hour = 3600 * SECOND
    assert verdict(Health(10, 1, 0), attempt(500), RULES, hour + 1)
    assert not verdict(Health(9, 1, 0), attempt(500), RULES, 9 * hour)
    assert not verdict(Health(99, 1, 0), attempt(500), RULES, hour - SECOND)
    assert not verdict(Health(99, 1, 0), attempt(500), msgspec.structs.replace(RULES, disable_after=0), 9 * hour)


def test_an_endpoint_that_fails_rests_and_is_asked_again_soon_enough():
    health, waits = Health(), []
    for _number in range(20):
        health = health_after(health, attempt(), 0, 0.999)
        waits.append(health.rests_until_ns / SECOND)
    assert waits == sorted(waits)
    assert 0.5 <= waits[0] <= 1
    assert waits[-1] <= 300
    assert health.failing_since_ns == 0
    assert health.failures == 20


def test_a_secret_is_rotated_and_never_shown():
    first = changed(webhook(), WebhookChange(secret="a" * 20), ROOT, 0)
    second = changed(first, WebhookChange(secret="b" * 20, keep_old_secret=60), ROOT, 1000)
    assert second.secrets(1000) == ["b" * 20, "a" * 20]
    assert second.secrets(61 * SECOND) == ["b" * 20]
    assert changed(second, WebhookChange(secret=None), ROOT, 2000).secrets(2000) == []
    assert changed(second, WebhookChange(name="x", secret="b" * 20), ROOT, 9) == msgspec.structs.replace(
        second, name="x"
    )
    text = json.dumps(shown(second))
    assert "aaaa" not in text
    assert "bbbb" not in text
    assert shown(second)["has_secret"]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h/", "//h/", "h/x", "https://", "https:///x", "https://u:p@h/", "https://h/#x", "https://h:0/",
        "https://h:99999/", "https://h /", "https://ü.example/", "https://h/\r\nX: y", "https://h\\@evil/",
        "https://[::1/", "x" * 3000, "",
    ],
)  # fmt: skip
def test_urls_that_are_refused(url):
    with pytest.raises(WebhookError, match="url: "):
        changed(webhook(), WebhookChange(url=url), ROOT, 0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "  "}, "needs a name"),
        ({"scope": Scope.DOMAIN, "account": "x"}, "no account"),
        ({"scope": Scope.GLOBAL, "domain": "/a/"}, "domain /"),
        ({"secret": "short"}, "at least 16"),
        ({"secret": "whsec_" + "!" * 40}, "base64"),
        ({"secret": "whsec_" + base64.b64encode(b"1234567890123").decode()}, "24 to 64 bytes"),
        ({"ca": "nonsense"}, "PEM"),
        ({"ca": "x", "tls_verify": False}, "leave it out"),
    ],
)
def test_what_else_is_refused(fields, message):
    with pytest.raises(WebhookError, match=message):
        changed(webhook(), WebhookChange(**fields), ROOT, 0)


def test_who_gave_the_url_is_remembered():
    """A private URL that an admin gave stays allowed when a user renames the webhook, not when it leads elsewhere."""
    user = Principal(name="u", role=Role.USER, domain="/a/", account="x")
    given_by_admin = changed(webhook(url=""), WebhookChange(url="https://10.0.0.1/"), ROOT, 0)
    assert given_by_admin.trusted
    assert changed(given_by_admin, WebhookChange(name="other"), user, 0).trusted
    assert not changed(given_by_admin, WebhookChange(url="https://10.0.0.2/"), user, 0).trusted
