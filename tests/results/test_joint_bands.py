"""adjust('max-t') of controls and of specifications: bands over rows of several outcomes and controls."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mediation as med
from mediation.estimands import estimands_from
from mediation.estimate import tabulate_controls
from mediation.inference import Inference, mean_intervals
from mediation.results import Effects
from tests.results.specification_factory import make_specification

SETTINGS = Inference(n_resamples=999, seed=0)
KNOWN = {"inference": {"method": "bootstrap-t", "confidence_level": 0.95, "n_resamples": 999}, "seed": 0}


def _controls(lacking=()):
    rng = np.random.default_rng(0)
    own = rng.normal(size=25)
    frames = []
    for site, size in (("a", 1.0), ("b", 0.3)):
        for control, share in (("none", 1.0), ("random direction", 0.2)):
            frame = pd.DataFrame(
                {"unit": range(25), "y00": 0.0, "y01": size * share * (0.6 + own) + 0.2 * rng.normal(size=25)}
            )
            frames.append(frame.assign(site=site, control=control))
    units = pd.concat(frames, ignore_index=True).assign(weight=1.0, draw=0, donor=-1)
    units["cluster"] = units["unit"]
    units = units[~((units["control"] == "random direction") & units["unit"].isin(lacking))].reset_index(drop=True)
    table = tabulate_controls(units, estimands_from(["y00", "y01"]), SETTINGS)
    return Effects(table, units, {**KNOWN, "kind": "controls"})


def _columns(effects):
    """The six columns of the table, by hand."""
    units = effects.units.assign(effect=lambda u: u["y01"] - u["y00"])
    wide = units.pivot(index="unit", columns=["site", "control"], values="effect")
    found = {}
    for site in "ab":
        found[site, "none"], found[site, "random direction"] = wide[site, "none"], wide[site, "random direction"]
        found[site, "beyond random direction"] = wide[site, "none"] - wide[site, "random direction"]
    return found


def test_controls_have_the_bands_of_all_their_columns_together():
    effects = _controls()
    found = effects.adjust("max-t").tidy()
    columns = _columns(effects)
    by_hand = mean_intervals(np.column_stack(list(columns.values())), settings=SETTINGS, bands=True)
    rows = found.set_index(["site", "control"]).loc[list(columns)]
    for name in ("estimate", "conf_low", "band_low", "band_high", "p_adjusted"):
        assert rows[name].to_numpy() == pytest.approx(getattr(by_hand, name))
    assert "bands over the same rows" in str(effects.adjust("max-t").summary())


def test_a_control_that_lacks_units_shares_the_level():
    effects = _controls(lacking=(3, 4))
    found = effects.adjust("max-t").tidy()
    columns = _columns(effects)
    half = Inference(n_resamples=999, seed=0, confidence_level=0.975)
    for controls in (["none"], ["random direction", "beyond random direction"]):
        keys = [(site, control) for control in controls for site in "ab"]
        by_hand = mean_intervals(np.column_stack([columns[key].dropna() for key in keys]), settings=half, bands=True)
        rows = found.set_index(["site", "control"]).loc[keys]
        assert rows["band_low"].to_numpy() == pytest.approx(by_hand.band_low)
        assert rows["p_adjusted"].to_numpy() == pytest.approx(np.minimum(1, 2 * by_hand.p_adjusted))


def test_specifications_have_bands_over_outcomes_corruptions_and_arms(tmp_path):
    effects = make_specification(outcomes=("logit difference", "probability"), n=20)
    effects = Effects(effects.table, effects.units, {**effects.provenance, **KNOWN})
    new = effects.adjust("max-t")
    found = new.tidy()
    ratios = found["estimand"].isin(["pm_pure", "ablation_share"])
    assert found.loc[ratios, ["band_low", "p_adjusted"]].isna().all(axis=None)
    units, columns = effects.units, []
    rows = found[found["estimand"] == "ablation"]
    for row in rows.to_dict("records"):
        here = units[(units["outcome"] == row["outcome"]) & (units["corruption"] == row["corruption"])]
        here = here[
            (here["arm"] == row["arm"])
            & ((here["dose"] == row["dose"]) | (here["dose"].isna() & np.isnan(row["dose"])))
        ]
        columns.append((here["y"] - here["ym"]).groupby(here["unit"]).mean())
    by_hand = mean_intervals(np.column_stack(columns), settings=SETTINGS, bands=True)
    for name in ("estimate", "band_low", "band_high", "p_adjusted"):
        assert rows[name].to_numpy() == pytest.approx(getattr(by_hand, name))
    together = effects.adjust("max-t", family="all").tidy()
    assert (together.loc[~ratios, "p_adjusted"] >= found.loc[~ratios, "p_adjusted"] - 1e-12).all()
    assert med.read(new.save(tmp_path / "x")) == new


def test_holm_afterwards_keeps_the_bands():
    new = _controls().adjust("max-t")
    again = new.adjust("holm").tidy()
    assert again["band_low"].equals(new.tidy()["band_low"])
    assert not again["p_adjusted"].equals(new.tidy()["p_adjusted"])


def test_results_of_several_results_are_still_refused():
    one, other = (med.effects(pd.DataFrame({"y00": 0.0, "y11": np.arange(9.0) ** p}), rng=0) for p in (1, 2))
    with pytest.raises(med.errors.DesignError, match=r"sweep.*specification.*'comparison'"):
        one.compare(other).adjust("max-t")
