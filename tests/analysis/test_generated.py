"""Questions whose outcome is read off what the model writes after a patched prompt."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import mediation as med
from mediation.outcomes import Told
from tests.rollouts.test_generated import PAIRS, SPANS, Hooked, N, exchanged, number, text, where
from tests.rollouts.tiny import decoder

QUICK = {"rng": 0, "n_resamples": 99, "max_new_tokens": N}
SITE = med.residual(1, at="subject")
pytestmark = pytest.mark.filterwarnings(
    "ignore::mediation.errors.WeakTotalEffectWarning", "ignore::mediation.errors.DegenerateWarning"
)


class KilledError(Exception):
    """What ends a run in its middle."""


class Kill:
    """A bar that ends a run after some rows."""

    def __init__(self, after: int) -> None:
        self.left = after

    def start(self, total, what):
        pass

    def advance(self, n):
        self.left -= n
        if self.left < 0:
            raise KilledError

    def close(self):
        pass


def says(run: str, unit: int, *, patched: bool) -> list[int]:
    hooked = Hooked(decoder("llama"))
    return exchanged(hooked, (SITE,), run, unit) if patched else hooked.says(PAIRS.inputs(run)[unit])


def answered() -> med.Pairs:
    """The word after which the source's text goes on is the answer of every other unit."""
    answer = [f"w{says('source', unit, patched=False)[unit % 2]}" for unit in range(len(PAIRS))]
    return med.Pairs(base=PAIRS.base, source=PAIRS.source, spans=SPANS, frame=pd.DataFrame({"answer": answer}))


def starts_with(told: Told, unit: pd.Series) -> bool:
    return told.answer.split()[0] == unit["answer"]


def test_natural_effects_are_those_of_generate_with_hooks():
    effects = med.mediate(decoder("llama"), PAIRS, SITE, text, **QUICK)
    worlds = {"y00": ("base", False), "y01": ("base", True), "y10": ("source", True), "y11": ("source", False)}
    for name, (run, patched) in worlds.items():
        expected = [number(says(run, unit, patched=patched)) for unit in range(len(PAIRS))]
        assert effects.units[name].tolist() == expected
    assert effects.provenance["rollout"]["max_new_tokens"] == N
    assert effects.provenance["checks"]["sample"]["cells"] == 3
    assert effects.provenance["checks"]["consistency"]["cells"] == 4


def test_an_ablation_is_of_the_prompt_alone():
    model, site = decoder("llama"), med.mlp(1, at="subject")
    arms = {"zero": med.Zero().at(site), "ones": med.Constant(1.0).at(site)}
    effects = med.ablate(model, PAIRS, arms, text, **QUICK)
    for arm, value in (("zero", 0.0), ("ones", 1.0)):
        mine = effects.units[effects.units["arm"] == arm]
        for unit in range(len(PAIRS)):
            prompt = PAIRS.source[unit]
            said = Hooked(model).says(prompt, [(site, where(site, "source", unit), value)])
            assert mine["ym"].tolist()[unit] == number(said)
            assert mine["y"].tolist()[unit] == number(says("source", unit, patched=False))


def test_right_answers_and_how_many_generations_have_none():
    model, pairs = decoder("llama"), answered()
    said = {
        f"w{says(run, unit, patched=patched)[0]}"
        for run in ("base", "source")
        for unit in range(5)
        for patched in (True, False)
    }
    options = sorted(said | set(pairs.table["answer"]))
    answer = med.AnswerCorrect("answer", options=options)
    effects = med.mediate(model, pairs, SITE, answer, **{**QUICK, "max_new_tokens": 1})
    first = med.mediate(model, pairs, SITE, med.outcomes.judge(starts_with), **{**QUICK, "max_new_tokens": 1})
    names = ["y00", "y01", "y10", "y11"]
    assert (effects.units[names] == first.units[names]).all(axis=None)
    assert 0 < effects.units["y11"].mean() < 1
    assert effects.provenance["rollout"]["unparsed"] == dict.fromkeys(names, 0.0)
    silent = med.ablate(model, pairs, med.Zero().at(SITE), med.AnswerCorrect("answer"), **QUICK)
    assert silent.provenance["rollout"]["unparsed"] == {"y": 1.0, "Zero()": 1.0}
    assert "Generations without an answer that the rules find: y 100.0%, Zero() 100.0%." in str(silent.summary())


def test_flips_are_from_the_plain_run_of_the_input_that_is_ablated():
    model, options = decoder("llama"), dict.fromkeys(f"w{says('source', unit, patched=False)[0]}" for unit in range(5))
    flipped = med.outcomes.AnswerFlipped(options=tuple(options))
    effects = med.ablate(model, PAIRS, med.Zero().at(med.residual(1)), flipped, **{**QUICK, "max_new_tokens": 1})
    assert effects.units["y"].tolist() == [0.0] * len(PAIRS)
    said = med.ablate(model, PAIRS, med.Zero().at(med.residual(1)), text, **{**QUICK, "max_new_tokens": 1}).units
    assert effects.units["ym"].tolist() == (said["y"] != said["ym"]).astype(float).tolist()
    assert effects.units["ym"].sum() > 0


