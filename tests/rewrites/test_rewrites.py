"""Rewrites of written thoughts: their laws, what each does, and functions of one's own."""

from __future__ import annotations

import copy
import importlib
import inspect
import itertools
import pickle
import pkgutil
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import mediation.interventions
import mediation.rewrites as package
from mediation.errors import BackendError, DesignError
from mediation.interventions import (
    AbstractIntervention,
    AbstractRewrite,
    Assignment,
    Identity,
    RewriteChain,
    TextGiven,
    Zero,
)
from mediation.rewrites import (
    Blank,
    CustomRewrite,
    RandomWords,
    RepeatFirst,
    ReplaceText,
    ShuffleSentences,
    ShuffleWords,
    Truncate,
    rewriter,
)
from mediation.rewrites._pieces import Pieces
from mediation.sites import imagination

TEXT = "The cart is red. A man pushes it!\nIs it heavy?\n\n  Yes, 3.5 kg or so.\n"
POOL = ("red cart here", "a blue bus", "")


@rewriter
def recolour(text, old="red", new="blue"):
    return text.replace(old, new)


@rewriter
def some_words(text, share=0.5, *, rng):
    return " ".join(word for word in text.split() if rng.random() < share)


@rewriter
def any_thought(text, *, rng, pool):
    return pool[rng.integers(len(pool))] if text else text


@rewriter
def without(text, words):
    return " ".join(word for word in text.split() if word not in words)


CUSTOM = {"recolour": recolour, "some_words": some_words, "any_thought": any_thought, "without": without}
EXAMPLES: list[AbstractRewrite] = [
    Blank(),
    Blank("_"),
    Blank(r"\1"),
    ReplaceText('It\'s a "bus".'),
    ReplaceText(("one", "two", "")),
    RandomWords(),
    ShuffleWords(),
    ShuffleSentences(),
    RepeatFirst(),
    RepeatFirst("sentence"),
    Truncate(0),
    Truncate(3),
    Truncate(2, of="sentence"),
    Truncate(2) >> Blank(),
    RandomWords() >> ShuffleWords() >> Truncate(4),
    recolour(new="green"),
    some_words(share=0.25),
    any_thought(),
    without(words=["red", "a"]),
]
every = pytest.mark.parametrize("example", EXAMPLES, ids=repr)
texts = st.one_of(
    st.text(alphabet=st.sampled_from("ab .!?\n\t"), max_size=30), st.text(max_size=20), st.sampled_from([TEXT, ""])
)
rewrites = st.sampled_from(EXAMPLES)
seeds = st.integers(0, 2**16)


def supply(seed: int = 0, unit: int = 1) -> TextGiven:
    return TextGiven(rng=np.random.default_rng(seed), pool=POOL, donor=POOL[1], unit=unit)


# ------------------------------------------------------------------------------------------------------ laws
def test_every_final_class_is_among_the_examples():
    modules = [
        importlib.import_module(f"{package.__name__}.{item.name}")
        for package in (mediation.interventions, mediation.rewrites)
        for item in pkgutil.iter_modules(package.__path__)
    ]
    classes = {
        found
        for module in modules
        for found in vars(module).values()
        if inspect.isclass(found) and issubclass(found, AbstractRewrite) and not inspect.isabstract(found)
    }
    assert len(classes) >= 9
    assert {found.__name__ for found in classes} == {type(example).__name__ for example in EXAMPLES}
    assert all(getattr(found, "__final__", False) for found in classes)
    assert all(not hasattr(example, "__dict__") for example in EXAMPLES)
    assert not issubclass(AbstractRewrite, AbstractIntervention)


@given(example=rewrites, other=rewrites, text=texts, seed=seeds)
@settings(deadline=None, max_examples=200)
def test_pure_and_reproducible(example, other, text, seed):
    given = supply(seed)
    state = copy.deepcopy(given.rng.bit_generator.state)
    for what in (example, example >> other):
        once = what(text, given)
        assert isinstance(once, str)
        assert what(text, given) == once  # the same object given again: nothing was used up
        assert what(text, supply(seed)) == once  # the same seed
        assert given.rng.bit_generator.state == state


