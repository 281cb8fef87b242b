# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes: who gets what. Pure, so by table and by property."""

import pytest
from event_listener.config_file import ConfigError, parse
from event_listener.event import Category, Event, Level, Origin
from event_listener.routes import SourceFacts, Verdict, key_of, selector_for
from event_listener.settings_bus import Publish, Route
from hypothesis import given
from hypothesis import strategies as st

FACTS = {"bmc1": SourceFacts({"rack": "r1", "site": "x"}, "/dc1/row2/"), "bmc2": SourceFacts({}, "/dc10/")}


def event(**fields):
    given = {
        "seq": 1, "id": "j-1-0", "source": "bmc1", "address": "192.0.2.1", "received_ns": 1, "payload_id": 1,
        "type": "ResourceEvent.ResourceChanged", "resource_type": "Systems", "resource_id": "/redfish/v1/Systems/1",
        **fields,
    }  # fmt: skip
    return Event(**given)


def takes(one, *routes, publish=None):
    selector = selector_for("bus", routes, publish or Publish())
    return bool(selector.chosen([one], FACTS))


def route(**conditions):
    return Route(name="r", sinks=["bus"], **conditions)


@pytest.mark.parametrize(
    ("conditions", "fields", "expected"),
    [
        ({}, {}, True),
        ({"topics": ["#"]}, {}, True),
        ({"topics": ["bmc1.*.*.*.*"]}, {}, True),
        ({"topics": ["bmc2.#", "*.ResourceStateEvent.#"]}, {}, True),
        ({"topics": ["*.AlertEvent.#"]}, {}, False),
        ({"levels": [Level.WARN, Level.ERROR]}, {}, False),
        ({"levels": [Level.WARN, Level.ERROR]}, {"level": Level.ERROR}, True),
        ({"domains": ["/dc1"]}, {}, True),
        ({"domains": ["/dc1/"]}, {"source": "bmc2"}, False),
        ({"domains": ["/dc1/row2/"]}, {}, True),
        ({"domains": ["/dc1/row2/u3"]}, {}, False),
        ({"domains": ["/"]}, {"source": "nobody"}, False),
        ({"labels": {"rack": "r1"}}, {}, True),
        ({"labels": {"rack": "r1", "site": "y"}}, {}, False),
        ({"labels": {"rack": "r1"}}, {"source": "nobody"}, False),
        ({}, {"origin": Origin.TEST}, False),
        ({"origins": [Origin.TEST]}, {"origin": Origin.TEST}, True),
        ({"where": "record.Severity == 'Critical'"}, {"record": {"Severity": "Critical"}}, True),
        ({"where": "record.Severity == 'Critical'"}, {"record": {}}, False),
        ({"where": "labels.rack == 'r1' && starts_with(domain, '/dc1/')"}, {}, True),
        ({"where": "message_args"}, {"message_args": ("x",)}, True),
        ({"where": "message_args"}, {}, False),
        ({"where": "seq"}, {"seq": 0}, True),  # JMESPath: 0 is true
        ({"where": "contains(message, 'x')"}, {"message": None}, False),
        ({"topics": ["bmc1.#"], "levels": [Level.ERROR]}, {}, False),  # all conditions, not one
    ],
)
def test_conditions(conditions, fields, expected):
    assert takes(event(**fields), route(**conditions)) is expected


def test_one_of_several_routes_is_enough_and_others_sinks_do_not_count():
    one = event()
    assert takes(one, route(topics=["nothing"]), route(topics=["bmc1.#"]))
    assert not takes(one, route(topics=["nothing"]), Route(name="other", sinks=["other"]))


@pytest.mark.parametrize("category", list(Category))
def test_each_category_has_a_switch_and_only_usage_is_off_by_default(category):
    names = {
        Category.ACTION: "action", Category.ALERT: "alert", Category.USAGE: "usage",
        Category.RESOURCE_STATE: "resource_state", Category.ASYNC_JOB: "async_job",
    }  # fmt: skip
    one = event(category=category)
    assert takes(one) is (category is not Category.USAGE)
    assert takes(one, publish=Publish(**{names[category]: True}))
    assert not takes(one, publish=Publish(**{names[category]: False}))


