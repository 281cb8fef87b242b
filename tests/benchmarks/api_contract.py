# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask every endpoint of a real listener what schemathesis makes of its OpenAPI document, at random and for long.

`api_contract.py [--examples N]`, N questions for each endpoint, those that its schema allows and those that it doesn't.
Ends with status 1 when an endpoint gave an answer that the document doesn't promise; what it was is printed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path

from schemathesis.core.failures import FailureGroup

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.api_surprises import ask, label, questions
from tests.integration.listener_process import RunningListener, issue_certificates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=100)
    options = parser.parse_args()
    surprises = []
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        began, asked = time.monotonic(), questions()
        with RunningListener(base, issue_certificates(base), {}, host="127.0.0.1", arguments=[]).start() as running:
            for question in asked:
                print(label(question), flush=True)
                try:
                    ask(running.manage_url, running.api_token, question, examples=options.examples, derandomize=False)
                except (AssertionError, FailureGroup):
                    traceback.print_exc(limit=0)
                    surprises.append(label(question))
    seconds = time.monotonic() - began
    each = f"{options.examples} each at most"
    print(f"{len(asked)} kinds of questions, {each}: {len(surprises)} with a surprise, in {seconds:.0f} s")
    if surprises:
        sys.exit("\n".join(surprises))


if __name__ == "__main__":
    main()