@every
def test_randomness_is_there_exactly_where_it_is_asked_for(example):
    text = " ".join(f"w{i}." for i in range(20))
    results = {example(text, supply(seed)) for seed in range(20)}
    assert (len(results) > 1) is ("rng" in example.needs())


@every
def test_whatever_is_needed_is_asked_for(example):
    assert example.needs() <= {"rng", "pool"}
    whole = supply()
    for need in example.needs():
        rest = TextGiven(rng=None if need == "rng" else whole.rng, pool=() if need == "pool" else POOL, unit=1)
        with pytest.raises(DesignError, match=r"med\.mediate and med\.ablate supply them"):
            example(TEXT, rest)
    least = TextGiven(
        rng=whole.rng if "rng" in example.needs() else None, pool=POOL if "pool" in example.needs() else (), unit=1
    )
    assert example(TEXT, least) == example(TEXT, whole)


@every
def test_repr_evaluates_back_and_equality_is_by_value(example):
    again = eval(repr(example), {**vars(package), **CUSTOM})
    assert again == example
    assert hash(again) == hash(example)
    assert repr(again) == repr(example)
    assert len({again, example, copy.deepcopy(example)}) == 1
    assert [other for other in EXAMPLES if other == example] == [example]


@pytest.mark.parametrize("example", [item for item in EXAMPLES if type(item) is not CustomRewrite], ids=repr)
def test_pickles(example):
    assert pickle.loads(pickle.dumps(example)) == example


@every
def test_frozen(example):
    for name in type(example).__dataclass_fields__:
        with pytest.raises(AttributeError):
            setattr(example, name, None)


@every
@pytest.mark.parametrize("text", ["", " ", " \n\t"])
def test_an_empty_thought_stays_empty(example, text):
    if isinstance(example, ReplaceText):
        assert example(text, supply()) == (example.text if isinstance(example.text, str) else "two")
    elif isinstance(example, CustomRewrite):
        assert text or example(text, supply()) == ""
    else:
        assert example(text, supply()) == text


@given(a=rewrites, b=rewrites, c=rewrites, text=texts, seed=seeds)
@settings(deadline=None, max_examples=100)
def test_a_chain_is_associative_and_one_after_another(a, b, c, text, seed):
    left, right = (a >> b) >> c, a >> (b >> c)
    assert left == right == RewriteChain((a, b, c)) == RewriteChain([a, Identity(), b >> c])
    assert hash(left) == hash(right)
    assert left.needs() == a.needs() | b.needs() | c.needs()
    assert not any(isinstance(part, RewriteChain) for part in left.parts)
    given = supply(seed)
    assert left(text, given) == right(text, given)
    if "rng" not in left.needs():
        assert left(text, given) == c(b(a(text, given), given), given)


def test_the_parts_of_a_chain_draw_independently():
    """Three words shuffled twice by one and the same order never end in the three orders that swap two of them."""
    orders = {(ShuffleWords() >> ShuffleWords())("a b c", supply(seed)) for seed in range(200)}
    assert orders == {" ".join(order) for order in itertools.permutations("abc")}


@every
def test_identity_is_neutral(example):
    assert example >> Identity() == example
    assert Identity() >> example == example


@every
def test_is_placed_as_an_intervention_is(example):
    site = imagination()
    assert example.at(site) == Assignment(((site, example),))


@pytest.mark.parametrize("foreign", [3, None, "Blank()", Zero(), recolour, Blank], ids=str)
def test_a_foreign_operand_is_pythons_own_error(foreign):
    with pytest.raises(TypeError, match="unsupported operand"):
        Blank() >> foreign
    with pytest.raises(TypeError, match="unsupported operand"):
        foreign >> Blank()