def test_an_expression_that_cannot_be_evaluated_is_counted():
    selector = selector_for("bus", [route(where="length(seq)")], Publish())
    assert selector.chosen([event(), event()], {}) == []
    assert selector.failed == 2


@given(st.lists(st.sampled_from(["bmc1", "bmc2", "bmc3"])), st.sampled_from(["bmc1.#", "#", "bmc2.*.#", "x"]))
def test_order_is_kept_and_nothing_appears_twice(sources, pattern):
    events = [event(seq=number, source=source) for number, source in enumerate(sources)]
    chosen = selector_for("bus", [route(topics=[pattern]), route(topics=[pattern])], Publish()).chosen(events, FACTS)
    assert [item.seq for item in chosen] == sorted({item.seq for item in chosen})


def test_the_key_has_cloudstacks_five_words():
    assert key_of(event(source="10.0.0.1", resource_id=None)) == (
        "10-0-0-1.ResourceStateEvent.ResourceEvent-ResourceChanged.Systems.*"
    )


SINK = "sinks: {syslog: [{name: soc, host: 'h'}], amqp: [{name: bus, hosts: ['h']}]}\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("routes: [{name: a, sinks: [nowhere]}]", "there is no sink nowhere; there are: soc, bus"),
        ("routes: [{name: a, sinks: [soc, bus], where: 'a ['}]", "routes[0].where: not a JMESPath expression"),
        ("routes: [{name: a, sinks: [soc]}]", "none names the sink bus"),
        ("routes: [{name: a, sinks: [soc, bus]}, {name: a, sinks: [soc]}]", "the name a is given twice"),
        ("routes: [{name: a, sinks: [soc, bus], levels: [BAD]}]", "routes[0].levels[0]"),
        ("routes: [{name: a, sinks: [soc, bus], topic: ['#']}]", "did you mean routes[0].topics?"),
    ],
)
def test_routes_that_cannot_work_are_mistakes(text, problem):
    with pytest.raises(ConfigError) as raised:
        parse(SINK + text)
    assert problem in str(raised.value)


def test_two_sinks_of_one_name_are_a_mistake():
    with pytest.raises(ConfigError, match="sinks: the name soc is given twice"):
        parse("sinks: {syslog: [{name: soc, host: 'h'}], amqp: [{name: soc, hosts: ['h']}]}")


@pytest.mark.parametrize(
    ("fields", "routes", "expected"),
    [
        ({}, [route()], Verdict("r")),
        ({"category": Category.USAGE}, [route()], Verdict(None, ("UsageEvent is not published (publish.usage)",))),
        ({"origin": Origin.TEST}, [route()], Verdict(None, ("route r: test is not in origins",))),
        ({}, [route(levels=[Level.ERROR])], Verdict(None, ("route r: INFO is not in levels",))),
        ({}, [route(labels={"rack": "r9"})], Verdict(None, ("route r: labels don't match",))),
        ({}, [route(domains=["/x/"]), Route(name="b", sinks=["bus"], topics=["x"])],
         Verdict(None, ("route r: domains don't match", "route b: topics don't match"))),
        ({}, [route(where="seq == `7`")], Verdict(None, ("route r: where is false",))),
        ({}, [route(where="length(seq)")], Verdict(None, ("route r: where can't be evaluated",))),
        ({}, [route(levels=[Level.ERROR]), Route(name="b", sinks=["bus"])], Verdict("b")),
        ({}, [Route(name="b", sinks=["other"])], Verdict(None, ("no route names it",))),
    ],
)  # fmt: skip
def test_a_verdict_has_its_reason(fields, routes, expected):
    selector, one = selector_for("bus", routes, Publish()), event(**fields)
    assert selector.explain(one, FACTS["bmc1"]) == expected
    assert selector.takes(one, FACTS["bmc1"]) == (expected.route is not None)
