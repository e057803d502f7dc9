"""Characters of tokens where a tokenizer gives none, and the tokens of a span of characters."""

from __future__ import annotations

import pytest

from mediation.units._spans import decoded_offsets, running_offsets, span_offsets, span_tokens


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("a b a", ["a", "b", "a"]),
        ("a b a", ["a", " b", " a"]),
        ("to be to be", ["to", "be", "to", "be"]),
        ("aaa aa a", ["aaa", "aa", "a"]),
        ("  a a", ["a", "a"]),
        ("a", ["", "a", " "]),
    ],
)
def test_a_piece_that_occurs_twice_is_found_where_it_stands(text, pieces):
    found = decoded_offsets(text, pieces)
    assert [text[start:end] for start, end in found] == [piece.strip() for piece in pieces]
    ends = [0, *(end for _, end in found)]
    assert all(start >= before for (start, _), before in zip(found, ends, strict=False))
    bare = [place for place, piece in zip(found, pieces, strict=True) if piece.strip()]
    assert len(set(bare)) == len(bare)


@pytest.mark.parametrize(("text", "pieces"), [("a b c", ["a", "c"]), ("a b", ["a", "x"]), ("b a", ["a", "b"])])
def test_pieces_that_do_not_spell_the_text_have_no_places(text, pieces):
    assert decoded_offsets(text, pieces) is None


@pytest.mark.parametrize(
    ("span", "tokens"), [((0, 1), (0,)), ((1, 5), (1,)), ((0, 2), (0,)), ((4, 6), (1,)), ((4, 7), (1, 2)), ((5, 6), ())]
)
def test_tokens_share_a_printed_character_with_the_span(span, tokens):
    # "a" " cat" " is"
    assert span_tokens("a cat is", [(0, 1), (1, 5), (5, 8)], span) == tokens


def test_a_span_ends_where_its_text_does():
    assert span_offsets("animal", "cat", "a cat", 0, "base") == (2, 5)
    assert span_offsets("whole", (0, 5), "a cat", 0, "base") == (0, 5)


def test_a_token_that_completes_no_character_has_the_one_that_is_completed():
    class Takes:
        """Decodes two tokens to less than one, until the third completes the text."""

        def decode(self, ids):
            return {0: "", 1: "ab", 2: "a\ufffd", 3: "abc"}[len(ids)]

    assert running_offsets(Takes(), [7, 8, 9]) == ("abc", [(0, 2), (2, 3), (2, 3)])