# ---------------------------------------------------------------------------------------------------- pieces
@given(text=texts, of=st.sampled_from(["word", "sentence"]))
@settings(deadline=None, max_examples=300)
def test_pieces_joined_are_the_text(text, of):
    pieces = Pieces.of(text, of)
    assert pieces.with_items(pieces.items) == text == pieces.first(len(pieces.items))
    assert len(pieces.gaps) == len(pieces.items) + 1
    assert all(item and item == item.strip() for item in pieces.items)
    assert all(not gap.strip() for gap in pieces.gaps)
    if of == "word":
        assert list(pieces.items) == text.split()


@given(text=st.text(alphabet=st.sampled_from("ab .!?\n"), max_size=30))
@settings(deadline=None, max_examples=300)
def test_sentences_by_a_pattern(text):
    """The rule as a regular expression: split after . ! ? at blanks, and at blanks with a line break in them."""
    found = [one for one in re.split(r"(?<=[.!?])\s+|\s*\n\s*", text.strip()) if one]
    assert list(Pieces.of(text, "sentence").items) == found


def test_sentences_of_an_example():
    wanted = ("The cart is red.", "A man pushes it!", "Is it heavy?", "Yes, 3.5 kg or so.")
    assert Pieces.of(TEXT, "sentence").items == wanted
    assert Pieces.of("one line\nanother line", "sentence").items == ("one line", "another line")


# ------------------------------------------------------------------------------------------- what each does
def layout(text: str) -> list[str]:
    return re.split(r"\S+", text)


@pytest.mark.parametrize("example", [Blank(), Blank("x"), RandomWords(), ShuffleWords(), RepeatFirst()], ids=repr)
@given(text=texts, seed=seeds)
@settings(deadline=None, max_examples=60)
def test_the_number_of_words_and_the_layout_stay(example, text, seed):
    assert layout(example(text, supply(seed))) == layout(text)


@pytest.mark.parametrize("example", [ShuffleSentences(), RepeatFirst("sentence")], ids=repr)
@given(seed=seeds, n=st.integers(1, 6))
@settings(deadline=None, max_examples=40)
def test_the_number_of_sentences_stays(example, seed, n):
    text = "  ".join(f"Sentence number {i}." for i in range(n))
    assert len(Pieces.of(example(text, supply(seed)), "sentence").items) == n


def test_blank():
    assert Blank()(TEXT) == re.sub(r"\S+", "...", TEXT)
    assert Blank(r"\1")("a b") == r"\1 \1"


def test_replace_text():
    assert ReplaceText("new")(TEXT) == "new"
    assert [ReplaceText(["a", "", "c"])(TEXT, TextGiven(unit=unit)) for unit in range(3)] == ["a", "", "c"]
    assert ReplaceText(["a", "b"]) == ReplaceText(("a", "b"))


def test_random_words_are_drawn_from_the_pool_by_frequency():
    given = TextGiven(rng=np.random.default_rng(1), pool=("red red cart", "bus"))
    n = 8000
    counts = Counter(RandomWords()("x " * n, given).split())
    for word, share in {"red": 0.5, "cart": 0.25, "bus": 0.25}.items():
        assert abs(counts[word] - n * share) < 5 * np.sqrt(n * share * (1 - share))
    assert counts.total() == n


@given(text=texts, seed=seeds)
@settings(deadline=None, max_examples=100)
def test_shuffles_keep_the_items_and_change_the_order(text, seed):
    for what, of in ((ShuffleWords(), "word"), (ShuffleSentences(), "sentence")):
        before, shuffled = Pieces.of(text, of), what(text, supply(seed))
        assert Counter(shuffled) == Counter(text)
        assert (shuffled != text) is (len(set(before.items)) > 1)
    assert Counter(ShuffleWords()(text, supply(seed)).split()) == Counter(text.split())


