"""Answers in texts: each case follows from the rules in the docstring of `extract`."""

from __future__ import annotations

import pytest

from mediation._answers import extract_answer
from mediation.datasets import PROTOCOLS, extract

TWO = ("red", "blue")
FIVE = ("one", "two", "three", "four", "none of these")

SHARED = [
    (r"\boxed{B}", "B"),
    (r"\boxed{A} no, \boxed{B}", "B"),
    (r"It is \boxed{\text{blue}}.", "B"),
    (r"Thus \boxed{(A)}.", "A"),
    (r"\boxed{A", "A"),  # not closed: a letter on its own
    ("<answer>B</answer>", "B"),
    ("<answer> blue </answer>", "B"),
    ("<answer>(A) red", "A"),
    ("<think>B or A</think><answer>A</answer>", "A"),
    ("The answer is B.", "B"),
    ("the ANSWER IS (a)", "A"),
    ("Answer: blue", "B"),
    ("The best answer is: B", "B"),
    ("B", "B"),
    ("b", "B"),
    ("(B)", "B"),
    ("B.", "B"),
    ("**B**", "B"),
    ("I choose option B", "B"),
    ("A cup", None),
    ("It is red.", "A"),
    ("It is reddish.", None),
    ("red or blue", None),
    ("", None),
    ("C", None),
    ("no idea", None),
]


@pytest.mark.parametrize(("text", "wanted"), SHARED)
def test_shared_rule(text, wanted):
    assert extract(text, TWO) == wanted
    assert extract(text, TWO) == extract_answer(text, TWO)
    for layout in ("vstar", "hrbench", "blink", "scienceqa"):
        assert extract(text, TWO, layout=layout) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("The best answer is (C)", "C"),
        ("The correct answer is: D", "D"),
        ("Best option: E", "E"),
        ("The answer B", "B"),
        ("(E) none of these", "E"),
        ("C, although D is near", "C"),  # the first, wherever
        ("Counting gives three", "C"),  # the C of Counting: the published rule takes it
        (r"Before all: \boxed{D}", "D"),  # a box comes first
        ("At first: <answer>E</answer>", "E"),
        ("it is four", "D"),  # no letter: the shared rule
        ("it is hard to say", None),
        ("", None),
    ],
)
def test_mme_realworld(text, wanted):
    assert extract(text, FIVE, layout="mme-realworld-lite") == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("<lvr>\n<answer> B </answer>", "B"),
        ("<answer>B. blue", "B"),
        ("<answer>b. blue", None),
        ("<answer>Blue", "B"),  # the first character, whatever the word
        ("<answer></answer>", None),
        ("A", "A"),  # no tag: the whole text
        ("<answer>A</answer><answer>B</answer>", "B"),
        ("<answer>(B)</answer>", None),
        ("<answer>green", None),
        ("<answer>", None),
    ],
)
def test_lvr(text, wanted):
    assert extract(text, TWO, layout="lvr") == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (r"So \boxed{RRDD}", "RRDD"),
        (r"\boxed{R}\boxed{R, D}", "R, D"),
        ("RRDD", None),
        ("The answer is RRDD", None),
    ],
)
def test_vsp_reads_boxes_only(text, wanted):
    assert extract(text, layout="vsp") == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2004", "2004"),
        ("Answer: 2004", "2004"),
        ("The answer is Oslo.", "Oslo"),
        ("Oslo||Rome", "Oslo||Rome"),
        (r"\boxed{True}", "True"),
        ("  New   York ", "New York"),
        ("A", "A"),
        (" ", None),
    ],
)
def test_tablevqa_takes_the_whole_text_at_last(text, wanted):
    assert extract(text, layout="tablevqa") == wanted


def test_protocols_are_those_of_the_papers():
    assert set(PROTOCOLS) == {"monet", "capimagine", "lvr", "mirage", "qwen2.5-vl", "llava"}
    assert PROTOCOLS["monet"].system.endswith(r"Put your final answer in \boxed{}.")
    assert PROTOCOLS["monet"].min_pixels == 1280 * 28**2
    assert PROTOCOLS["monet"].max_pixels == 16384 * 28**2
    assert PROTOCOLS["lvr"].max_new_tokens == 512
    asked = PROTOCOLS["lvr"].asked("Which?")
    assert asked == "Which?\nAnswer with the option's letter from the given choices directly."
    assert PROTOCOLS["lvr"].asked(asked) == asked
    assert PROTOCOLS["llava"].asked("Which?") == "Which?"
    with pytest.raises(TypeError):
        PROTOCOLS["new"] = PROTOCOLS["lvr"]