@pytest.mark.parametrize("sampling", [None, med.Sampling(2.0)])
@pytest.mark.parametrize("backend", ["nnsight", "reference"])
def test_a_killed_run_goes_on_with_the_same_bits(tmp_path, sampling, backend):
    model = decoder("llama")
    how = {**QUICK, "n_draws": 2, "sampling": sampling, "backend": backend, "batch_size": 4}
    asked = (model, PAIRS, med.residual(at="subject"), med.AnswerCorrect("w5", options=tuple(["w5", "w6", "w7"])))
    whole = med.mediate(*asked, **how)
    with pytest.raises(KilledError):
        med.mediate(*asked, **how, out=tmp_path, progress=Kill(12))
    again = med.mediate(*asked, **how, out=tmp_path)
    assert again.provenance["plan"]["store"]["pieces_read"] > 0
    pd.testing.assert_frame_equal(again.units, whole.units)
    assert again.provenance["rollout"] == whole.provenance["rollout"]
    stored = med.mediate(*asked, **how, out=tmp_path)
    assert stored.provenance["plan"]["store"]["pieces_run"] == 0
    assert stored.provenance["rollout"] == whole.provenance["rollout"]
    with pytest.raises(med.errors.DesignError, match=r"outcome\.generation"):
        med.mediate(*asked, **{**how, "max_new_tokens": N + 1}, out=tmp_path)


def test_samples_are_drawn_as_often_as_is_asked_and_averaged_within_a_unit():
    how = {**QUICK, "sampling": med.Sampling(2.0), "n_draws": 3}
    effects = med.mediate(decoder("llama"), PAIRS, SITE, text, **how)
    units = effects.units
    assert len(units) == 3 * len(PAIRS)
    assert (units.groupby("unit")["y00"].nunique() == 3).all()
    assert (units.groupby("unit")["y01"].nunique() == 3).all()
    pd.testing.assert_frame_equal(units, med.mediate(decoder("llama"), PAIRS, SITE, text, **how).units)
    assert (units["y00"] != med.mediate(decoder("llama"), PAIRS, SITE, text, **{**how, "rng": 1}).units["y00"]).any()


def test_the_answer_comes_after_a_thought_in_words():
    model = decoder("llama")
    ids = med.rollout(model, PAIRS.base, max_new_tokens=N).ids
    unit, said = next((unit, [f"w{one}" for one in row]) for unit, row in enumerate(ids) if len(set(row[:5])) == 5)
    spec = med.TextSpec(said[1], said[4])
    after = med.outcomes.judge(lambda told: float(told.answer.split() == said[5:]))
    pairs = med.Pairs(base=[PAIRS.base[unit]] * 2, source=[PAIRS.source[unit]] * 2)
    site = med.residual(0, at="last")
    found = med.mediate(model, pairs, site, after, **QUICK, spec=spec, estimands=["te"])
    assert found.units["y00"].tolist() == [1.0, 1.0]
    steps = med.mediate(model, pairs, site, med.outcomes.ThoughtLength(), **QUICK, spec=spec, estimands=["te"])
    assert steps.units["y00"].tolist() == [2.0, 2.0]


def test_donors_of_patched_worlds_and_random_donors():
    model = decoder("llama")
    inner = med.World("base", med.Interchange().at(med.mlp(0, at="last")))
    arm = med.Interchange(world=inner).at(med.residual(1, at="last"))
    found = med.ablate(model, PAIRS, arm, text, run="base", **QUICK)
    expected = med.ablate(model, PAIRS, arm, text, run="base", **QUICK, backend="reference")
    pd.testing.assert_frame_equal(found.units, expected.units)
    assert (found.units["y"] != found.units["ym"]).any()
    swapped = med.mediate(model, PAIRS, SITE, text, donor=med.Swap(), n_draws=2, **QUICK)
    assert {"g00", "g10", "g11", "donor"} <= set(swapped.units)


def test_a_model_in_double_precision_and_without_a_tokenizer():
    module = decoder("llama").module
    copy = type(module)(module.config)
    copy.load_state_dict(module.state_dict())
    bare = med.load(copy.eval(), dtype=torch.float64)
    told = med.outcomes.judge(lambda told: float(np.sum([int(one) for one in told.text.split()])))
    found = med.mediate(bare, PAIRS, SITE, told, **QUICK)
    expected = [sum(says("base", unit, patched=True)) for unit in range(len(PAIRS))]
    assert found.units["y01"].tolist() == expected


def test_several_outcomes_are_read_off_one_generation():
    model = decoder("llama")
    length = med.outcomes.judge(lambda told: told.tokens)
    cued = med.outcomes.Cued(med.LogitDiff("w4", "w9"), "w7 w8")
    several = {"text": text, "tokens": length, "cued": cued, "logits": med.LogitDiff("w4", "w9")}
    found = med.mediate(model, PAIRS, SITE, several, **QUICK)
    names = ["y00", "y01", "y10", "y11"]
    for name, one in several.items():
        how = {**QUICK} if name != "logits" else {"rng": 0, "n_resamples": 99}
        alone = med.mediate(model, PAIRS, SITE, one, **how).units[names].to_numpy()
        mine = found.units[found.units["outcome"] == name][names].to_numpy()
        np.testing.assert_array_equal(mine, alone)
    assert found.provenance["rollout"]["max_new_tokens"] == N
