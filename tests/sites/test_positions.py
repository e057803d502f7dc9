"""Positions that share a token whatever the unit, however they are written."""

from __future__ import annotations

import pytest

import mediation as med
from mediation.sites._positions import check_position, may_overlap, positions_of

SHARED = [
    ("last", -1), ("last", (0, -1)), (-1, (-1, 2)), ("all", 3), ("all", "last"), ("last", "all"), (0, (0, 1)),
    (slice(1, 3), slice(1, 3)), ("subject", "subject"), ((2, 5), (5, 7)),
]  # fmt: skip
APART = [("last", 0), ("last", -2), (0, 1), ((0, 1), (2, 3)), ("last", (0, 1)), (slice(0, 2), slice(1, 3)), ("a", "b")]


@pytest.mark.parametrize(("one", "other"), SHARED)
def test_positions_that_surely_share_a_token(one, other):
    one, other = check_position(one), check_position(other)
    assert may_overlap(one, other)
    assert may_overlap(other, one)


@pytest.mark.parametrize(("one", "other"), APART)
def test_positions_that_may_not(one, other):
    one, other = check_position(one), check_position(other)
    assert not may_overlap(one, other)
    assert not may_overlap(other, one)


@pytest.mark.parametrize("other", [-1, (0, -1)])
def test_two_changes_of_the_last_token_are_refused(other):
    with pytest.raises(med.errors.SiteError, match="overlap"):
        med.Zero().at(med.mlp(1, at="last")) | med.Scale(2.0).at(med.mlp(1, at=other))


@pytest.mark.parametrize(
    ("at", "found"),
    [
        ("all", (0, 1, 2, 3, 4)),
        ("last", (4,)),
        (0, (0,)),
        (4, (4,)),
        (-5, (0,)),
        ((3, -5), (0, 3)),
        (slice(3, 9), (3, 4)),
    ],
)
def test_tokens_of_five(at, found):
    assert positions_of(check_position(at), 5, {}, "unit 0") == found


@pytest.mark.parametrize("at", [5, -6, (0, 5), slice(5, 9)])
def test_what_is_outside_is_refused(at):
    with pytest.raises(med.errors.SiteError, match=r"0 to 4|-5 to 4"):
        positions_of(check_position(at), 5, {}, "unit 0")


def test_the_ends_of_a_span():
    spans = {"subject": (2, 3, 4)}
    ends = [positions_of(at, 9, spans, "unit 0") for at in ("subject", "subject.first", "subject.last")]
    assert ends == [(2, 3, 4), (2,), (4,)]
