# SPDX-License-Identifier: GPL-3.0-or-later
"""event_destination by the real ansible-playbook: each state twice, each first in check mode, through both adapters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redfish_simulator.client import Fleet

from tests.integration.fleet_play import ADAPTERS, Runner, writes

LISTENER = "https://127.0.0.1:9/events"
HEADER = "Basic bGlzdGVuZXI6aHVudGVyMg=="
DECLARED: dict[str, Any] = {
    "destination": LISTENER + "/{{ inventory_hostname }}",
    "context": "rack7",
    "http_headers": {"Authorization": HEADER},
    "delivery_retry_policy": "RetryForever",
    "verify_certificate": False,
}
FOREIGN = {"Destination": "https://192.0.2.9/", "Protocol": "Redfish", "Context": "theirs", "EventFormatType": "Event"}


@pytest.fixture(scope="module")
def bmcs(fleet: Callable[..., Fleet]) -> Iterator[Fleet]:
    with fleet(mix="openbmc=2,plain=2", time_scale=0.01) as running:
        yield running


@pytest.fixture
def run(bmcs: Fleet, tmp_path: Path) -> Iterator[Runner]:
    for bmc in bmcs.bmcs:
        bmc.clear_faults()
        bmc.seed_subscriptions()
    bmcs.clear_requests()
    yield Runner(bmcs, tmp_path)
    assert bmcs.counters()["sessions"] == 0, "a session was left behind"


def held(fleet: Fleet) -> dict[str, list[dict[str, Any]]]:
    return {bmc.name: bmc.subscriptions() for bmc in fleet.bmcs}


def apply_twice(run: Runner, adapter: str, action: str, **options: Any) -> None:
    """Check mode announces it and writes nothing, the first run does it, the second finds nothing to do."""
    before = held(run.fleet)
    run.fleet.clear_requests()
    announced = run.task("event_destination", adapter, _check=True, **options)
    assert announced.code == 0, announced.output
    assert writes(run.fleet) == []
    assert held(run.fleet) == before
    done = run.task("event_destination", adapter, **options)
    assert done.code == 0, done.output
    for host, result in done.results.items():
        assert result["action"] == action, (host, result)
        assert result["changed"] is True
        assert announced[host]["action"] == action
        assert announced[host]["changed"] is True
    run.fleet.clear_requests()
    again = run.task("event_destination", adapter, **options)
    assert {result["changed"] for result in again.results.values()} == {False}, again.output
    assert writes(run.fleet) == []
    quiet = run.task("event_destination", adapter, _check=True, **options)
    assert {result["changed"] for result in quiet.results.values()} == {False}


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_life_of_a_subscription(run: Runner, adapter: str):
    """Create, modify by PATCH, modify by replacement, delete: each converges at once and stays."""
    for bmc in run.fleet.bmcs:
        bmc.seed_subscriptions(FOREIGN)
    apply_twice(run, adapter, "create", **DECLARED)
    for name, members in held(run.fleet).items():
        assert len(members) == 2, name
        mine = next(member for member in members if member["Context"] == "rack7")
        assert mine["Destination"].rstrip("/").endswith(name)
        assert mine["HttpHeaders"] == [{"Authorization": HEADER}]
        assert mine["DeliveryRetryPolicy"] == "RetryForever"
    apply_twice(run, adapter, "patch", **{**DECLARED, "context": "rack8"})
    apply_twice(run, adapter, "replace", **{**DECLARED, "context": "rack8", "registry_prefixes": ["Base"]})
    for members in held(run.fleet).values():
        assert [member["RegistryPrefixes"] for member in members if member["Context"] == "rack8"] == [["Base"]]
    apply_twice(run, adapter, "delete", state="absent", **DECLARED)
    for members in held(run.fleet).values():
        assert [member["Context"] for member in members] == ["theirs"]


def test_both_adapters_give_the_same_json(run: Runner):
    """The same task in the worker and as a module gives equal results, from announcement to removal."""
    steps = ({"_check": True}, {}, {"context": "other", "_check": True}, {"state": "absent", "_check": True})
    for step in steps:
        options = {**DECLARED, **step}
        seen = {}
        for adapter in ADAPTERS:
            for bmc in run.fleet.bmcs:
                bmc.seed_subscriptions(*([] if step in steps[:2] else [_seed(bmc.name)]))
            seen[adapter] = run.task("event_destination", adapter, **options).results
        assert set(seen["worker"]) == set(seen["module"]) == {bmc.name for bmc in run.fleet.bmcs}
        for host, result in seen["worker"].items():
            assert _comparable(result) == _comparable(seen["module"][host])


def _seed(name: str) -> dict[str, Any]:
    return {"Destination": f"{LISTENER}/{name}", "Protocol": "Redfish", "Context": "rack7", "EventFormatType": "Event"}


def _comparable(value: Any) -> Any:
    """Without ids that the simulated BMC draws anew for each subscription."""
    if isinstance(value, dict):
        return {_comparable(key): _comparable(item) for key, item in value.items() if key not in ("Id", "Name")}
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    if isinstance(value, str):
        return re.sub(r"(Subscriptions/)\w+", r"\1ID", value)
    return value


def test_request_budget(run: Runner):
    """Nothing to do: three requests with Basic, five with a session, on one connection."""
    run.task("event_destination", **DECLARED)
    run.fleet.clear_requests()
    result = run.task("event_destination", **DECLARED)
    for bmc in run.fleet.by_vendor("plain"):
        sent = bmc.requests()
        assert len(sent) == {"basic": 3, "session": 5}[bmc.login_type]
        assert result[bmc.name]["requests"] == len(sent)
        assert len({request["connection"] for request in sent}) == 1


def test_destinations_compare_in_normal_form(run: Runner):
    """OpenBMC shows https://HOST:443/ for https://HOST; that is the same subscription."""
    for text in ("https://LISTENER.example.com", "https://listener.example.com:443/"):
        run.task("event_destination", destination=text)
    assert {name: len(members) for name, members in held(run.fleet).items()} == dict.fromkeys(held(run.fleet), 1)


