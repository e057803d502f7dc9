"""Natural effects through latent thoughts, and what changing them does, against whole sequences without a cache."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import mediation as med
from mediation.engine.study._draws import noise
from tests.rollouts.replay import (
    BASE,
    OUTCOME,
    SOURCE,
    SPEC,
    STEPS,
    answer,
    exact,
    said,
    thought,
)

ARMS = ["in-loop", "after-the-fact"]
pytestmark = pytest.mark.filterwarnings(
    "ignore::mediation.errors.WeakTotalEffectWarning", "ignore::mediation.errors.DegenerateWarning"
)


def _units(result: med.Effects, name: str) -> np.ndarray:
    return result.units.sort_values(["unit", "draw"])[name].to_numpy()


def _mediate(site, **more):
    pairs = med.Pairs(base=BASE, source=SOURCE)
    return med.mediate(exact(), pairs, site, OUTCOME, spec=SPEC, rng=0, n_resamples=99, max_new_tokens=8, **more)


def _ablate(what, site, **more):
    pairs = med.Pairs(base=BASE)
    return med.ablate(exact(), pairs, what.at(site), OUTCOME, spec=SPEC, rng=0, n_resamples=99, **more)


@pytest.mark.parametrize("when", ARMS)
def test_four_worlds_of_a_thought(when):
    model = exact()
    found = _mediate(med.latents(when=when))
    own = {run: [thought(model, prompt) for prompt in prompts] for run, prompts in (("0", BASE), ("1", SOURCE))}
    prompts = {"0": BASE, "1": SOURCE}
    for x in "01":
        for m in "01":
            expected = [answer(model, prompts[x][unit], own[m][unit]) for unit in range(len(BASE))]
            np.testing.assert_allclose(_units(found, f"y{x}{m}"), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("when", ARMS)
def test_a_thought_of_full_length_that_nothing_closes_is_put_in_without_an_end_token(when):
    """With `force_end=False` the model goes on after its last latent by itself; so does a replay."""
    model, spec = exact(), replace(SPEC, stop="end_token", force_end=False)
    pairs = med.Pairs(base=BASE, source=SOURCE)
    site = med.latents(when=when)
    found = med.mediate(model, pairs, site, OUTCOME, spec=spec, rng=0, n_resamples=99, max_new_tokens=8)
    expected = [
        answer(model, base, thought(model, source), closed=False) for base, source in zip(BASE, SOURCE, strict=True)
    ]
    np.testing.assert_allclose(_units(found, "y01"), expected, rtol=0, atol=1e-9)


def test_one_step_in_the_loop_and_after_the_fact_are_told_apart():
    model, step = exact(), 1
    loop, fact = (_mediate(med.latents(step=step, when=when)) for when in ARMS)
    for unit, (x0, x1) in enumerate(zip(BASE, SOURCE, strict=True)):
        other, own = thought(model, x1), thought(model, x0)
        recomputed = thought(model, x0, change=lambda k, z, put=other: put[k] if k == step else z)
        assert not torch.allclose(recomputed[2], own[2]), "the later latent should notice"
        fixed = own.clone()
        fixed[step] = other[step]
        assert _units(loop, "y01")[unit] == pytest.approx(answer(model, x0, recomputed), abs=1e-9)
        assert _units(fact, "y01")[unit] == pytest.approx(answer(model, x0, fixed), abs=1e-9)
    assert loop.tidy()["site"].iloc[0] == "latents@1 (in loop)"
    assert fact.tidy()["site"].iloc[0] == "latents@1 (after the fact)"


def test_a_sweep_over_steps_is_one_row_a_step():
    sweep = _mediate(med.latents(step="each"))
    table = sweep.tidy()
    assert list(dict.fromkeys(table["position"])) == ["0", "1", "2"]
    single = _mediate(med.latents(step=2))
    last = sweep.units[sweep.units["site"] == "latents@2 (in loop)"]
    np.testing.assert_allclose(last["y01"], _units(single, "y01"), rtol=0, atol=1e-12)


@pytest.mark.parametrize("when", ARMS)
def test_its_own_thought_changes_nothing(when):
    model = exact()
    for spec in (SPEC, med.LatentSpec("w5", "w6", steps=3, force_end=False)):
        plain = med.rollout(model, BASE, spec, max_new_tokens=10)
        same = med.rollout(
            model, BASE, spec, max_new_tokens=10, assignment=med.Interchange("same").at(med.latents(when=when))
        )
        assert same.ids == plain.ids
        for mine, theirs in zip(same.latents, plain.latents, strict=True):
            assert torch.equal(mine, theirs)


def _by_hand(name: str, model: med.Model, unit: int, when: str) -> torch.Tensor:
    """The thought of one unit under an arm, spelled out."""
    prompt, own = BASE[unit], thought(model, BASE[unit])
    every = torch.stack([thought(model, one) for one in BASE])
    eps = noise((STEPS, own.shape[1]), seed=0, unit=unit, draw=0, stream=0).double()
    std = every.reshape(-1, own.shape[1]).var(dim=0, unbiased=False).mean().sqrt()
    added = thought(model, prompt, change=lambda k, z: z + 0.5 * std * eps[k])
    order = eps[:, 0].argsort()
    return {
        "zero": torch.zeros_like(own),
        "constant": torch.full_like(own, 0.3),
        "mean": every.mean(0),
        "mean over steps": every.reshape(-1, own.shape[1]).mean(0).expand_as(own),
        "noise instead": 0.5 * eps,
        "noise added": added if when == "in-loop" else own + 0.5 * std * eps,
        "other unit": every[(unit + 1) % len(BASE)],
        "first repeated": own[:1].expand_as(own),
        "shortened": own[:2],
        "skipped": own[:0],
        "shuffled": own[order.roll(1) if order.tolist() == [0, 1, 2] else order],
        "oracle": torch.linspace(-1, 1, 2 * own.shape[1], dtype=own.dtype).reshape(2, -1) + unit,
    }[name]


def _arms() -> dict[str, med.Zero]:
    n, width = len(BASE), 16
    oracle = torch.linspace(-1, 1, 2 * width, dtype=torch.float64).reshape(1, 2, width)
    return {
        "zero": med.Zero(),
        "constant": med.Constant(0.3),
        "mean": med.Mean(),
        "mean over steps": med.Mean(over="tokens"),
        "noise instead": med.GaussianNoise(0.5, replace=True),
        "noise added": med.GaussianNoise(0.5, relative=True),
        "other unit": med.Swap("index", index=tuple((unit + 1) % n for unit in range(n))),
        "first repeated": med.interventions.FirstRepeat(),
        "shortened": med.interventions.Shorten(2),
        "skipped": med.interventions.Skip(),
        "shuffled": med.interventions.ShuffleSteps(),
        "oracle": med.interventions.Oracle(oracle + torch.arange(n, dtype=torch.float64)[:, None, None]),
    }


@pytest.mark.parametrize("when", ARMS)
@pytest.mark.parametrize("name", list(_arms()))
def test_arms_by_hand(name, when):
    if name == "shuffled" and when == "in-loop":
        with pytest.raises(med.errors.DesignError, match="cannot be shuffled"):
            _ablate(_arms()[name], med.latents())
        return
    model = exact()
    found = _ablate(_arms()[name], med.latents(when=when))
    for unit, prompt in enumerate(BASE):
        expected = answer(model, prompt, _by_hand(name, model, unit, when))
        assert _units(found, "ym")[unit] == pytest.approx(expected, abs=1e-8), unit
        assert _units(found, "y")[unit] == pytest.approx(answer(model, prompt, thought(model, prompt)), abs=1e-9)


def test_a_custom_intervention_and_chains():
    model = exact()
    found = _ablate(med.Scale(-2.0) >> med.Add(0.1), med.latents(step=[0, 2]))
    for unit, prompt in enumerate(BASE):
        changed = thought(model, prompt, change=lambda k, z: -2 * z + 0.1 if k in (0, 2) else z)
        assert _units(found, "ym")[unit] == pytest.approx(answer(model, prompt, changed), abs=1e-9)


def test_random_donors_are_the_interventional_effects():
    model = exact()
    found = _mediate(med.latents(), donor=med.Swap(), n_draws=2)
    assert list(found.tidy()["estimand"]) == ["ide", "iie", "oe"]
    prompts, own = (BASE, SOURCE), [[thought(model, p) for p in some] for some in (BASE, SOURCE)]
    for row in found.units.to_dict("records"):
        for x, m in ((0, 0), (1, 0), (1, 1)):
            expected = answer(model, prompts[x][row["unit"]], own[m][row["donor"]])
            assert row[f"g{x}{m}"] == pytest.approx(expected, abs=1e-9)
        assert row["donor"] != row["unit"]


def test_answers_of_several_tokens_after_a_cue():
    model = exact()
    outcome = med.outcomes.Cued(med.LogProb("w10 w11"), "w20 w21")
    pairs = med.Pairs(base=BASE, source=SOURCE)
    found = med.mediate(model, pairs, med.latents(), outcome, spec=SPEC, rng=0, n_resamples=99)
    for unit, prompt in enumerate(BASE):
        embeds = torch.cat([_embed(model, prompt), thought(model, SOURCE[unit]), _embed(model, [6, 20, 21, 10])])
        with torch.no_grad():
            logits = model.module(inputs_embeds=embeds[None]).logits[0, -2:].log_softmax(-1)
        assert _units(found, "y01")[unit] == pytest.approx(float(logits[0, 10] + logits[1, 11]), abs=1e-6)


def _embed(model, tokens):
    return model.module.get_input_embeddings()(torch.tensor(tokens))


def test_the_plain_base_is_what_kl_compares_with():
    pairs = med.Pairs(base=BASE, source=SOURCE)
    found = med.mediate(exact(), pairs, med.latents(), med.KL(), spec=SPEC, rng=0, n_resamples=99)
    np.testing.assert_allclose(_units(found, "y00"), 0, atol=1e-12)
    assert (_units(found, "y01") > 0).all()


def test_generations_go_on_from_the_other_thought():
    model = exact()

    @med.outcomes.judge
    def first(told):
        return float(told.answer.split()[0].removeprefix("w"))

    pairs = med.Pairs(base=BASE, source=SOURCE)
    found = med.mediate(model, pairs, med.latents(), first, spec=SPEC, rng=0, n_resamples=99, max_new_tokens=7)
    for unit, prompt in enumerate(BASE):
        expected = said(model, prompt, thought(model, SOURCE[unit]), 1)[0]
        assert _units(found, "y01")[unit] == expected


def test_generations_are_checked_too():
    pairs = med.Pairs(base=BASE, source=SOURCE)
    found = med.mediate(
        exact(), pairs, med.latents(), med.outcomes.ThoughtLength(), spec=SPEC, rng=0, n_resamples=99, max_new_tokens=9
    )
    checks = found.provenance["checks"]
    assert (checks["consistency"]["cells"], checks["sample"]["cells"]) == (6, 3)


def test_a_backend_that_does_not_put_thoughts_back_reports_nothing(monkeypatch):
    from mediation.rollouts import _edits

    def wrong(self, segment, step, own):
        return own + 0.01

    monkeypatch.setattr(_edits.LatentPlan, "latent", wrong)
    with pytest.raises(med.errors.BackendError, match="Its own thought in its own place changed the outcome of unit 0"):
        _mediate(med.latents())


def test_the_batch_and_the_backend_do_not_matter():
    whole = _mediate(med.latents()).units
    for more in ({"batch_size": 1}, {"batch_size": 3}, {"backend": "hooks"}):
        other = _mediate(med.latents(), **more).units
        pd.testing.assert_frame_equal(whole, other, rtol=0, atol=1e-10)


def test_units_whose_thought_never_opens_are_left_out_and_named():
    base = [*BASE, [3, 14, 15]]
    source = [*SOURCE, [3, 1, 15]]
    pairs = med.Pairs(base=base, source=source)
    with pytest.warns(med.errors.FlaggedUnitsWarning, match=r"1 of 5 units are left out.*never opened: 1 \(unit 4\)"):
        found = med.mediate(exact(), pairs, med.latents(), OUTCOME, spec=SPEC, rng=0, n_resamples=99, max_new_tokens=8)
    assert sorted(set(found.units["unit"])) == [0, 1, 2, 3]
    assert found.provenance["rollout"]["units_left_out"] == {"4": "never opened"}
    pd.testing.assert_frame_equal(
        found.units.reset_index(drop=True), _mediate(med.latents()).units.reset_index(drop=True), rtol=0, atol=1e-9
    )


def test_a_step_that_a_thought_does_not_reach_is_no_plain_run():
    """The second unit's thought comes near the vector after one latent, so that it has no step 1 to be changed."""
    model = exact()
    model.module.register_buffer("goal", thought(model, BASE[1])[0].clone(), persistent=False)
    try:
        spec = replace(SPEC, stop=med.specs.Near("goal", 1e-9))
        pairs = med.Pairs(base=BASE)
        for when in ARMS:
            with pytest.warns(med.errors.FlaggedUnitsWarning, match=r"no such step: 1 \(unit 1\)"):
                found = med.ablate(
                    model,
                    pairs,
                    med.Zero().at(med.latents(step=1, when=when)),
                    OUTCOME,
                    spec=spec,
                    rng=0,
                    n_resamples=99,
                )
            assert sorted(set(found.units["unit"])) == [0, 2, 3]
    finally:
        del model.module.goal


