"""mediate and ablate with several outcomes: one run, a column `outcome`, and the rows that each would have alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import mediation as med
from mediation.testing import tiny_model, tiny_tokenizer
from tests.engine.test_several_outcomes import words

FEW: dict[str, Any] = {"n_resamples": 99, "rng": 0, "progress": False}
DIFFERENCE, PROBABILITY = med.LogitDiff(" Paris", " Rome"), med.Probability(" Paris")
OUTCOMES = {"difference": DIFFERENCE, "probability": PROBABILITY, "divergence": med.KL()}
SITES = med.residual(at="last")

pytestmark = pytest.mark.filterwarnings("ignore::mediation.errors.MediationWarning")


@pytest.fixture(scope="module")
def model() -> med.Model:
    return med.load(tiny_model("llama", layers=3), tiny_tokenizer())


@pytest.fixture(scope="module")
def sweep(model: med.Model) -> med.Effects:
    return med.mediate(model, words(), SITES, OUTCOMES, **FEW)


def test_the_table_and_the_units_have_a_column_outcome(sweep):
    table, units = sweep.tidy(), sweep.units
    assert list(dict.fromkeys(table["outcome"])) == list(OUTCOMES)
    assert units.groupby("outcome").size().tolist() == [18] * 3
    assert not units.duplicated(["site", "outcome", "unit", "draw"]).any()
    assert sweep.provenance["outcome"]["difference"] == "logit(' Paris') - logit(' Rome')"


def test_a_list_names_outcomes_by_what_they_are(model):
    found = med.mediate(model, words(), SITES, [PROBABILITY], **FEW)
    assert set(found.tidy()["outcome"]) == set(found.units["outcome"]) == {"P(' Paris')"}


@pytest.mark.parametrize("name", ["probability", "divergence"])  # both read all logits, alone and beside others
def test_rows_are_those_of_the_outcome_alone(model, sweep, name):
    alone = med.mediate(model, words(), SITES, OUTCOMES[name], **FEW)
    mine = sweep.outcome(name)
    pd.testing.assert_frame_equal(mine.tidy(), alone.tidy(), check_exact=True)
    pd.testing.assert_frame_equal(mine.units, alone.units, check_exact=True)
    for part in ("checks", "inference", "pairs"):
        assert mine.provenance[part] == alone.provenance[part]
    assert mine.provenance["plan"] == alone.provenance["plan"]


def test_rows_of_an_outcome_that_reads_few_logits_differ_by_rounding(model, sweep):
    alone = med.mediate(model, words(), SITES, DIFFERENCE, **FEW)
    assert np.abs(sweep.outcome("difference").units["y01"] - alone.units["y01"]).max() < 1e-6


def test_bands_over_all_outcomes_are_no_narrower(model, sweep):
    both = med.mediate(model, words(), SITES, OUTCOMES, family="all", **FEW)
    one, other = both.tidy(), sweep.tidy()
    bands = ["band_low", "band_high", "p_adjusted"]
    pd.testing.assert_frame_equal(one.drop(columns=bands), other.drop(columns=bands))
    assert both.provenance["inference"]["family"] == "all"
    assert (one["band_high"] - one["band_low"]).sum() > (other["band_high"] - other["band_low"]).sum()


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"family": "everything"}, "family"),
        ({"family": "all", "outcome": PROBABILITY}, "there is one"),
        ({"family": "all", "mediator": med.residual(1, at="last")}, "is none. Leave family out"),
        ({"outcome": []}, "outcome is empty"),
        ({"outcome": {}}, "outcome is empty"),
        ({"outcome": [PROBABILITY, "logit"]}, "outcome has str"),
        ({"outcome": {"a": "logit"}}, "outcome has str as 'a'"),
        ({"outcome": [PROBABILITY, PROBABILITY]}, "Two outcomes are called"),
        ({"outcome": {1: PROBABILITY}}, "The name of outcome 1 is none"),
        ({"outcome": "logit"}, "outcome is str"),
        ({"screen": 1}, "screen, which ranks sites by scores, is about one outcome"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_refused_before_it_runs(model, more, error):
    question = {"mediator": SITES, "outcome": OUTCOMES, **more}
    with pytest.raises(med.errors.MediationError, match=error):
        med.mediate(model, words(), **question, **FEW)


def test_attribution_is_about_one_outcome(model):
    with pytest.raises(med.errors.DesignError, match="attribution is about one outcome, and outcome is a list of 2"):
        med.attribution(model, words(), SITES, [PROBABILITY, med.KL()])


def check_alone(found: med.Effects, ask: Any, outcomes: dict[str, Any]) -> None:
    """Each outcome has the table and the units that it has alone: to the bit, or where runs differ to rounding."""
    assert list(dict.fromkeys(found.tidy()["outcome"])) == list(outcomes)
    for name, outcome in outcomes.items():
        mine, alone = found.outcome(name), ask(outcome)
        pd.testing.assert_frame_equal(mine.units, alone.units, rtol=0, atol=5e-6)
        assert mine.kind == alone.kind
        some = ["estimand", "site", "n", "n_clusters"]
        pd.testing.assert_frame_equal(mine.tidy()[some], alone.tidy()[some])
        if outcome in (PROBABILITY, OUTCOMES["divergence"]) and outcomes is OUTCOMES:
            pd.testing.assert_frame_equal(mine.tidy(), alone.tidy(), check_exact=True)


GROUPS = {
    "before": med.KL(at=1),
    "answer": med.LogProb("answer"),
    "after": med.KL(),
    "other": med.Probability(" Rome is"),
}


@pytest.mark.parametrize("outcomes", [OUTCOMES, GROUPS], ids=["one run", "two runs"])
def test_interactions(model, outcomes):
    def ask(outcome: Any) -> med.Effects:
        return med.interactions(model, words(), SITES, outcome, **FEW)

    check_alone(ask(outcomes), ask, outcomes)


@pytest.mark.parametrize("outcomes", [OUTCOMES, GROUPS], ids=["one run", "two runs"])
def test_controls(model, outcomes, tmp_path):
    some = ["self-patch", "unrelated unit", "random direction", "re-initialised model"]

    def ask(outcome: Any, **more: Any) -> med.Effects:
        pairs, site = words().subset([0, 1, 2, 3]), med.residual(1, at="last")
        return med.controls(model, pairs, site, outcome, controls=some, n_draws=2, **FEW, **more)

    check_alone(ask(outcomes, out=tmp_path), ask, outcomes)
    assert len(list(tmp_path.iterdir())) == (2 if outcomes is OUTCOMES else 4)


def test_shuffled_answers_of_outcomes_of_which_one_reads_none(model):
    answers = {"answer": med.LogProb("answer"), "last": med.Probability("answer")}
    ask = {"controls": "shuffled answers", "n_draws": 2, **FEW}
    site = med.residual(1, at="last")
    found = med.controls(model, words(), site, answers, **ask)
    alone = med.controls(model, words(), site, answers["last"], **ask)
    pd.testing.assert_frame_equal(found.outcome("last").units, alone.units, check_exact=True)
    with pytest.raises(med.errors.DesignError, match="does not apply: outcome 'divergence' reads no column"):
        med.controls(model, words(), site, {**answers, "divergence": med.KL()}, **ask)


def test_a_specification_table_reads_all_outcomes_in_one_run(model):
    arms = {"zero": med.Zero()}
    found = med.specification(model, words(), med.residual(1, at="last"), OUTCOMES, arms=arms, **FEW)
    assert found.provenance["plan"]["studies"] == 1
    for name in ("probability", "divergence"):
        one = {name: OUTCOMES[name]}
        alone = med.specification(model, words(), med.residual(1, at="last"), one, arms=arms, **FEW)
        mine = found.tidy()[found.tidy()["outcome"] == name].reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, alone.tidy(), check_exact=True)


def test_arms(model):
    arms = {"zero": med.Zero().at(med.mlp(1)), "noise": med.GaussianNoise(0.5).at(med.mlp(1, at="last"))}
    found = med.ablate(model, words(), arms, OUTCOMES, n_draws=2, **FEW)
    for name in ("probability", "divergence"):
        alone = med.ablate(model, words(), arms, OUTCOMES[name], n_draws=2, **FEW)
        pd.testing.assert_frame_equal(found.outcome(name).tidy(), alone.tidy(), check_exact=True)
        pd.testing.assert_frame_equal(found.outcome(name).units, alone.units, check_exact=True)


def test_outcomes_that_need_runs_of_their_own(model, tmp_path):
    """Two divergences at two positions, two answers that are appended: three runs, each with a folder of its own."""
    found = med.mediate(model, words(), SITES, GROUPS, out=tmp_path, **FEW)
    assert found.provenance["plan"]["studies"] == len(list(tmp_path.iterdir())) == 2
    assert list(dict.fromkeys(found.tidy()["outcome"])) == list(GROUPS)
    for name, outcome in GROUPS.items():
        alone = med.mediate(model, words(), SITES, outcome, **FEW)
        for world in ("y00", "y01", "y10", "y11"):
            assert np.abs(found.outcome(name).units[world] - alone.units[world]).max() < 5e-6
    again = med.mediate(model, words(), SITES, GROUPS, out=tmp_path, **FEW)
    pd.testing.assert_frame_equal(found.units, again.units, check_exact=True)
    assert again.provenance["plan"]["passes"] == 0


@pytest.mark.parametrize("outcomes", [OUTCOMES, GROUPS], ids=["one run", "two runs"])
def test_a_plan_counts_the_passes_that_a_run_makes(model, outcomes):
    plan = med.plan_sweep(model, words(), SITES, outcomes, calibrate=False)
    found = med.mediate(model, words(), SITES, outcomes, **FEW).provenance["plan"]
    made = [one.passes for kind, one in plan.passes.items() if kind in ("plain", "fan-out", "rows")]
    assert sum(made) == found["passes"]
    assert plan.passes["fan-out"].outcomes == found["fan_out_rows"]
    alone = [_flops(med.plan_sweep(model, words(), SITES, one, calibrate=False)) for one in outcomes.values()]
    assert max(alone) <= _flops(plan) < sum(alone)


def _flops(plan: med.engine.SweepPlan) -> int:
    """FLOPs without the checks, whose cells are drawn at random."""
    return sum(one.flops for kind, one in plan.passes.items() if kind != "checks")


def test_half_precision_is_held_against_float32_outcome_by_outcome(model):
    for outcomes in (OUTCOMES, GROUPS):
        found = med.mediate(model, words(), SITES, outcomes, precision="bfloat16", recheck=8, **FEW)
        for name in outcomes:
            told = found.outcome(name).provenance["precision"]
            alone = med.mediate(model, words(), SITES, outcomes[name], precision="bfloat16", recheck=8, **FEW)
            assert told.keys() == alone.provenance["precision"].keys()
            assert told["effects"].keys() == alone.provenance["precision"]["effects"].keys()
            assert (told["outcomes"]["max_error"] > 0) == (name != "before")  # which is 0 in all worlds
            assert told["outcomes"]["max_error"] < 1


def test_they_are_saved_and_read(sweep, tmp_path):
    sweep.save(tmp_path / "saved")
    again = med.read(tmp_path / "saved")
    pd.testing.assert_frame_equal(again.tidy(), sweep.tidy())
    assert again.provenance == sweep.provenance
