# SPDX-License-Identifier: GPL-3.0-or-later
"""What a policy of SELinux allows, from its binary file: no kernel with SELinux is needed.

Run by the distribution's Python, which has setools. From stdin it takes {"policy": PATH, "of": [TYPE, ...],
"transitions": [[SOURCE, TARGET], ...], "allowed": [[SOURCE, TARGET, CLASS, PERMISSION], ...]}, where `of` are all
sources asked about; answers as {"transitions": [TYPE or null, ...], "allowed": [bool, ...],
"attributes": {TYPE: [...]}}. Rules that depend on a boolean don't count.
"""

from __future__ import annotations

import json
import sys

import setools
from setools.exception import RuleNotConditional


class Policy:
    """The unconditional rules whose source is one of some types."""

    def __init__(self, path: str, sources: list[str]) -> None:
        self._policy = setools.SELinuxPolicy(path)
        wanted = set().union(*(self.names(one) for one in sources))
        self._allowed: dict[tuple[str, str, str], set[str]] = {}
        self._transitions: dict[tuple[str, str], str] = {}
        for rule in self._policy.terules():
            source, target = str(rule.source), str(rule.target)
            if source not in wanted or self._conditional(rule):
                continue
            if rule.ruletype == setools.TERuletype.allow:
                self._allowed.setdefault((source, target, str(rule.tclass)), set()).update(map(str, rule.perms))
            elif rule.ruletype == setools.TERuletype.type_transition and str(rule.tclass) == "process":
                self._transitions[source, target] = str(rule.default)

    @staticmethod
    def _conditional(rule: setools.policyrep.PolicyRule) -> bool:
        try:
            return bool(rule.conditional)
        except RuleNotConditional:
            return False

    def names(self, name: str) -> set[str]:
        """The type and its attributes: rules are written for any of them."""
        return {name, *map(str, self._policy.lookup_type(name).attributes())}

    def transition(self, source: str, target: str) -> str | None:
        """The domain that a process of `source` is in after it executed a file of `target`, if it is another one."""
        return self._transitions.get((source, target))

    def allowed(self, source: str, target: str, tclass: str, permission: str) -> bool:
        """Whether any rule allows it."""
        targets = self.names(target) | ({"self"} if source == target else set())
        return any(
            permission in self._allowed.get((one, other, tclass), ()) for one in self.names(source) for other in targets
        )


def main() -> None:
    asked = json.load(sys.stdin)
    policy = Policy(asked["policy"], asked["of"])
    answers = {
        "transitions": [policy.transition(*one) for one in asked["transitions"]],
        "allowed": [policy.allowed(*one) for one in asked["allowed"]],
        "attributes": {one: sorted(policy.names(one)) for one in asked["of"]},
    }
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
