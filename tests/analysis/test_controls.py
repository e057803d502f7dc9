"""Null controls against closed forms, against the naive path, and against each other."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import torch

import mediation as med
from mediation.engine.study._draws import noise
from mediation.estimate import CONTROLS, RANDOM
from mediation.models import reinitialised
from mediation.testing import (
    Gate,
    LinearInteraction,
    ParallelMediators,
    TraitGate,
    first_output,
    tiny_model,
    tiny_tokenizer,
)

BOTH = ["pnie", "tnie"]
A, D, B, C = 2.0, 3.0, 4.0, 5.0
SITE = med.Site("mediator")
QUICK = {"rng": 0, "n_resamples": 199, "progress": False}
PLACES = (("France", " Paris"), ("Italy", " Rome"), ("Germany", " Berlin"), ("Spain", " Madrid"))


@med.outcome
def priced(output, units):
    """The first output in the unit's own currency."""
    return output[:, 0] * torch.tensor(units["price"].to_numpy(), dtype=torch.float32)


def numbers(n: int = 9) -> med.Pairs:
    generator = torch.Generator().manual_seed(3)
    x0, x1 = torch.randn(n, 1, generator=generator), 1 + torch.randn(n, 1, generator=generator)
    return med.Pairs(base=x0, source=x1, frame=pd.DataFrame({"price": np.linspace(-1, 2, n)}))


def linear(**options):
    options = {"estimand": BOTH, "n_draws": 3, **QUICK, **options}
    return med.controls(LinearInteraction(A, D, B, C), numbers(), SITE, priced, **options)


@pytest.fixture(scope="module")
def found() -> med.Effects:
    return linear()


def effect(rows: pd.DataFrame, key: str) -> np.ndarray:
    return (rows["y01"] - rows["y00"] if key == "pnie" else rows["y11"] - rows["y10"]).to_numpy()


# ------------------------------------------------------------------------------------------ closed forms, unit by unit
@pytest.mark.parametrize("key", BOTH)
@pytest.mark.parametrize("control", ["none", *CONTROLS])
def test_a_linear_model_with_interaction(found, control, key):
    """Y(x, m) = d x + b m + c x m with M = a x, so putting m' for m changes Y by (b + c x)(m' - m)."""
    pairs = numbers()
    x0, x1, price = pairs.base[:, 0].numpy(), pairs.source[:, 0].numpy(), pairs.table["price"].to_numpy()
    rows = found.units.query("control == @control")
    i, j, draw = rows["unit"].to_numpy(), rows["donor"].to_numpy(), rows["draw"].to_numpy()
    a, b, c, pays = A, B, C, price[i]
    base, source = x0[i], x1[i]
    move = a * (x1[i] - x0[i])
    if control == "self-patch":
        move = np.zeros(len(rows))
    elif control == "unrelated unit":
        move = a * (x1[j] - x0[i]) if key == "pnie" else a * (x1[i] - x0[j])
    elif control == "random direction":
        signs = [noise((1,), seed=0, unit=u, draw=k, stream=0).sign().item() for u, k in zip(i, draw, strict=True)]
        move = (np.array(signs) if key == "pnie" else -np.array(signs)) * np.abs(move)
    elif control == "shuffled pairs":
        source = x1[j]
        move = a * (x1[j] - x0[i])
    elif control == "shuffled answers":
        pays = price[j]
    elif control == "re-initialised model":
        fresh = reinitialised(med.load(LinearInteraction(A, D, B, C)), 0).module
        a, b, c = (layer.weight.item() for layer in (fresh.mediator, fresh.indirect, fresh.interaction))
        move = a * (x1[i] - x0[i])
    expected = pays * (b + c * (base if key == "pnie" else source)) * move
    assert effect(rows, key) == pytest.approx(expected, abs=1e-4)
    assert (j >= 0).all() == (control in RANDOM and control != "random direction")
    assert set(np.bincount(i)) == {3 if control in RANDOM else 1}


