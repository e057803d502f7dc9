"""Natural effects through written thoughts, and rewrites of them, against whole sequences without a cache."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import mediation as med
from tests.rollouts.writer import BASE, CLOSES, END, LIMIT, SOURCE, SPEC, body, logit_diff, writer, written

ANSWER, FOIL = 10, 11
OUTCOME = med.LogitDiff(ANSWER, FOIL)
pytestmark = pytest.mark.filterwarnings(
    "ignore::mediation.errors.WeakTotalEffectWarning", "ignore::mediation.errors.DegenerateWarning"
)


def _units(result: med.Effects, name: str) -> np.ndarray:
    return result.units.sort_values(["unit", "draw"])[name].to_numpy()


def _ablate(arm, **more):
    return med.ablate(
        writer(), med.Pairs(base=BASE), arm.at(med.imagination()), OUTCOME, rng=0, n_resamples=99, max_new_tokens=LIMIT,
        **more,
    )  # fmt: skip


def test_the_thoughts_are_what_they_were_steered_to_be():
    model = writer()
    assert [len(body(model, prompt)) - 1 for prompt in (*BASE, *SOURCE)] == CLOSES
    found = med.rollout(model, BASE, max_new_tokens=LIMIT)
    assert [list(ids) for ids in found.ids] == [written(model, prompt) for prompt in BASE]
    assert [spans[0] for spans in found.segments] == [(0, count) for count in CLOSES[: len(BASE)]]


def test_four_worlds_of_a_written_thought():
    model, prompts = writer(), (BASE, SOURCE)
    found = med.mediate(
        model,
        med.Pairs(base=BASE, source=SOURCE),
        med.imagination(),
        OUTCOME,
        rng=0,
        n_resamples=99,
        max_new_tokens=LIMIT,
    )
    for x in (0, 1):
        for m in (0, 1):
            expected = [
                logit_diff(model, [*prompts[x][unit], *body(model, prompts[m][unit])], ANSWER, FOIL)
                for unit in range(len(BASE))
            ]
            np.testing.assert_allclose(_units(found, f"y{x}{m}"), expected, rtol=0, atol=1e-9)
    assert found.tidy()["site"].iloc[0] == "imagination"


def test_generations_go_on_from_the_other_thought():
    model = writer()

    @med.outcomes.judge
    def first(told):
        return float(told.answer.split()[0].removeprefix("w"))

    found = med.mediate(
        model,
        med.Pairs(base=BASE, source=SOURCE),
        med.imagination(),
        first,
        rng=0,
        n_resamples=99,
        max_new_tokens=LIMIT,
    )
    for unit, prompt in enumerate(BASE):
        expected = written(model, [*prompt, *body(model, SOURCE[unit])], 1)[0]
        assert _units(found, "y01")[unit] == expected


def test_its_own_thought_changes_nothing():
    model = writer()
    plain = med.rollout(model, BASE, max_new_tokens=LIMIT)
    same = med.rollout(model, BASE, max_new_tokens=LIMIT, assignment=med.Interchange("same").at(med.imagination()))
    assert same.ids == plain.ids


def test_another_units_thought_and_none_at_all():
    model, n = writer(), len(BASE)
    swapped = _ablate(med.Swap("index", index=tuple((unit + 1) % n for unit in range(n))))
    skipped = _ablate(med.interventions.Skip())
    for unit, prompt in enumerate(BASE):
        other = body(model, BASE[(unit + 1) % n])
        assert _units(swapped, "ym")[unit] == pytest.approx(
            logit_diff(model, [*prompt, *other], ANSWER, FOIL), abs=1e-9
        )
        assert _units(skipped, "ym")[unit] == pytest.approx(logit_diff(model, [*prompt, END], ANSWER, FOIL), abs=1e-9)


def _rewritten(change, *, n_draws=1, **more):
    """What an arm gives, and what the thought of each unit was, as words without the end marker."""
    model = writer()
    own = [[f"w{i}" for i in body(model, prompt)[:-1]] for prompt in BASE]
    return _ablate(change, n_draws=n_draws, **more), own


def _after(unit: int, words: list[str]) -> float:
    return logit_diff(writer(), [*BASE[unit], *(int(word[1:]) for word in words), END], ANSWER, FOIL)


REWRITES = {
    "blank": (med.rewrites.Blank("w1"), lambda own, unit: ["w1"] * len(own)),
    "replace": (med.rewrites.ReplaceText("w7 w8"), lambda own, unit: ["w7", "w8"]),
    "replace each": (
        med.rewrites.ReplaceText(("w1", "w2 w2", "w3", "w4")),
        lambda own, unit: [["w1"], ["w2"] * 2, ["w3"], ["w4"]][unit],
    ),
    "repeat first": (med.rewrites.RepeatFirst(), lambda own, unit: own[:1] * len(own)),
    "truncate": (med.rewrites.Truncate(2), lambda own, unit: own[:2]),
    "chain": (med.rewrites.Truncate(3) >> med.rewrites.RepeatFirst(), lambda own, unit: own[:1] * min(3, len(own))),
}


@pytest.mark.parametrize("name", REWRITES)
def test_rewrites_by_hand(name):
    what, by_hand = REWRITES[name]
    found, own = _rewritten(what)
    for unit, words in enumerate(own):
        assert _units(found, "ym")[unit] == pytest.approx(_after(unit, by_hand(words, unit)), abs=1e-9)
    assert found.tidy()["arm"].iloc[0] == repr(what)


def test_shuffled_words_are_another_order_of_the_same():
    found, own = _rewritten(med.rewrites.ShuffleWords(), n_draws=2)
    assert found.tidy()["n_draws"].iloc[0] == 2
    for unit, words in enumerate(own):
        orders = {_after(unit, list(order)) for order in itertools.permutations(words) if list(order) != words}
        for value in found.units.query("unit == @unit")["ym"]:
            assert not orders or min(abs(value - one) for one in orders) < 1e-9


def test_random_words_are_those_of_the_thoughts():
    found, own = _rewritten(med.rewrites.RandomWords(), n_draws=2)
    pool = sorted({word for words in own for word in words})
    short = min(range(len(own)), key=lambda unit: len(own[unit]))
    possible = [_after(short, list(some)) for some in itertools.product(pool, repeat=len(own[short]))]
    for value in found.units.query("unit == @short")["ym"]:
        assert min(abs(value - one) for one in possible) < 1e-9
    again, _ = _rewritten(med.rewrites.RandomWords(), n_draws=2)
    np.testing.assert_array_equal(found.units["ym"], again.units["ym"])


def test_a_rewriter_of_your_own_and_no_change_at_all():
    @med.rewrites.rewriter
    def reverse(text):
        return " ".join(reversed(text.split()))

    found, own = _rewritten(reverse())
    for unit, words in enumerate(own):
        assert _units(found, "ym")[unit] == pytest.approx(_after(unit, words[::-1]), abs=1e-9)
    twice, _ = _rewritten(reverse() >> reverse())
    np.testing.assert_array_equal(_units(twice, "y"), _units(twice, "ym"))


def test_a_rewrite_is_an_ablation_of_the_mediator():
    found = med.mediate(
        writer(), med.Pairs(base=BASE, source=SOURCE), med.imagination(), OUTCOME, ablation=med.rewrites.Blank("w1"),
        rng=0, n_resamples=99, max_new_tokens=LIMIT,
    )  # fmt: skip
    assert {"cde", "int_ref", "pe"} <= set(found.tidy()["estimand"])
    for unit, prompt in enumerate(SOURCE):
        blank = [1] * (len(body(writer(), prompt)) - 1)
        expected = logit_diff(writer(), [*prompt, *blank, END], ANSWER, FOIL)
        assert _units(found, "y1m")[unit] == pytest.approx(expected, abs=1e-9)


def test_texts_for_other_units_are_refused_before_anything_runs():
    for what in (
        med.rewrites.ReplaceText(("w1", "w2")),
        med.rewrites.ReplaceText(("w1", "w2")) >> med.rewrites.Truncate(1),
    ):
        with pytest.raises(med.errors.DesignError, match="ReplaceText has texts for 2 units, and there are 4"):
            _ablate(what)


def test_words_that_the_model_does_not_know_are_refused():
    with pytest.raises(med.errors.DesignError, match=r"holds token 60, and the model has embeddings for 60 tokens"):
        _ablate(med.rewrites.Blank())


def test_matched_arms_have_the_same_names_for_both_kinds():
    arms = med.matched(med.imagination(), n=len(BASE), filler="w1")
    written_arms = med.ablate(
        writer(), med.Pairs(base=BASE), arms, OUTCOME, rng=0, n_resamples=99, max_new_tokens=LIMIT, n_draws=2
    )
    assert list(written_arms.tidy()["arm"]) == list(arms) == list(med.matched(med.latents(), n=len(BASE)))


def test_the_length_of_a_thought():
    found = med.ablate(
        writer(), med.Pairs(base=BASE), med.interventions.Skip().at(med.imagination()), med.outcomes.ThoughtLength(),
        rng=0, n_resamples=99, max_new_tokens=LIMIT,
    )  # fmt: skip
    assert _units(found, "y").tolist() == CLOSES[: len(BASE)]
    assert _units(found, "ym").tolist() == [0] * len(BASE)


def test_a_latent_site_needs_a_latent_spec():
    for site, spec, says in (
        (med.latents(), SPEC, "is for written thoughts"),
        (med.imagination(), med.LatentSpec("w55", "w56", steps=2), "is for latent thoughts"),
    ):
        with pytest.raises(med.errors.DesignError, match=says):
            med.mediate(writer(), med.Pairs(base=BASE, source=SOURCE), site, OUTCOME, spec=spec)
    with pytest.raises(med.errors.DesignError, match="changes vectors, and a written thought is text"):
        _ablate(med.Zero())
