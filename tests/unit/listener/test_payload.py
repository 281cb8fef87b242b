# SPDX-License-Identifier: GPL-3.0-or-later
"""What is a payload: JSON in the encodings that BMCs really use, within limits; all else says why not."""

from __future__ import annotations

import contextlib
import json

import pytest
from event_listener.normalise.redfish import normalise
from event_listener.payload import MalformedError, decode
from hypothesis import given
from hypothesis import strategies as st

OBJECT = {"Name": "Lüfter", "Events": []}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16", "utf-32"])
def test_the_encodings_of_firmware(encoding: str):
    """A byte order mark, or latin-1 without a word."""
    assert decode(json.dumps(OBJECT, ensure_ascii=False).encode(encoding)) == OBJECT


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \n", "not JSON"),
        (b"null", "a JSON null"),
        (b"true", "a JSON boolean"),
        (b"1", "a JSON number"),
        (b"<html>", "not JSON"),
        (b"\xff\xfe{", "not JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b"9" * 5000, "not JSON"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "nested deeper than 64 levels"),
        (b'{"Events": [' + b"{}," * 10_000 + b"{}]}", "Events has 10001 items"),
        (b"[" + b"{}," * 10_000 + b"{}]", "the array has 10001 items"),
    ],
)
def test_what_is_malformed_says_why(body: bytes, reason: str):
    """The reason goes to quarantine and the log; it never quotes the body."""
    with pytest.raises(MalformedError, match=reason):
        decode(body)


@pytest.mark.parametrize(
    "body", ['{"a": NaN}', '{"a": 1e999, "b": -Infinity}', '{"a": "\\ud800"}', "[]", "[1]", '"x"', '{"a": 1, "a": 2}']
)
def test_what_the_dmtf_listener_logs_is_a_payload(body: str):
    """Whatever Python's json takes, but what breaks its handler: the text log is compatible with what it wrote."""
    assert json.dumps(decode(body.encode())) == json.dumps(json.loads(body))
    assert normalise(body.encode()).records


def test_brackets_in_text_are_no_depth():
    """Many brackets alone are fine."""
    payload = {"Message": "[" * 5000, "Events": [{}] * 500}
    assert decode(json.dumps(payload).encode()) == payload
    assert decode(b'{"a":' * 64 + b"1" + b"}" * 64)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.slow
@given(st.dictionaries(st.text(), json_values))
def test_every_object_comes_back(value: dict):
    """Property: what json writes, decode reads."""
    assert decode(json.dumps(value).encode()) == value


@given(st.binary())
def test_no_body_raises_anything_else(body: bytes):
    """Property: a payload that the normaliser understands too, or MalformedError."""
    with contextlib.suppress(MalformedError):
        assert decode(body) is not None
        assert not normalise(body).problem
