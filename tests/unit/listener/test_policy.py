# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may see and do what: the table by hand, and by property that SQL and the pure function say the same."""

import pytest
from event_listener import policy
from event_listener.policy import Action, Owner, Principal, Reach, Role
from event_listener.store.ownership import within
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Table, Text, create_engine, select

WORDS = st.sampled_from(["a", "A", "b", "a_", "a%", "ab"])
DOMAINS = st.lists(st.sampled_from(["a", "A", "b", "a_", "ab", "a.b"]), max_size=3).map(
    lambda parts: "/" + "".join(f"{part}/" for part in parts)
)
OWNERS = st.builds(Owner, DOMAINS, st.none() | WORDS)
PRINCIPALS = st.builds(
    Principal,
    name=WORDS,
    role=st.sampled_from(Role),
    domain=DOMAINS,
    account=st.none() | WORDS,
    actions=st.none() | st.frozensets(st.sampled_from(Action)),
)


@given(PRINCIPALS, st.sampled_from(Action), st.lists(OWNERS, max_size=12))
def test_sql_says_what_the_policy_says(principal, action, owners):
    table = Table("thing", MetaData(), Column("domain", Text), Column("account", Text), Column("number", Text))
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        table.create(connection)
        for number, owner in enumerate(owners):
            connection.execute(table.insert().values(domain=owner.domain, account=owner.account, number=str(number)))
        condition = within(policy.scope(principal, action), table.c.domain, table.c.account)
        found = set(connection.execute(select(table.c.number).where(condition)).scalars())
    engine.dispose()
    wanted = {str(number) for number, owner in enumerate(owners) if policy.allowed(principal, action, owner)}
    assert found == wanted


@given(PRINCIPALS, st.sampled_from(Action), OWNERS)
def test_nobody_reaches_out_of_the_own_domain(principal, action, owner):
    if policy.allowed(principal, action, owner) and principal.role is not Role.ROOT_ADMIN:
        assert principal.domain in policy.ancestors(owner.domain)


@given(PRINCIPALS, st.sampled_from(Action), OWNERS)
def test_a_limited_token_never_reaches_more_than_its_user(principal, action, owner):
    if policy.allowed(principal, action, owner):
        whole = Principal(name="x", role=principal.role, domain=principal.domain, account=principal.account)
        assert policy.allowed(whole, action, owner)
        assert principal.actions is None or action in principal.actions


@given(PRINCIPALS, st.sampled_from(Role), OWNERS)
def test_nobody_makes_somebody_greater(principal, role, owner):
    if policy.may_make(principal, role, owner):
        made = Principal(name="made", role=role, domain=owner.domain, account=owner.account)
        for action in Action:
            mine, theirs = policy.scope(principal, action), policy.scope(made, action)
            assert theirs.reach.value <= mine.reach.value


@pytest.mark.parametrize(
    ("role", "action", "owner", "verdict"),
    [
        (Role.ROOT_ADMIN, Action.OPERATE, Owner(), True),
        (Role.DOMAIN_ADMIN, Action.OPERATE, Owner("/dc1/", "ops"), False),
        (Role.DOMAIN_ADMIN, Action.READ_EVENTS, Owner("/dc1/row2/", "other"), True),
        (Role.DOMAIN_ADMIN, Action.READ_EVENTS, Owner("/dc10/", "ops"), False),
        (Role.DOMAIN_ADMIN, Action.READ_EVENTS, Owner("/"), False),
        (Role.DOMAIN_ADMIN, Action.MANAGE_ACCOUNTS, Owner("/dc1/"), True),
        (Role.USER, Action.MANAGE_ACCOUNTS, Owner("/dc1/", "ops"), False),
        (Role.USER, Action.OPERATE, Owner("/dc1/", "ops"), False),
        (Role.USER, Action.READ_EVENTS, Owner("/dc1/", "ops"), True),
        (Role.USER, Action.READ_EVENTS, Owner("/dc1/row2/", "ops"), False),
        (Role.USER, Action.READ_EVENTS, Owner("/dc1/", "OPS"), False),
        (Role.USER, Action.READ_EVENTS, Owner("/dc1/"), False),
    ],
)
def test_the_table(role, action, owner, verdict):
    principal = Principal(name="x", role=role, domain="/dc1/", account="ops")
    assert policy.allowed(principal, action, owner) is verdict


def test_every_role_has_a_reach_for_every_action():
    assert {(action, role) for action, row in policy.RIGHTS.items() for role in row} == {
        (action, role) for action in Action for role in Role
    }
    assert all(row[Role.ROOT_ADMIN] is Reach.EVERYTHING for row in policy.RIGHTS.values())


@pytest.mark.parametrize(
    ("text", "path"), [("", "/"), ("/", "/"), ("dc1", "/dc1/"), ("/dc1/row 2/".replace(" ", "_"), "/dc1/row_2/")]
)
def test_domain_paths(text, path):
    assert policy.domain_path(text) == path


@pytest.mark.parametrize("text", ["a//b", "../x", "/a/./b", "a b", "ä", "x" * 65, "/".join(["abc"] * 80), "a\n"])
def test_domains_that_are_refused(text):
    with pytest.raises(policy.PolicyError, match="write a path such as /dc1/row2/"):
        policy.domain_path(text + ("/b" if text == "a\n" else ""))


def test_ancestors():
    assert policy.ancestors("/") == ["/"]
    assert policy.ancestors("/dc1/row2/") == ["/", "/dc1/", "/dc1/row2/"]