def test_shuffled_orders_are_equally_likely():
    """The five other orders of three words, 400 each of 2000."""
    counts = Counter(ShuffleWords()("a b c", supply(seed)) for seed in range(2000))
    assert set(counts) == {" ".join(order) for order in itertools.permutations("abc")} - {"a b c"}
    assert all(abs(count - 400) < 5 * np.sqrt(2000 * 0.2 * 0.8) for count in counts.values())


def test_shuffled_sentences_keep_what_is_between_them():
    text = "One here.  Two there!\n\nThree."
    found = {ShuffleSentences()(text, supply(seed)) for seed in range(100)}
    parts = ("One here.", "Two there!", "Three.")
    assert found == {"{}  {}\n\n{}".format(*order) for order in itertools.permutations(parts)} - {text}


def test_repeat_first():
    assert RepeatFirst()(" The red\ncart ") == " The The\nThe "
    assert RepeatFirst("sentence")("It is red. So what?\nYes.") == "It is red. It is red.\nIt is red."


@given(text=texts, keep=st.integers(0, 8), of=st.sampled_from(["word", "sentence"]))
@settings(deadline=None, max_examples=150)
def test_truncate(text, keep, of):
    items, result = Pieces.of(text, of).items, Truncate(keep, of)(text)
    assert text.startswith(result)
    assert Pieces.of(result, of).items == items[:keep]
    if keep >= len(items):
        assert result == text
    else:
        assert result == result.rstrip()


# ---------------------------------------------------------------------------------------- functions of one's own
def from_text(source: str, **module):
    scope = {"__name__": "somewhere", "rewriter": rewriter, **module}
    exec(source, scope)
    return scope["change"]


def test_own_functions():
    assert recolour(new="green")("a red cart") == "a green cart"
    assert without(words=["red", "a"])("a red cart") == "cart"
    assert any_thought()("x", supply()) in POOL
    assert any_thought().needs() == {"rng", "pool"}
    assert some_words().needs() == {"rng"}
    assert recolour().needs() == frozenset()


def test_repr_and_equality_of_own_functions():
    assert repr(recolour()) == "recolour(old='red', new='blue')"
    assert repr(recolour) == "<rewriter recolour(old='red', new='blue')>"
    assert repr(any_thought) == "<rewriter any_thought()>"
    assert recolour() == recolour(old="red") != recolour(old="a")
    assert without(words=["a"]) == without(words=("a",)) == without(words=np.array(["a"]))
    assert repr(without(words=["a", ["b"]])) == "without(words=('a', ('b',)))"


def test_what_own_functions_are_compared_by():
    text = "@rewriter\ndef change(text, by=1):\n    return text + {} * by\n"
    assert from_text(text.format("'a'"))() == from_text(text.format("'a'"))()
    assert from_text(text.format("'a'"))() != from_text(text.format("'b'"))()
    assert from_text(text.format("'a'"))() != from_text(text.format("'a'"), __name__="elsewhere")()
    assert from_text(text.format("word"), word="x")() == from_text(text.format("word"), word="x")()
    assert from_text(text.format("word"), word="x")() != from_text(text.format("word"), word="y")()


def test_a_module_of_the_enclosing_function_may_be_read():
    import textwrap as local

    @rewriter
    def wrapped(text):
        return local.fill(text, 5)

    assert wrapped()("aaaa bbbb") == "aaaa\nbbbb"


def recursive():
    @rewriter
    def again(text):
        return again(text)


def enclosed():
    word = "x"

    def inner(text):
        return text + word

    return inner


def lacks_text(*, rng):
    return ""


def takes_any(text, **options):
    return text


def rng_by_place(text, rng):
    return text


