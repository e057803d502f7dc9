"""Answers found by rules: each case follows from the text of the rules, in the docstring of `extract_answer`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mediation._answers import extract_answer, letter_of, options_of, same_answer
from mediation.errors import OutcomeError

COLOURS = {"A": "red", "B": "blue", "C": "dark red", "D": "green"}
CART = ["The color of the cart is red.", "The color of the cart is blue."]
MISSING = {
    "A": "yellow",
    "B": "white",
    "C": "black",
    "D": "grey",
    "E": "The image does not feature the colour.",
}


def answers(cases):
    return pytest.mark.parametrize(("text", "wanted"), cases, ids=[repr(text)[:60] for text, _ in cases])


# ------------------------------------------------------------------------------------------ 1. the last \boxed
@answers(
    [
        (r"\boxed{UDLR}", "UDLR"),
        ("First right, then down.\nSo: $\\boxed{RRDDLU}$", "RRDDLU"),
        (r"\boxed{42}", "42"),
        (r"\boxed{ two   words }", "two words"),
        (r"\boxed {7}", "7"),
        (r"\boxed{1} is wrong, \boxed{2} it is", "2"),  # the last one
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),  # balanced braces
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),  # escaped braces do not count
        (r"\boxed{\text{blue}}", "blue"),
        (r"\boxed{\textbf{\text{ (B) }}}", "(B)"),
        (r"\boxed{\mathrm{B} \text{ or so}}", "B or so"),
        (r"\boxed{\boxed{B}}", "B"),
        (r"a set { and \boxed{3}", "3"),
        (r"} \boxed{3} }", "3"),
        (r"\boxed{3} and then \boxed{4", "3"),  # the last one that is closed
        (r"\boxed{5} <answer>6</answer> The answer is 7.", "5"),  # before all other rules
        (r"\boxed{} The answer is 7.", "7"),  # an empty one has no answer
    ]
)
def test_boxed(text, wanted):
    assert extract_answer(text) == wanted


@answers(
    [
        (r"\boxed{B}", "B"),
        (r"\boxed{b}", "B"),
        (r"\boxed{(B)}", "B"),
        (r"\boxed{B.}", "B"),
        (r"\boxed{\text{B. blue}}", "B"),
        (r"\boxed{blue}", "B"),
        (r"\boxed{BLUE.}", "B"),
        (r"\boxed{the blue one}", "B"),
        (r"\boxed{A} or rather \boxed{dark red}", "C"),
        (r"\boxed{purple}", None),
        (r"\boxed{F}", None),
        (r"\boxed{purple} <answer>B</answer>", "B"),  # no option: the next rule
        (r"\boxed{purple} The answer is D.", "D"),
        (r"\boxed{purple} so, well, it is D", "D"),
        (r"\boxed{purple} like green, more or less, it seems to me", "D"),
        (r"\boxed{A or B}", None),
        (r"\boxed{B", "B"),  # cut off: no box, and a lone letter
    ]
)
def test_boxed_option(text, wanted):
    assert extract_answer(text, COLOURS) == wanted


@given(depth=st.integers(0, 30), inner=st.text(alphabet="ab ", min_size=1).filter(str.strip))
@settings(deadline=None, max_examples=50)
def test_braces_of_any_depth(depth, inner):
    answer = "{" * depth + inner + "}" * depth
    assert extract_answer(r"so \boxed{" + answer + "} }{") == " ".join(answer.split())


# ----------------------------------------------------------------------------------------- 2. the last <answer>
@answers(
    [
        ("<answer>42</answer>", "42"),
        ("<answer>1</answer> no, <answer> 2 </answer>", "2"),
        ("<answer>the red\ncart", "the red cart"),  # not closed: what follows
        ("<ANSWER>42</Answer>.", "42"),
        ("<answer>1</answer> <answer>2", "2"),
        ("<answer>6</answer> The answer is 7.", "6"),
        ("<answer></answer> The answer is 7.", "7"),
        (r"<answer>\text{yes}</answer>", "yes"),
    ]
)
def test_tagged(text, wanted):
    assert extract_answer(text) == wanted


@answers(
    [
        ("<answer> B </answer>", "B"),
        ("<answer>(B) blue</answer>", "B"),
        ("<answer>\nB", "B"),
        ("<answer>blue<|im_end|>", "B"),
        ("<answer>purple</answer> The answer is B.", "B"),
        ("<answer>The answer is B</answer>", "B"),
    ]
)
def test_tagged_option(text, wanted):
    assert extract_answer(text, COLOURS) == wanted


# ------------------------------------------------------------------------------------------- 3. "answer is ..."
@answers(
    [
        ("The answer is 42.", "42"),
        ("The answer is 3.5 kg. I weighed it.", "3.5 kg"),
        ("Answer: yes\nbecause of that", "yes"),
        ("ANSWER : yes", "yes"),
        ("The answer is 1. No, the answer is: 2", "2"),
        ("**Answer:** yes", "yes"),
        ("**Answer**: **yes**.", "yes"),
        ("*Answer:* *yes*.", "yes"),
        ("The final answer is\n\nyes", "yes"),
        ("The answer is 4. Answer:", "4"),  # nothing follows the last
        ("The answer island is 4 km away", None),  # "is" is a word
        ("The answers are many", None),
    ]
)
def test_said(text, wanted):
    assert extract_answer(text) == wanted


@answers(
    [
        ("The best answer is: B", "B"),
        ("The best answer is: (B)", "B"),
        ("The answer is **B**.", "B"),
        ("The answer is B. The cart is not red.", "B"),
        ("The answer is (B) blue.", "B"),
        ("Answer: B. blue", "B"),
        ("The answer is blue.", "B"),
        ("The answer is b.", "B"),
        ("The answer is option B, as the cart is not red", "B"),
        ("The answer is B because the cart is not dark red.", "C"),  # the text of exactly one option is in it
        ("The answer is B because it is not green or red.", "B"),  # of two: then the letter that it begins with
        ("The answer is B, because it is not red.", "B"),
        ("The answer is A because it looks so", "A"),
        ("The answer is A cat, I would say to anyone here", None),  # the article
        ("The answer is B or C, or so I would say here", None),
        ("The answer is (A) and (B), or so I would say here", None),
        ("The answer is A, it is not here at all", "A"),
        ("The answer is purple. But then, blue is what comes nearest to it.", "B"),
        ("The answer is B</answer>", "B"),
        ("The answer is B<|im_end|>", "B"),
    ]
)
def test_said_option(text, wanted):
    assert extract_answer(text, COLOURS) == wanted


def test_a_full_stop_inside_an_option_does_not_end_it():
    assert extract_answer("The answer is Dr. Smith", ["Dr. Jones", "Dr. Smith"]) == "B"


def test_an_options_text_may_begin_like_a_letter():
    keys = {"A": "C major", "B": "A minor", "C": "D major"}
    assert extract_answer("The answer is A minor", keys) == "B"
    assert extract_answer("The answer is C major, since it has no sharps", keys) == "A"


# ------------------------------------------------------------------------------------------- 4. a lone letter
@answers(
    [
        ("B", "B"),
        ("b", "B"),
        ("(b).", "B"),
        ("(B)", "B"),
        ("B)", "B"),
        ("**B**", "B"),
        ("I would say B", "B"),
        ("I would say B.", "B"),
        ("I choose (B) here", "B"),
        ("B, B and again B!", "B"),  # one distinct letter
        ("A or B", None),  # two
        ("neither (A) nor (B)", None),
        ("A/B", None),
        ("B one two three four five", None),  # not among the last five words
        ("B one two three four", "B"),
        ("it is b here", None),  # in capitals, unless it is all there is
        ("F", None),  # no option
        ("vitamin F or plan B", "B"),
        ("B<|im_end|>", "B"),
        ("A", "A"),
        ("A.", "A"),
        ("it is A", "A"),
        ("(A) cat", "A"),
        ("A: cat", "A"),
        ("A cat", None),  # the article
        ("A big cat. A dog.", None),
        ('"A cat"', None),
        ("(A cat)", None),
        ("option A here", "A"),
        ("so A is right", "A"),
        ("A because of that", "A"),
        ("A cat, so B", "B"),
        ("A and B", None),
    ]
)
def test_lone_letter(text, wanted):
    assert extract_answer(text, {"A": "red", "B": "blue"}) == wanted


@answers(
    [
        ("B", "B"),
        ("so (C)", "C"),
        ("Z", "Z"),
        ("A cat", None),
        ("what I saw", None),  # the pronoun
        ("so I and you", None),
        ("choice I then", "I"),
        ("so it is I", "I"),
        ("U D L R", None),
    ]
)
def test_lone_letter_without_options(text, wanted):
    assert extract_answer(text) == wanted


# ---------------------------------------------------------------------------------------- 5. an option's text
@answers(
    [
        ("It looks blue to me", "B"),
        ("BLUE it is, as far as I can tell", "B"),
        ("It is dark  red, I should think", "C"),  # and not "red"
        ("It is dark red and red", None),
        ("It is red or blue", None),
        ("A reddish cart", None),  # whole words
        ("infrared", None),
        ("It is purple", None),
        ("blue, blue, blue", "B"),
    ]
)
def test_text_of_an_option(text, wanted):
    assert extract_answer(text, COLOURS) == wanted


@answers(
    [
        ("I count 4 wheels", "A"),
        ("I count 4.", "A"),
        ("There are 14 of them", None),
        ("There are 4.5 of them", None),
        ("There are 2.4 of them", None),
        ("There are 4,000 of them", None),
        ("It is -4 outside", None),
        ("40 or 12 of them", "B"),
    ]
)
def test_numbers_as_texts(text, wanted):
    assert extract_answer(text, ["4", "12"]) == wanted


def test_an_article_is_no_text_of_an_option():
    assert extract_answer("I see a cat there, and no dog at all", ["a", "the"]) is None


def test_two_options_of_the_same_text_are_not_told_apart():
    assert extract_answer("It is red there", ["red", "Red", "blue"]) is None
    assert extract_answer(r"\boxed{red}", ["red", "Red", "blue"]) is None
    assert extract_answer(r"\boxed{B}", ["red", "Red", "blue"]) == "B"


# ------------------------------------------------------------------------------------- data sets, and no answer
def test_v_star_bench():
    question = (
        "What is the color of the cart?\n(A) The color of the cart is red.\n(B) The color of the cart is blue.\n"
        "Answer with the option's letter from the given choices directly."
    )
    assert options_of(question) == dict(zip("AB", CART, strict=True))
    for text in ("B", "(B)", "(B) The color of the cart is blue.", r"\boxed{B}", "The color of the cart is blue."):
        assert extract_answer(text, question) == extract_answer(text, CART) == "B"


def test_mme_real_world():
    listed = [f"({letter}) {text}" for letter, text in MISSING.items()]
    assert options_of(listed) == MISSING
    for text in ("(E) not present", "E", "The best answer is: E", "(E) The image does not feature the colour.", "E."):
        assert extract_answer(text, listed) == "E"


@pytest.mark.parametrize("options", [None, COLOURS])
@pytest.mark.parametrize(
    "text", ["", " \n ", "?!?", "\\boxed{", "}}}{{{", "\\boxed{}", "<answer>", "The answer is", "...", "\0\ufffd 色"]
)
def test_no_answer(text, options):
    assert extract_answer(text, options) is None


pieces = st.sampled_from([*"AaBI \\{}<>/().*:|\n,", "\\boxed{", "<answer>", "</answer>", "answer is ", "red", "blue"])


@given(text=st.lists(pieces, max_size=15).map("".join), options=st.sampled_from([None, COLOURS, CART]))
@settings(deadline=None, max_examples=400)
def test_any_text_has_an_answer_or_none(text, options):
    found = extract_answer(text, options)
    assert found is None or (found and found == found.strip())
    assert found is None or options is None or found in options_of(options)


def test_a_long_loop_takes_no_longer_than_its_length():
    """Would not end in the time of a test if it grew with the square."""
    assert extract_answer("\\boxed{" * 100_000) is None
    assert extract_answer("{" * 300_000 + r"\boxed{B}") == "B"
    assert extract_answer("answer is " * 50_000 + "B", COLOURS) == "B"
    assert extract_answer("<answer>" * 100_000 + "B", COLOURS) == "B"
    assert extract_answer(" " * 300_000 + "B", COLOURS) == "B"


# ------------------------------------------------------------------------------------------------- same_answer
@pytest.mark.parametrize(
    ("found", "wanted", "options", "same"),
    [
        ("B", "B", None, True),
        ("b", "B", None, True),
        ("(B)", "B", None, True),
        ("B", "(B).", None, True),
        ("RRDD", "rrdd", None, True),
        ("RRDD", "RRD", None, False),
        ("4", "4.0", None, True),
        ("4", "40", None, False),
        ("1,000", "1000", None, True),
        ("1,00", "100", None, False),
        ("-2", "\u22122.0", None, True),
        ("$4$", "4", None, True),
        ("four", "4", None, False),
        ("nan", "inf", None, False),
        (None, "B", None, False),
        (None, "None", None, False),
        ("B", "blue", COLOURS, True),
        ("blue", "(B)", COLOURS, True),
        ("B. blue", "B", COLOURS, True),
        ("A", "blue", COLOURS, False),
        ("A", "purple", COLOURS, False),
        ("4.0", "B", ["3", "4"], True),
        (None, "B", COLOURS, False),
        ("B", "A", ["B", "A"], False),  # a letter is a letter before it is a text
    ],
)
def test_same_answer(found, wanted, options, same):
    assert same_answer(found, wanted, options) is same
    if found is not None:
        assert same_answer(wanted, found, options) is same


@pytest.mark.parametrize("letter", "ABCD")
def test_every_form_of_an_option_is_the_option(letter):
    text = COLOURS[letter]
    forms = [letter, f"({letter})", f"{letter}.", f"{letter})", f"{letter}. {text}", f"({letter}) {text}", text]
    forms += [f"{letter}: {text}", f"option {letter}", f"{letter}, as it seems", text.upper(), f'"{text}."']
    for form in forms:
        assert letter_of(form, COLOURS) == letter
        assert extract_answer(f"\\boxed{{{form}}}", COLOURS) == letter
        assert extract_answer(f"<answer>{form}</answer>", COLOURS) == letter
        assert extract_answer(f"The answer is {form}", COLOURS) == letter


@pytest.mark.parametrize("answer", ["", "F", "purple", "A or B", "A cat", "A and B", "AB", "the red one"])
def test_what_is_no_option(answer):
    assert letter_of(answer, COLOURS) is None


# -------------------------------------------------------------------------------------------------- options_of
@pytest.mark.parametrize(
    ("value", "options"),
    [
        (None, None),
        (float("nan"), None),
        ({"A": "red", "b": "blue"}, {"A": "red", "B": "blue"}),
        ({"(A)": "red", "C": " dark\n red "}, {"A": "red", "C": "dark red"}),
        ({"A": "red", "B": "blue", "C": None, "D": float("nan")}, {"A": "red", "B": "blue"}),
        ({"A": "(A) red", "B": "(B) blue"}, {"A": "red", "B": "blue"}),
        (["red", "blue"], {"A": "red", "B": "blue"}),
        (("red", "blue"), {"A": "red", "B": "blue"}),
        (np.array(["red", "blue"], dtype=object), {"A": "red", "B": "blue"}),
        ([3, 4.5], {"A": "3", "B": "4.5"}),
        (["(A) red", "(B) blue"], {"A": "red", "B": "blue"}),
        (["(B) blue", "(D)green"], {"B": "blue", "D": "green"}),
        (["A. red", "B. blue"], {"A": "red", "B": "blue"}),
        (["A) red", "b: blue"], {"A": "red", "B": "blue"}),
        (["C. Smith", "D. Jones"], {"A": "C. Smith", "B": "D. Jones"}),  # not in order: initials
        (["(A) red", "blue"], {"A": "red", "B": "blue"}),
        ("(A) red\n (C) blue", {"A": "red", "C": "blue"}),
        ("Which?\nA. red\nB. blue", {"A": "red", "B": "blue"}),
        ([chr(97 + i) * 2 for i in range(26)], {chr(65 + i): chr(97 + i) * 2 for i in range(26)}),
    ],
)
def test_options(value, options):
    assert options_of(value) == options
    if options is not None:
        assert options_of(options) == options


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "options = 3: int is no set of options. Give texts in the order A, B, ..., or a mapping from letters to"),
        ({"red", "blue"}, "set is no set of options."),
        (
            "red, blue",
            "options = 'red, blue': a text needs two lines or more that begin with a letter, such as '(A) red'.",
        ),
        ("Only one\n(A) red", "a text needs two lines or more that begin with a letter"),
        ([], "options = []: at least two options are needed, found 0."),
        (["red"], "options = ['red']: at least two options are needed, found 1."),
        ({"A": "red", "B": None}, "at least two options are needed, found 1."),
        (["red", ""], "options = ['red', '']: option B is ''; a text is needed."),
        (["red", None], "options = ['red', None]: option B is None; a text is needed."),
        (["red", True], "option B is True; a text is needed."),
        (["red", ["blue"]], "option B is ['blue']; a text is needed."),
        ({"A": "red", "a": "blue"}, "the letter 'A' is there twice."),
        (["(A) red", "(A) blue"], "the letter 'A' is there twice."),
        ({"A": "red", "first": "blue"}, "'first' is no letter; the keys are 'A', 'B', ..."),
        ({0: "red", 1: "blue"}, "0 is no letter; the keys are 'A', 'B', ..."),
        (["x y"] * 27, "options: 27 texts, and there are 26 letters."),
    ],
)
def test_what_are_no_options(value, message):
    for call in (options_of, lambda it: extract_answer("A", it), lambda it: same_answer("A", "A", it)):
        with pytest.raises(OutcomeError) as caught:
            call(value)
        assert message in str(caught.value)
