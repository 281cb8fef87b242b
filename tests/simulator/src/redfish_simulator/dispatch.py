# SPDX-License-Identifier: GPL-3.0-or-later
"""From a request to an answer: faults, credentials, route, preconditions, handler, the vendor's finish."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from . import faults
from .answer import Answer, Json, RedfishProblem, not_found, problem
from .authentication import authenticate, authorise
from .call import Call
from .personality import ServiceTraits
from .router import Methods, router_for


async def dispatch(call: Call) -> Answer:
    """Answer a request. Raises faults.Cut where a fault ends the connection instead."""
    bmc = call.bmc
    struck = bmc.faults.striking(call) if bmc.faults else []
    try:
        answer = await faults.before(struck, call) if struck else None
        if answer is None:
            answer = _serve(call)
    except RedfishProblem as refusal:
        answer = refusal.answer(bmc.personality.service.error_style)
    return await faults.after(struck, answer) if struck else answer


def _serve(call: Call) -> Answer:
    authenticate(call)
    found = router_for(call.bmc.personality.name).find(call.path)
    if found is None:
        raise not_found("Resource", call.path)
    methods, call.params = found
    if call.headers.get("OData-Version", "4.0") != "4.0":
        raise problem(412, "HeaderInvalid", "OData-Version")
    _check_query(call)
    handler = methods.get("GET" if call.method == "HEAD" else call.method)
    if handler is None:
        raise problem(405, "OperationNotAllowed", Allow=allowed(methods))
    authorise(call)
    if call.method in ("PATCH", "DELETE"):
        _check_precondition(call, methods)
    answer = handler(call)
    return _finish(call, methods, answer)


def allowed(methods: Methods) -> str:
    """The value of the Allow header."""
    names = [*methods, *(["HEAD"] if "GET" in methods else [])]
    return ", ".join(sorted(names))


def _check_query(call: Call) -> None:
    """DSP0266 7.3: 501 for an unknown parameter that begins with $, others are ignored."""
    for name in call.query:
        if name.startswith("$") and name not in ("$expand", "$skip", "$top"):
            raise problem(501, "QueryNotSupportedOnResource")


def etag_of(traits: ServiceTraits, body: Json) -> str:
    """The ETag of a resource as this vendor writes it; "" where it has none."""
    digest = hashlib.md5(json.dumps(body).encode(), usedforsecurity=False).hexdigest()[:16]
    return {"strong": f'"{digest}"', "weak": f'W/"{digest}"', "unquoted": digest, "none": ""}[traits.etag]


def _check_precondition(call: Call, methods: Methods) -> None:
    traits = call.bmc.personality.service
    given = call.headers.get("If-Match")
    if given is not None and traits.if_match == "refused":
        raise problem(400, "HeaderInvalid", "If-Match")
    if given is None:
        if traits.if_match == "required" and call.method == "PATCH":
            raise problem(traits.missing_etag_status, "PreconditionRequired")
        return
    current = methods["GET"](call).body if "GET" in methods else None
    if given != "*" and isinstance(current, dict) and given != etag_of(traits, current):
        raise problem(412, "PreconditionFailed")


def _finish(call: Call, methods: Methods, answer: Answer) -> Answer:
    traits = call.bmc.personality.service
    if call.method in ("GET", "HEAD"):
        answer.headers.setdefault("Allow", allowed(methods))
        if isinstance(answer.body, dict) and "@odata.type" in answer.body:
            answer.headers["Link"] = f"<{schema_of(answer.body['@odata.type'])}>; rel=describedby"
    if isinstance(answer.body, dict) and answer.status in (200, 201):
        if "@odata.id" in answer.body and traits.etag != "none":
            etag = etag_of(traits, answer.body)
            if call.method in ("GET", "HEAD") and etag in call.headers.get("If-None-Match", ()):
                return Answer(304, None, {"ETag": etag})
            answer.headers["ETag"] = etag
            answer.body["@odata.etag"] = etag
        if traits.trailing_slash:
            answer.body = with_slashes(answer.body)
    return answer


def schema_of(odata_type: str) -> str:
    """Where the JSON schema of a type like `#Chassis.v1_25_2.Chassis` is published."""
    namespace = odata_type.removeprefix("#").rpartition(".")[0]
    return f"http://redfish.dmtf.org/schemas/v1/{namespace}.json"


def with_slashes(value: Any) -> Any:
    """Every @odata.id with a slash at its end, as iLO has them."""
    if isinstance(value, dict):
        return {
            name: item.rstrip("/") + "/" if name == "@odata.id" and "?" not in item else with_slashes(item)
            for name, item in value.items()
        }
    return [with_slashes(item) for item in value] if isinstance(value, list) else value
