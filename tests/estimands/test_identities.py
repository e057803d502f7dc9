"""Estimands are sums of each other, coefficient by coefficient (VanderWeele 2014)."""

from __future__ import annotations

import pytest

from mediation.estimands import estimand_for


def minus(one: str, *others: str) -> dict[str, float]:
    found = dict(estimand_for(one).weights)
    for key in others:
        for name, weight in estimand_for(key).weights.items():
            found[name] = found.get(name, 0.0) - weight
    return {name: weight for name, weight in found.items() if weight}


@pytest.mark.parametrize(
    ("one", "others", "same"),
    [
        ("te", ["cde"], "pe"),
        ("pnde", ["cde"], "int_ref"),
        ("tnie", ["pnie"], "int_med"),
        ("te", ["pnde"], "tnie"),
        ("te", ["tnde"], "pnie"),
        ("tnde", ["pnde"], "int_med"),
        ("te", ["cde", "int_ref", "int_med"], "pnie"),
    ],
)
def test_what_is_left_when_one_is_taken_from_another(one, others, same):
    assert minus(one, *others) == dict(estimand_for(same).weights)