def test_estimates_are_means_over_draws_and_units(found):
    table = found.tidy().set_index(["control", "estimand"])["estimate"]
    for (control, unit), rows in found.units.groupby(["control", "unit"]):
        assert len(rows) == (3 if control in RANDOM else 1), unit
    for control in ("none", *CONTROLS):
        rows = found.units.query("control == @control")
        for key in BOTH:
            assert table[control, key] == pytest.approx(effect(rows, key).mean(), abs=1e-12)
            if control in RANDOM:
                beyond = table["none", key] - table[control, key]
                assert table[f"beyond {control}", key] == pytest.approx(beyond, abs=1e-12)


def test_the_effect_itself_is_what_mediate_gives(found):
    same = med.mediate(LinearInteraction(A, D, B, C), numbers(), SITE, priced, estimands=BOTH, **QUICK).tidy()
    mine = found.tidy().query("control == 'none'").drop(columns=["control", "n_draws"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, same, check_exact=True)


def test_rows_come_in_order(found):
    beyond = [f"beyond {name}" for name in RANDOM]
    assert found.kind == "controls"
    assert found.tidy()["control"].tolist() == ["none", *CONTROLS, *beyond] * 2
    assert found.tidy()["estimand"].tolist() == ["pnie"] * 11 + ["tnie"] * 11
    assert found.provenance["controls"]["names"] == list(CONTROLS)


def test_self_patch_is_exactly_0_without_an_interval(found):
    rows = found.tidy().query("control == 'self-patch'")
    assert rows["estimate"].tolist() == [0, 0]
    assert rows[["std_error", "conf_low", "conf_high", "p_value"]].isna().all(axis=None)
    assert found.provenance["controls"]["self_patch"] == {
        "cells": 18,
        "max_abs_difference": 0.0,
        "reason": "exactly 0 in every unit",
    }
    assert found.provenance["checks"]["self_patch"]["cells"] == 18


@pytest.mark.parametrize("kind", ["and", "or", "xor"])
@pytest.mark.parametrize("jointly", [False, True])
def test_gates_one_by_one_and_jointly(kind, jointly):
    gate = Gate(kind)
    generator = torch.Generator().manual_seed(1)
    base, source = (torch.randint(0, 2, (12, 2), generator=generator).float() for _ in range(2))
    sites = med.Site("first") | med.Site("second")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", med.errors.DegenerateWarning)
        done = med.controls(
            gate, med.Pairs(base=base, source=source), sites.jointly() if jointly else sites, first_output,
            controls=["unrelated unit", "shuffled pairs"], estimand=BOTH, n_draws=4, **QUICK,
        )  # fmt: skip
    assert done.tidy()["site"].unique().tolist() == (["first & second"] if jointly else ["first", "second"])
    for (site, control), rows in done.units.groupby(["site", "control"]):
        mine = torch.tensor([jointly or site == "first", jointly or site == "second"])
        i, j = (torch.tensor(rows[name].to_numpy()) for name in ("unit", "donor"))
        j = i if control == "none" else j
        x1 = source[j] if control == "shuffled pairs" else source[i]
        other = base[i] if control == "shuffled pairs" else base[j]
        pnie = gate.outcome_of(base[i], torch.where(mine, source[j], base[i])) - gate.outcome_of(base[i], base[i])
        tnie = gate.outcome_of(x1, x1) - gate.outcome_of(x1, torch.where(mine, other, x1))
        assert effect(rows, "pnie").tolist() == pnie.tolist()
        assert effect(rows, "tnie").tolist() == tnie.tolist()


def test_a_mediator_that_suits_its_own_unit_only():
    """Natural TNIE 1; with the base activation of another unit Y(1, M_j(0)) = c_i XOR c_j, so TNIE is 1 - that."""
    trait = torch.tensor([0.0, 1.0]).repeat(20)
    pairs = med.Pairs(
        base=torch.stack([torch.zeros(40), trait], 1), source=torch.stack([torch.ones(40), trait], 1)
    )  # fmt: skip
    with pytest.warns(
        med.errors.DegenerateWarning, match=r"\(tnie at mediator\)"
    ):  # the effect itself is 1 in every unit
        done = med.controls(TraitGate(), pairs, SITE, first_output, estimand="tnie", **QUICK)
    table = done.tidy().set_index("control")
    assert table.loc["none", "estimate"] == 1
    rows = done.units.query("control == 'unrelated unit'")
    apart = trait.numpy()[rows["unit"]] != trait.numpy()[rows["donor"]]
    assert effect(rows, "tnie").tolist() == (1.0 - apart).tolist()
    assert table.loc["unrelated unit", "estimate"] == pytest.approx(1 - apart.mean(), abs=1e-12)
    assert table.loc["beyond unrelated unit", "conf_low"] > 0
    assert done.provenance["controls"]["left_out"] == {
        "shuffled answers": "the outcome reads no column of the units, so all units have the same answers",
        "re-initialised model": "TraitGate has no parameters, so it cannot be drawn anew",
    }


def test_sites_of_a_joint_mediator_have_directions_of_their_own():
    model = ParallelMediators(gains=(1.0, -2.0), weights=(3.0, 4.0))
    sites = med.Site("mediators.0") | med.Site("mediators.1")
    done = med.controls(
        model, numbers(), sites.jointly(), first_output, controls="random direction", n_draws=8, **QUICK
    )
    rows = done.units.query("control == 'random direction'")
    away = (numbers().source - numbers().base)[:, 0].numpy()[rows["unit"]]
    first, second = (
        [
            noise((1,), seed=0, unit=unit, draw=draw, stream=stream).sign().item()
            for unit, draw in zip(rows["unit"], rows["draw"], strict=True)
        ]
        for stream in (0, 1)
    )
    expected = (3 * 1 * np.array(first) + 4 * 2 * np.array(second)) * np.abs(away)
    assert effect(rows.assign(y11=0.0, y10=0.0), "pnie") == pytest.approx(expected, abs=1e-4)
    assert first != second


# ---------------------------------------------------------------------------------------------------- language models
def capitals(texts: str = "The capital of {} is", **more: str) -> pd.DataFrame:
    rows = []
    for a, (there, answer) in enumerate(PLACES):
        there_, foil = PLACES[(a + 1) % 4]
        for template in (texts, *more.values()):
            rows.append({"base": template.format(there_), "source": template.format(there), "place": there})
            rows[-1] |= {"answer": answer, "foil": foil, "place_base": there_, "template": template}
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def llama() -> med.Model:
    return med.load(tiny_model("llama", layers=3), tiny_tokenizer())


OUTCOME = med.LogitDiff("answer", "foil")


@pytest.mark.parametrize(
    "mediator",
    [
        med.residual(1, at="last"),
        med.attention([0, 2], head=1, at=(2, -1)),
        (med.mlp(0, at="place") | med.residual(1, at="last")).jointly(),
        med.pattern(1, at="last"),
    ],
    ids=str,
)
def test_every_control_agrees_with_the_naive_path(llama, mediator):
    frame = capitals(more="When in {} the city of")
    pairs = med.Pairs.from_frame(frame, cluster="template", spans={"place": ("place_base", "place")})
    digest = llama.digest

    def run(**options):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", med.errors.AlignmentWarning)
            return med.controls(llama, pairs, mediator, OUTCOME, estimand=BOTH, n_draws=2, **QUICK, **options)

    fast, slow, rows = run(), run(backend="reference"), run(fan_out=False, batch_size=5, padding_side="right")
    assert sorted(fast.units["control"].unique()) == sorted(["none", *CONTROLS])
    for other in (slow, rows):
        keys = ["site", "control", "unit", "draw", "donor", "cluster", "weight"]
        pd.testing.assert_frame_equal(fast.units[keys], other.units[keys])
        worst = (fast.units[["y00", "y01", "y10", "y11"]] - other.units[["y00", "y01", "y10", "y11"]]).abs().max().max()
        assert worst < 1e-5
    for done in (fast, slow, rows):
        zero = done.units.query("control == 'self-patch'")
        assert effect(zero, "pnie").tolist() == effect(zero, "tnie").tolist() == [0.0] * len(zero)
        assert done.provenance["controls"]["self_patch"]["max_abs_difference"] < 1e-5
    assert med.load(llama.module, llama.tokenizer).digest == digest


def test_units_whose_length_no_other_has_are_said_to_have_no_donor(llama):
    frame = pd.concat([capitals(), capitals("When the cat is in {}").iloc[:1]], ignore_index=True)
    pairs = med.Pairs.from_frame(frame)
    with pytest.warns(med.errors.AlignmentWarning, match=r"^1 of 5 units have a number of tokens at residual"):
        done = med.controls(llama, pairs, med.residual(1), OUTCOME, estimand=BOTH, n_draws=2, **QUICK)
    n = done.tidy().query("estimand == 'pnie'").set_index("control")["n"]
    assert n[["none", "self-patch", "random direction", "shuffled answers", "re-initialised model"]].eq(5).all()
    assert n[["unrelated unit", "shuffled pairs", "beyond unrelated unit", "beyond shuffled pairs"]].eq(4).all()
    few = done.units.query("control == 'unrelated unit'")
    assert sorted(few["unit"].unique()) == [0, 1, 2, 3]
    real = done.units.query("control == 'none' and unit < 4")
    beyond = done.tidy().query("control == 'beyond unrelated unit' and estimand == 'pnie'")["estimate"].item()
    assert beyond == pytest.approx(effect(real, "pnie").mean() - effect(few, "pnie").mean(), abs=1e-12)
    assert "  n" in str(done.summary())
    at_last = med.controls(llama, pairs, med.residual(1, at="last"), OUTCOME, n_draws=2, **QUICK)
    assert at_last.tidy()["n"].eq(5).all()


def test_shuffled_pairs_and_an_unrelated_unit_are_one_for_pnie_and_two_for_tnie(llama):
    pairs = med.Pairs.from_frame(capitals(more="When in {} the city of"))
    for keys in ("pnie", BOTH):
        done = med.controls(llama, pairs, med.residual(1, at="last"), OUTCOME, estimand=keys, n_draws=2, **QUICK)
        one, other = (done.units.query("control == @name") for name in ("unrelated unit", "shuffled pairs"))
        keyed = [rows.sort_values(["unit", "draw"]).reset_index(drop=True) for rows in (one, other)]
        assert keyed[0]["donor"].tolist() == keyed[1]["donor"].tolist()
        assert effect(keyed[0], "pnie") == pytest.approx(effect(keyed[1], "pnie"), abs=1e-5)
    assert np.abs(effect(keyed[0], "tnie") - effect(keyed[1], "tnie")).max() > 1e-3


def test_a_sweep_has_every_row_at_every_site_and_shares_its_draws(llama):
    pairs = med.Pairs.from_frame(capitals(more="When in {} the city of"))
    sweep = med.controls(llama, pairs, med.residual(at="last"), OUTCOME, n_draws=2, **QUICK)
    alone = med.controls(llama, pairs, med.residual(1, at="last"), OUTCOME, n_draws=2, **QUICK)
    table = sweep.tidy()
    assert len(table) == 3 * 11
    assert table["site"].unique().tolist() == [f"residual[{layer}]@last" for layer in range(3)]
    one = table.query("site == 'residual[1]@last'").reset_index(drop=True)
    columns = ["control", "estimate", "std_error", "conf_low", "conf_high", "p_value"]
    pd.testing.assert_frame_equal(one[columns], alone.tidy()[columns], atol=1e-6, rtol=1e-4)
    text = str(sweep.summary(most=2))
    assert "2 of 3 sites shown" in text
    assert "no simultaneous bands" in text


# ---------------------------------------------------------------------------------------------- draws, choice, records
def test_the_seed_decides_and_controls_do_not_disturb_each_other(found):
    table = found.tidy()
    again = linear().tidy()
    pd.testing.assert_frame_equal(table, again, check_exact=True)
    for name in CONTROLS:
        part = linear(controls=[name], n_draws=3 if name in RANDOM else None).tidy()
        mine = table[table["control"].isin(part["control"])].reset_index(drop=True)
        assert len(part) == (6 if name in RANDOM else 4)
        pd.testing.assert_frame_equal(mine, part, check_exact=True)


def test_a_generator_is_taken_and_another_seed_is_another_draw():
    def donors(rng):
        options = {**QUICK, "rng": rng}
        done = med.controls(
            LinearInteraction(), numbers(), SITE, first_output, controls="unrelated unit", n_draws=2, **options
        )
        return done.units.query("control == 'unrelated unit'")["donor"].tolist()

    assert donors(np.random.default_rng(5)) == donors(np.random.default_rng(5))
    assert donors(1) != donors(2)


def test_results_are_kept_and_read_back(found, tmp_path):
    found.save(tmp_path / "controls")
    assert med.read(tmp_path / "controls") == found


def test_progress_is_one_bar_over_all_studies():
    class Told:
        def __init__(self):
            self.totals, self.steps, self.closed = [], 0, 0

        def start(self, total, what):
            self.totals.append(total)

        def advance(self, n):
            self.steps += n

        def close(self):
            self.closed += 1

    told = Told()
    med.controls(LinearInteraction(), numbers(), SITE, priced, estimand=BOTH, n_draws=2, **{**QUICK, "progress": told})
    assert len(told.totals) == told.closed == 1
    assert told.steps == told.totals[0]


def test_the_summary_says_what_each_control_shows(found):
    text = str(found.summary("pnie"))
    assert text.startswith("PNIE at mediator, and its null controls\n")
    assert max(map(len, text.splitlines())) <= 100
    joined = " ".join(text.split())
    for name in CONTROLS:
        assert f"{name}: " in joined
    assert "the largest difference, before rounding was settled, was 0." in joined
    assert "for PNIE these are the runs of 'unrelated unit'" in joined
    assert "0 in every unit" in joined
    assert "Random controls: 3 draws, averaged within each unit; a unit counts where it gave" in joined
    assert "beyond ...: the effect minus that control, unit by unit." in joined
    assert "n = 9 units" in joined
    assert "B = 199" in joined


def test_outcomes_that_read_no_column_have_no_answers_to_shuffle():
    pairs = numbers()
    plain = med.controls(LinearInteraction(), pairs, SITE, first_output, n_draws=2, **QUICK)
    assert "shuffled answers" not in set(plain.tidy()["control"])
    assert "Left out: shuffled answers (the outcome reads no column" in " ".join(str(plain.summary()).split())


def test_what_has_no_donor_at_all_is_left_out_unless_it_was_asked_for(llama):
    ragged = med.Pairs(base=[[3, 4], [3, 4, 5], [3, 4, 5, 6]], source=[[4, 5], [4, 5, 6], [4, 5, 6, 7]])
    ask = {"model": llama, "pairs": ragged, "mediator": med.residual(1), "outcome": med.LogitDiff(3, 4), **QUICK}
    done = med.controls(**ask)
    assert done.tidy()["control"].tolist() == [
        *("none", "self-patch", "random direction", "re-initialised model", "beyond random direction"),
    ]
    why = "every unit has another number of tokens at residual[1], so no two can be exchanged"
    assert done.provenance["controls"]["left_out"]["unrelated unit"] == why
    with pytest.raises(med.errors.DataError, match="'unrelated unit' cannot be made: every unit has another number"):
        med.controls(controls="unrelated unit", **ask)
