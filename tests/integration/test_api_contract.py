# SPDX-License-Identifier: GPL-3.0-or-later
"""schemathesis asks a real listener whatever its OpenAPI document allows, and much that it doesn't.

No answer may be a 500, none may have a status, a media type or a shape that the document lacks; what the schema forbids
is refused. The examples are the same in each run; `tests/benchmarks/api_contract.py` asks others.
"""

import pytest

from tests.api_surprises import ask, label, questions


@pytest.fixture(scope="module")
def running(listener):
    with listener() as running:
        yield running


@pytest.mark.parametrize("question", questions(), ids=label)
def test_no_surprise(running, question):
    ask(running.manage_url, running.api_token, question, examples=4, derandomize=True)