def by_place_only(text, limit, /):
    return text


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            recursive,
            "@rewriter: again reads 'again' from the function around it. "
            "Make it a parameter: def again(text, again=...).",
        ),
        (
            lambda: rewriter(enclosed()),
            "@rewriter: inner reads 'word' from the function around it. "
            "Make it a parameter: def inner(text, word=...).",
        ),
        (lambda: rewriter(lacks_text), "@rewriter: lacks_text takes no text. Write def lacks_text(text, ...)."),
        (lambda: rewriter(takes_any), "@rewriter: takes_any takes **options; name every parameter instead."),
        (
            lambda: rewriter(rng_by_place),
            "@rewriter: rng_by_place takes 'rng', which the run fills in, by place. "
            "Write it after a star: def rng_by_place(text, ..., *, rng).",
        ),
        (lambda: rewriter(by_place_only), "@rewriter: by_place_only takes 'limit' by place only; remove the `/`."),
        (lambda: rewriter(3), "@rewriter: a function with a name is needed, found 3. Use `def`."),
        (lambda: recolour(nwe="x"), "recolour has no parameter 'nwe'. Closest: 'new'."),
        (lambda: any_thought(x=1), "any_thought has no parameter 'x'. It has none."),
        (lambda: any_thought(rng=1), "any_thought: 'rng' is filled in by the run. Leave it out."),
        (lambda: without(), "without: parameter 'words' has no default and was not given."),
        (
            lambda: recolour("text"),
            "recolour: parameters are given by name, found 1 without. Write recolour(old=..., new=...); that rewrite "
            "is then called on a text: recolour(old=..., new=...)(text).",
        ),
        (
            lambda: without(words={"a": 1}),
            "without: words: dict cannot be compared by value. Give a number, text, tuple or list.",
        ),
        (lambda: recolour.at("here"), "recolour.at(...): recolour makes rewrites. Call it: recolour().at('here')."),
        (lambda: Blank("a b"), "Blank: filler = 'a b': one word without blanks is needed, such as '...'."),
        (lambda: Blank(""), "Blank: filler = '': one word without blanks is needed, such as '...'."),
        (lambda: Blank(3), "Blank: filler = 3: one word without blanks is needed, such as '...'."),
        (
            lambda: ReplaceText(()),
            "ReplaceText: text = (): a text, or a tuple with one text a unit, is needed.",
        ),
        (
            lambda: ReplaceText(("a", 3)),
            "ReplaceText: text = ('a', 3): a text, or a tuple with one text a unit, is needed.",
        ),
        (
            lambda: ReplaceText(("a", "b"))("x", TextGiven(unit=2)),
            "ReplaceText has texts for 2 units, and unit 2 is asked for.",
        ),
        (
            lambda: ReplaceText(("a", "b"))("x"),
            "ReplaceText has texts for 2 units, and no unit's number was given.",
        ),
        (lambda: Truncate(-1), "Truncate: keep = -1: a whole number of at least 0 is needed."),
        (lambda: Truncate(1, of="wrod"), "Truncate: of = 'wrod' is not known. Closest: 'word'."),
        (lambda: RepeatFirst("line"), "RepeatFirst: of = 'line' is not known. Choose from 'word', 'sentence'."),
        (
            lambda: RandomWords()("a", TextGiven(rng=np.random.default_rng(0), pool=("", " "))),
            "RandomWords(): the 2 thoughts that it draws from have no words.",
        ),
        (
            lambda: RewriteChain((Blank(), Blank)),
            "RewriteChain: a rewrite is needed, such as Blank(), found the class Blank, not called.",
        ),
        (
            lambda: RewriteChain(Blank()),
            "RewriteChain: at least two rewrites are needed, found 1. Write a >> b.",
        ),
    ],
)
def test_wrong_calls(call, message):
    with pytest.raises(DesignError) as caught:
        call()
    assert str(caught.value) == message


def test_a_function_that_returns_no_text():
    change = from_text("@rewriter\ndef change(text):\n    return 3\n")
    with pytest.raises(BackendError, match=r"change\(\) \(function change in somewhere\) returned int; a text"):
        change()("x")


def test_errors_of_the_function_pass_through():
    with pytest.raises(NameError, match="undefined"):
        from_text("@rewriter\ndef change(text):\n    return undefined\n")()("x")