def test_duplicates_and_retired_destinations_go_and_others_stay(run: Runner):
    """Exactly one subscription of ours is left, and every foreign one."""
    for bmc in run.fleet.bmcs:
        old = {**FOREIGN, "Destination": "https://old.example.com/", "Context": "old"}
        report = {**_seed(bmc.name), "EventFormatType": "MetricReport"}
        bmc.seed_subscriptions(_seed(bmc.name), FOREIGN, _seed(bmc.name), old, report)
    result = run.task("event_destination", retired_destinations=["https://OLD.example.com:443"], **DECLARED)
    for name, members in held(run.fleet).items():
        contexts = sorted((member["Context"], member["EventFormatType"]) for member in members)
        assert contexts == [("rack7", "Event"), ("rack7", "MetricReport"), ("theirs", "Event")]
        assert len(result[name]["removed"]) == 2


def test_duplicates_can_be_kept(run: Runner):
    """`duplicates: keep` removes nothing."""
    for bmc in run.fleet.bmcs:
        bmc.seed_subscriptions(_seed(bmc.name), _seed(bmc.name))
    result = run.task("event_destination", duplicates="keep", destination=DECLARED["destination"])
    assert {len(members) for members in held(run.fleet).values()} == {2}
    assert {each["changed"] for each in result.results.values()} == {False}


def test_adopt_never_leaves_the_subscription_of_another_context_alone(run: Runner):
    """With `adopt: never` only a subscription with our Context is ours."""
    for bmc in run.fleet.bmcs:
        bmc.seed_subscriptions({**_seed(bmc.name), "Context": "theirs"})
    run.task("event_destination", adopt="never", **DECLARED)
    for members in held(run.fleet).values():
        assert sorted(member["Context"] for member in members) == ["rack7", "theirs"]


def test_headers_are_sent_again_only_on_request(run: Runner):
    """HttpHeaders can't be read back: a new value reaches the BMC with `always`, which then reports a change."""
    run.task("event_destination", **DECLARED)
    rotated = {**DECLARED, "http_headers": {"Authorization": "Bearer new"}}
    assert not any(each["changed"] for each in run.task("event_destination", **rotated).results.values())
    result = run.task("event_destination", update_http_headers="always", **rotated)
    assert {each["action"] for each in result.results.values()} == {"patch"}
    for members in held(run.fleet).values():
        assert members[0]["HttpHeaders"] == [{"Authorization": "Bearer new"}]


def test_comfort_is_dropped_and_filters_fail(run: Runner):
    """What the BMC doesn't support: comfort is reported, a filter fails unless its loss is allowed."""
    openbmc = [bmc.name for bmc in run.fleet.by_vendor("openbmc")]
    hosts = ",".join(openbmc)
    result = run.task("event_destination", hosts=hosts, event_types=["Alert"], **DECLARED)
    assert {tuple(each["unsupported"]) for each in result.results.values()} == {("EventTypes",)}
    again = run.task("event_destination", hosts=hosts, event_types=["Alert"], **DECLARED)
    assert not any(each["changed"] for each in again.results.values())
    for bmc in run.fleet.bmcs:
        bmc.seed_subscriptions()
    refused = run.task("event_destination", hosts=hosts, severities=["Critical"], **DECLARED)
    assert {each["reason"] for each in refused.results.values()} == {"unsupported"}
    assert all("Severities" in each["msg"] and "on_unsupported" in each["msg"] for each in refused.results.values())
    assert [held(run.fleet)[name] for name in openbmc] == [[]] * len(openbmc)
    allowed = {"severities": ["Critical"], "on_unsupported": {"severities": "drop"}}
    dropped = run.task("event_destination", hosts=hosts, **allowed, **DECLARED)
    assert {tuple(each["unsupported"]) for each in dropped.results.values()} == {("Severities",)}


def test_advertised_limits_fail_before_anything_is_written(run: Runner):
    """A registry that the EventService doesn't list is refused without a request that writes."""
    result = run.task("event_destination", registry_prefixes=["Contoso"], **DECLARED)
    assert {each["reason"] for each in result.results.values()} == {"unsupported"}
    assert all("Contoso" in each["msg"] for each in result.results.values())
    assert writes(run.fleet) == []


def test_inline_vault_values_and_templates(run: Runner):
    """Values from templates and `!unsafe` text arrive as they are: no tags, no second templating."""
    text = "{{ 1 + 1 }}"
    tasks = [
        {
            "name": "subscribe",
            "redfleet.events.event_destination": {"destination": DECLARED["destination"], "context": "{{ context }}"},
            "register": "done",
        },
        {"name": "use", "ansible.builtin.debug": {"msg": "{{ done.subscription.Context }}"}},
    ]
    for bmc in run.fleet.bmcs:
        bmc.seed_subscriptions({**_seed(bmc.name), "Context": text})
    tasks[0]["redfleet.events.event_destination"].pop("context")
    result = run.play(tasks)
    assert {each["msg"] for each in result.by_task["use"].values()} == {text}
