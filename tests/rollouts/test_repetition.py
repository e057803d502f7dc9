"""The end of a generation is a loop, or it is not."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings, strategies as st

from mediation.errors import DesignError
from mediation.rollouts._repetition import repeats

words = st.lists(st.integers(0, 2), max_size=6)
sequences = st.one_of(
    st.lists(st.integers(0, 2), max_size=40),
    st.builds(lambda head, block, k, tail: head + block * k + tail, words, words, st.integers(0, 8), words),
)


def by_definition(ids: list[int], times: int, least: int) -> bool:
    """Every block and every number of repeats, written out."""
    n = len(ids)
    for size in range(1, n + 1):
        for k in range(times, n // size + 1):
            if k * size >= least and ids[n - k * size :] == ids[n - size :] * k:
                return True
    return False


@given(ids=sequences, times=st.integers(2, 6), least=st.integers(1, 20))
@settings(deadline=None, max_examples=400)
@example(ids=[0, 1, 0] * 4, times=4, least=12)
@example(ids=[0] * 11, times=4, least=12)
def test_as_defined(ids, times, least):
    assert repeats(ids, times=times, least=least) == by_definition(ids, times, least)
    assert repeats(tuple(ids), times=times, least=least) == by_definition(ids, times, least)


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        ([], False),
        ([5], False),
        ([5] * 4, False),  # four times, four tokens
        ([5] * 11, False),
        ([5] * 12, True),
        ([1, 2] * 5, False),  # ten tokens
        ([1, 2] * 6, True),
        ([1, 2, 3, 4, 5] * 3, False),  # three times
        ([1, 2, 3, 4, 5] * 4, True),
        ([9, 8, 7, *([1, 2, 3] * 4)], True),
        ([*([1, 2, 3] * 4), 9], False),  # the loop was left
    ],
)
def test_the_defaults(ids, found):
    assert repeats(ids) is found


def test_a_loop_cut_in_the_middle_of_its_block_is_one_of_a_turned_block():
    """The last 12 of 14 tokens are (3, 1, 2) four times; of the 11 in the second, nothing is there four times."""
    assert repeats([*([1, 2, 3] * 4), 1, 2])
    assert not repeats([9, 9, *([1, 2, 3] * 3), 1, 2])


def test_a_long_sequence_takes_linear_time():
    """Counted, not timed: comparisons of tokens."""
    counted = 0

    class Token:
        def __init__(self, name: str) -> None:
            self.name = name

        def __eq__(self, other: object) -> bool:
            nonlocal counted
            counted += 1
            return isinstance(other, Token) and other.name == self.name

        __hash__ = None  # type: ignore[assignment]

    for text in ("b" + "a" * 5 + "b" * 3 + "a" * 2000 + "b", "ab" * 1000 + "c", "a" * 1000 + "b" + "a" * 1000):
        counted = 0
        repeats([Token(letter) for letter in text], times=2, least=10_000)  # type: ignore[misc]
        assert 0 < counted <= 2 * len(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"times": 1}, "repeats: times = 1: a whole number of at least 2 is needed."),
        ({"least": 0}, "repeats: least = 0: a whole number of at least 1 is needed."),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(DesignError) as caught:
        repeats([1, 2], **options)
    assert str(caught.value) == message