def test_a_thought_that_there_is_not_is_no_plain_run():
    pairs = med.Pairs(base=BASE)
    with pytest.raises(med.errors.DataError, match=r"No unit has a thought that can be compared \(no thought 3\)"):
        med.ablate(
            exact(),
            pairs,
            med.Zero().at(med.latents(segment=3)),
            med.outcomes.ThoughtLength(),
            spec=SPEC,
            rng=0,
            max_new_tokens=7,
        )


def test_a_wrong_question_is_refused_before_the_model_runs(monkeypatch):
    from mediation.rollouts import _roller

    monkeypatch.setattr(_roller, "decode", lambda *_: pytest.fail("the model ran"))
    for changes in (
        {"ablation": med.interventions.Oracle([[[0.0] * 16]])},
        {"ablation": med.interventions.ShuffleSteps()},
        {"estimands": "cde"},
    ):
        with pytest.raises(med.errors.DesignError):
            _mediate(med.latents(), **changes)


def test_no_thought_at_all_is_an_error_that_says_what_was_said():
    pairs = med.Pairs(base=[[3, 14, 15], [9, 2]], source=[[3, 1, 15], [9, 4]])
    with pytest.raises(med.errors.DataError, match=r"No unit has a thought.*'w5'"):
        med.mediate(exact(), pairs, med.latents(), OUTCOME, spec=SPEC, rng=0, max_new_tokens=4)


def test_a_thought_that_is_cut_off_is_left_out():
    pairs = med.Pairs(base=BASE, source=SOURCE)
    with pytest.raises(med.errors.DataError, match="never closed"):
        med.mediate(exact(), pairs, med.latents(), OUTCOME, spec=SPEC, rng=0, max_new_tokens=2)


def test_results_keep_what_was_run(tmp_path):
    found = _mediate(med.latents())
    again = med.read(found.save(tmp_path / "result"))
    kept = again.provenance["rollout"]
    assert kept["spec"] == repr(SPEC)
    assert kept["units_asked"] == 4
    assert kept["sampling"] == "greedy"
    assert again.provenance["checks"]["consistency"]["cells"] == 6
    assert again.provenance["checks"]["sample"]["cells"] == 3
    assert again.provenance["checks"]["consistency"]["max_abs_difference"] < 1e-10
