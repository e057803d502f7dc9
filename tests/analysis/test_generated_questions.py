"""What the model writes after a patched prompt, in every question: controls, interactions, specifications, sweeps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import mediation as med
from mediation.outcomes import Told
from tests.analysis.test_generated import QUICK, Kill, KilledError, answered, starts_with
from tests.rollouts.test_generated import PAIRS, Hooked, N, exchanged, number, text, where
from tests.rollouts.tiny import decoder

SITE, BELOW = med.residual(1, at="last"), med.mlp(0, at="last")
LOGIT = med.LogitDiff("w4", "w9")
BOTH = {"logit": LOGIT, "said": text}
WORLDS = ["y00", "y01", "y10", "y11"]
SHORT = {"rng": 0, "n_resamples": 99}
pytestmark = pytest.mark.filterwarnings("ignore::mediation.MediationWarning")


@pytest.fixture(scope="module")
def model() -> med.Model:
    return decoder("llama")


def of(units: pd.DataFrame, **wanted: Any) -> pd.DataFrame:
    """Rows with these values, without their number and the column ``outcome``."""
    kept = np.logical_and.reduce([units[name] == value for name, value in wanted.items()])
    return units[kept].drop(columns="outcome", errors="ignore").reset_index(drop=True)


# ------------------------------------------------------------------------------------------------------------ controls
def test_controls_are_those_of_generate_with_hooks(model):
    names = ["self-patch", "unrelated unit"]
    found = med.controls(model, PAIRS, SITE, text, controls=names, n_draws=2, **QUICK)
    hooked, real = Hooked(model), of(found.units, control="none")
    assert real["y01"].tolist() == [number(exchanged(hooked, (SITE,), "base", unit)) for unit in range(5)]
    own = of(found.units, control="self-patch")
    assert own["y01"].tolist() == own["y00"].tolist() == real["y00"].tolist()
    assert found.provenance["controls"]["self_patch"]["cells"] == len(PAIRS)
    other = of(found.units, control="unrelated unit")
    assert len(other) == 2 * len(PAIRS)
    assert (other["donor"] != other["unit"]).all()
    for row in other.to_dict("records"):
        assert row["y01"] == number(exchanged(hooked, (SITE,), "base", row["unit"], row["donor"]))
        assert row["y00"] == real["y00"][row["unit"]]
    assert found.provenance["rollout"]["max_new_tokens"] == N


def test_shuffled_pairs_have_the_source_of_another_unit(model):
    names = ["shuffled pairs"]
    found = med.controls(model, PAIRS, SITE, text, controls=names, estimand="tnie", n_draws=1, **QUICK).units
    hooked = Hooked(model)
    for row in of(found, control="shuffled pairs").to_dict("records"):
        base, source = PAIRS.base[row["unit"]], PAIRS.source[row["donor"]]
        held = hooked.holds(SITE, base, [len(base) - 1])
        assert row["y11"] == number(hooked.says(source))
        assert row["y10"] == number(hooked.says(source, [(SITE, [len(source) - 1], held)]))


@pytest.mark.parametrize("by_function", [True, False])
def test_shuffled_answers_judge_what_is_said_by_the_answers_of_another_unit(model, by_function):
    pairs, how = answered(), {**QUICK, "max_new_tokens": 1}
    hooked, wanted = Hooked(model), pairs.table["answer"]
    says = [exchanged(hooked, (SITE,), "base", unit)[0] for unit in range(5)]
    options = sorted({f"w{one}" for one in says} | set(wanted))
    outcome = med.outcomes.judge(starts_with) if by_function else med.AnswerCorrect("answer", options=options)
    found = med.controls(model, pairs, SITE, outcome, controls="shuffled answers", n_draws=3, **how).units
    rows = of(found, control="shuffled answers")
    assert len(rows) == 3 * len(pairs)
    for row in rows.to_dict("records"):
        assert row["y01"] == float(f"w{says[row['unit']]}" == wanted[row["donor"]])
    assert rows["y01"].nunique() == 2


def test_answers_after_a_cue_are_shuffled_too(model):
    pairs, cue = answered(), "w7 w8"
    found = med.controls(
        model, pairs, SITE, med.outcomes.Cued(med.LogProb("answer"), cue), controls="shuffled answers", **QUICK
    ).units
    each = {
        word: med.mediate(model, pairs, SITE, med.outcomes.Cued(med.LogProb(word), cue), **QUICK).units
        for word in set(pairs.table["answer"])
    }
    for row in of(found, control="shuffled answers").to_dict("records"):
        expected = each[pairs.table["answer"][row["donor"]]]["y01"][row["unit"]]
        assert row["y01"] == pytest.approx(expected, abs=1e-5)


def test_a_judge_of_the_text_alone_has_no_answers_to_shuffle(model):
    found = med.controls(model, answered(), SITE, text, n_draws=1, **QUICK)
    assert "reads no column" in found.provenance["controls"]["left_out"]["shuffled answers"]
    with pytest.raises(med.errors.DesignError, match="'shuffled answers' does not apply"):
        med.controls(model, answered(), SITE, text, controls="shuffled answers", **QUICK)


def test_a_re_initialised_model_goes_on_by_itself(model):
    found = med.controls(model, PAIRS, SITE, text, controls="re-initialised model", **QUICK).units
    fresh = med.models.reinitialised(model, 0)
    own = med.mediate(fresh, PAIRS, SITE, text, **QUICK).units
    rows = of(found, control="re-initialised model")
    for name in ("y00", "y01"):
        assert rows[name].tolist() == own[name].tolist()
        assert rows[name].tolist() != of(found, control="none")[name].tolist()


def test_samples_in_controls_are_one_a_draw(model):
    own = {**QUICK, "sampling": med.Sampling(2.0), "n_draws": 3}
    found = med.controls(model, PAIRS, SITE, text, **own, controls=["self-patch", "unrelated unit"])
    real = of(found.units, control="none")
    expected = med.mediate(model, PAIRS, SITE, text, **own).units
    assert (real[["y00", "y01"]] == expected[["y00", "y01"]]).all(axis=None)
    mine = of(found.units, control="self-patch")
    assert mine["y01"].tolist() == mine["y00"].tolist() == real["y00"].tolist()
    other = of(found.units, control="unrelated unit")
    assert len(other) == len(other[["unit", "draw"]].drop_duplicates()) == 3 * len(PAIRS)
    assert (other["donor"] != other["unit"]).all()
    for draw in range(3):
        donors = dict(zip(other[other["draw"] == draw]["unit"], other[other["draw"] == draw]["donor"], strict=True))
        swap = med.Swap("index", index=tuple(donors[unit] for unit in range(len(PAIRS))), run="source")
        alone = med.ablate(model, PAIRS, swap.at(SITE), text, run="base", **own).units
        expected = alone[alone["draw"] == draw]
        mine = other[other["draw"] == draw]
        assert mine["y01"].tolist() == expected["ym"].tolist()
        assert mine["y00"].tolist() == expected["y"].tolist()
    effect = (other["y01"] - other["y00"]).mean()
    table = found.tidy().set_index("control")
    assert table["estimate"]["unrelated unit"] == pytest.approx(effect)
    assert set(table["n_draws"][["none", "unrelated unit"]]) == {3}


# --------------------------------------------------------------------------------------- interactions, specifications
@pytest.mark.parametrize("direction", ["denoising", "noising"])
def test_interactions_of_what_is_said(model, direction):
    sites = {"below": BELOW, "above": med.mlp(1, at="last")}
    found = med.interactions(model, PAIRS, sites, BOTH, direction=direction, **QUICK)
    hooked, run = Hooked(model), "base" if direction == "denoising" else "source"
    told = found.outcome("said")
    plain, joint = (
        np.array([number(one) for one in some])
        for some in (
            [hooked.says(PAIRS.inputs(run)[unit]) for unit in range(5)],
            [exchanged(hooked, tuple(sites.values()), run, unit) for unit in range(5)],
        )
    )
    table = told.tidy().set_index(["estimand", "site"])["estimate"]
    effect = joint - plain if direction == "denoising" else plain - joint
    assert table["joint", "below & above"] == pytest.approx(effect.mean())
    total = table["shapley", "below"] + table["shapley", "above"]
    assert total == pytest.approx(table["joint", "below & above"])
    alone = med.interactions(model, PAIRS, sites, LOGIT, direction=direction, **SHORT)
    pd.testing.assert_frame_equal(of(found.units, outcome="logit"), alone.units, check_like=True)


def test_a_specification_of_what_is_said_and_of_logits(model):
    noise = med.GaussianNoise(3.0).at(med.embedding(at="last"))
    far = med.Pairs(base=PAIRS.source[::-1], source=PAIRS.source)
    pairs = med.Pairs(base=PAIRS.base, source=PAIRS.source)
    arms = {"zero": med.Zero()}
    found = med.specification(
        model, pairs, SITE, BOTH, corruptions={"far": far, "noise": noise}, arms=arms, n_draws=2, **QUICK
    )
    units = found.units
    for name, outcome in BOTH.items():
        how = QUICK if name == "said" else SHORT
        own = med.mediate(model, far, SITE, outcome, **how).units
        mine = of(units, outcome=name, corruption="far", arm="")
        np.testing.assert_allclose(mine[["y00", "y01"]], own[["y00", "y01"]], rtol=0, atol=1e-6)
        zero = med.ablate(model, pairs, med.Zero().at(SITE), outcome, **how).units
        mine = of(units, outcome=name, corruption="base", arm="zero")
        np.testing.assert_allclose(mine[["y", "ym"]], zero[["y", "ym"]], rtol=0, atol=1e-6)
        worlds = {"y00": noise, "y01": noise | med.Interchange("source").at(SITE)}
        noised = med.ablate(model, pairs, worlds, outcome, n_draws=2, **how).units
        mine = of(units, outcome=name, corruption="noise", arm="")
        for world in worlds:
            np.testing.assert_allclose(mine[world], of(noised, arm=world)["ym"], rtol=0, atol=1e-6)
        assert mine["y00"].nunique() > len(pairs)


def test_an_answer_is_not_compared_with_a_base_that_noise_makes(model):
    noise = {"noise": med.GaussianNoise(3.0).at(med.embedding(at="last"))}
    flip = {"flip": med.outcomes.AnswerFlipped(options=("w5", "w6"))}
    with pytest.raises(med.errors.DesignError, match="'flip' compares with the plain base run"):
        med.specification(model, PAIRS, SITE, flip, corruptions=noise, **QUICK)


# ----------------------------------------------------------------------------------------------- outcomes of two kinds
def mixed() -> dict[str, Any]:
    return {
        "logit": LOGIT,
        "right": med.outcomes.judge(starts_with),
        "number": med.AnswerCorrect("w5", options=("w5", "w6", "w7")),
        "kl": med.KL(),
        "loop": med.outcomes.Degenerate(),
        "cued": med.outcomes.Cued(LOGIT, "w7 w8"),
    }


@pytest.mark.parametrize("family", ["outcome", "all"])
def test_each_of_a_sweep_of_two_kinds_is_what_it_is_alone(model, family):
    sites, pairs = med.residual(at="last"), answered()
    found = med.mediate(model, pairs, sites, mixed(), family=family, **QUICK)
    assert found.provenance["plan"]["studies"] == 3
    assert found.provenance["inference"].get("family", "outcome") == family
    table = found.tidy()
    for name, one in mixed().items():
        generates = name in ("right", "number", "loop", "cued")
        alone = med.mediate(model, pairs, sites, one, **(QUICK if generates else SHORT))
        mine = of(found.units, outcome=name)
        pd.testing.assert_frame_equal(mine, alone.units, check_like=True)
        rows, own = table[table["outcome"] == name].reset_index(drop=True), alone.tidy()
        columns = ["estimate", "conf_low", "conf_high", "p_value"]
        columns += ["band_low", "band_high"] if family == "outcome" else []
        # Beside KL, which needs all logits, an outcome of two of them is computed from all: up to rounding the same.
        exact = 0 if generates else 1e-5
        pd.testing.assert_frame_equal(rows[columns], own[columns], rtol=exact, atol=exact)
    assert "number" in found.provenance["rollout"]["unparsed"]


def test_outcomes_of_two_kinds_in_controls_are_what_each_is_alone(model):
    pairs, names = answered(), ["self-patch", "unrelated unit", "shuffled answers"]
    outcomes = {"logit": med.LogProb("answer"), "said": med.outcomes.judge(starts_with)}
    found = med.controls(model, pairs, SITE, outcomes, controls=names, n_draws=2, **QUICK)
    for name, one in outcomes.items():
        how = QUICK if name == "said" else SHORT
        alone = med.controls(model, pairs, SITE, one, controls=names, n_draws=2, **how)
        pd.testing.assert_frame_equal(of(found.units, outcome=name), alone.units, check_like=True)
    with pytest.raises(med.errors.DesignError, match=r"outcome 'text' reads no column"):
        med.controls(
            model, pairs, SITE, {"right": outcomes["logit"], "text": text}, controls="shuffled answers", **QUICK
        )


def test_a_killed_call_of_two_kinds_reads_everything_when_it_is_made_again(model, tmp_path):
    asked = (model, PAIRS, med.residual(at="last"), BOTH)
    whole = med.mediate(*asked, **QUICK)
    with pytest.raises(KilledError):
        med.mediate(*asked, **QUICK, out=tmp_path, progress=Kill(30))
    again = med.mediate(*asked, **QUICK, out=tmp_path)
    stored = med.mediate(*asked, **QUICK, out=tmp_path)
    assert len([one for one in tmp_path.iterdir() if one.is_dir()]) == 2
    for found in (again, stored):
        pd.testing.assert_frame_equal(found.units, whole.units)
        assert found.provenance["rollout"] == whole.provenance["rollout"]
    assert again.provenance["plan"]["store"]["pieces_read"] > 0
    assert stored.provenance["plan"]["rows"] == 0


def test_samples_beside_logits_are_drawn_and_these_are_the_same_in_every_draw(model):
    how = {**QUICK, "sampling": med.Sampling(2.0), "n_draws": 3}
    found = med.mediate(model, PAIRS, SITE, BOTH, **how).units
    alone = med.mediate(model, PAIRS, SITE, text, **how).units
    pd.testing.assert_frame_equal(of(found, outcome="said"), alone, check_like=True)
    logits = med.mediate(model, PAIRS, SITE, LOGIT, **SHORT).units
    mine = of(found, outcome="logit")
    for name in WORLDS:
        assert mine.groupby("unit")[name].mean().tolist() == pytest.approx(logits[name].tolist(), abs=1e-12)


def test_an_ablation_of_two_kinds_flips_from_the_input_that_is_ablated(model):
    plain = [Hooked(model).says(PAIRS.source[unit])[0] for unit in range(5)]
    options = tuple(dict.fromkeys(f"w{one}" for one in plain))
    outcomes = {"logit": LOGIT, "flip": med.outcomes.AnswerFlipped(options=options), "said": text}
    arms = {"zero": med.Zero().at(SITE), "own": med.Interchange("same").at(SITE)}
    how = {**QUICK, "max_new_tokens": 1}
    found = med.ablate(model, PAIRS, arms, outcomes, **how).units
    flip, said = of(found, outcome="flip", arm="zero"), of(found, outcome="said", arm="zero")
    hooked = Hooked(model)
    zeroed = [hooked.says(PAIRS.source[unit], [(SITE, where(SITE, "source", unit), 0.0)])[0] for unit in range(5)]
    assert flip["ym"].tolist() == [float(one != other) for one, other in zip(zeroed, plain, strict=True)]
    assert flip["ym"].sum() > 0
    assert said["ym"].tolist() == [number([one]) for one in zeroed]
    assert of(found, outcome="flip", arm="own")["ym"].tolist() == [0.0] * 5


# ------------------------------------------------------------------------------------------------------------- options
@pytest.mark.parametrize(
    ("outcomes", "options", "match"),
    [
        (BOTH, {"nonsense": 1}, "there is no argument 'nonsense'"),
        (BOTH, {"max_new_tokens": 0}, "max_new_tokens = 0"),
        (BOTH, {"precision": "bfloat16"}, "'precision' is of single forward passes"),
        ([LOGIT, med.LogProb("w4 w5"), med.LogProb("w6 w7 w8")], {"max_new_tokens": 4}, "is read off one forward pass"),
        ([LOGIT, med.KL()], {"sampling": med.Sampling(2.0)}, r"and LogitDiff.* is read off one forward pass"),
        ([text, med.outcomes.Cued(LOGIT, "w7")], {"fan_out": True}, "'fan_out' is of single forward passes"),
    ],
)
def test_options_of_several_outcomes_are_refused_as_those_of_one(model, outcomes, options, match):
    with pytest.raises(med.errors.DesignError, match=match):
        med.mediate(model, PAIRS, SITE, outcomes, **SHORT, **options)


def test_options_of_either_kind_are_taken_where_outcomes_are_of_both(model):
    found = med.mediate(model, PAIRS, SITE, BOTH, **QUICK, fan_out=False, batch_size=2, stop="w3")
    assert found.provenance["rollout"]["stop"] == ["w3"]
    assert found.provenance["plan"]["fan_out_rows"] == 0


def test_a_length_is_counted_beside_logits(model):
    length = med.outcomes.judge(_tokens)
    found = med.mediate(model, PAIRS, SITE, {"logit": LOGIT, "length": length}, **{**QUICK, "max_new_tokens": 3})
    assert set(of(found.units, outcome="length")[WORLDS].to_numpy().ravel()) == {3.0}


def _tokens(told: Told) -> float:
    return float(told.tokens)


def test_what_takes_several_outcomes_says_so_of_a_wrong_one(model):
    with pytest.raises(med.errors.DesignError, match=r"or several, in a list or by name in a mapping\.$"):
        med.controls(model, PAIRS, SITE, "logit", **QUICK)
    with pytest.raises(med.errors.DesignError, match=r"decorated with @med\.outcome\.$"):
        med.attribution(model, PAIRS, SITE, "logit")
