"""Natural effects through written thoughts, and rewrites of them, against whole sequences without a cache."""

from __future__ import annotations

import numpy as np
import pytest

import mediation as med
from tests.rollouts.writer import BASE, CLOSES, END, LIMIT, SOURCE, SPEC, body, logit_diff, writer, written

ANSWER, FOIL = 10, 11
OUTCOME = med.LogitDiff(ANSWER, FOIL)
pytestmark = pytest.mark.filterwarnings(
    "ignore::mediation.WeakTotalEffectWarning", "ignore::mediation.DegenerateWarning"
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

    @med.judge
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
    skipped = _ablate(med.Skip())
    for unit, prompt in enumerate(BASE):
        other = body(model, BASE[(unit + 1) % n])
        assert _units(swapped, "ym")[unit] == pytest.approx(
            logit_diff(model, [*prompt, *other], ANSWER, FOIL), abs=1e-9
        )
        assert _units(skipped, "ym")[unit] == pytest.approx(logit_diff(model, [*prompt, END], ANSWER, FOIL), abs=1e-9)


def test_the_length_of_a_thought():
    found = med.ablate(
        writer(), med.Pairs(base=BASE), med.Skip().at(med.imagination()), med.ThoughtLength(), rng=0, n_resamples=99,
        max_new_tokens=LIMIT,
    )  # fmt: skip
    assert _units(found, "y").tolist() == CLOSES[: len(BASE)]
    assert _units(found, "ym").tolist() == [0] * len(BASE)


def test_a_latent_site_needs_a_latent_spec():
    for site, spec, says in (
        (med.latents(), SPEC, "is for written thoughts"),
        (med.imagination(), med.LatentSpec("w55", "w56", steps=2), "is for latent thoughts"),
    ):
        with pytest.raises(med.DesignError, match=says):
            med.mediate(writer(), med.Pairs(base=BASE, source=SOURCE), site, OUTCOME, spec=spec)
    with pytest.raises(med.DesignError, match="changes vectors, and a written thought is text"):
        _ablate(med.Zero())
