"""Equivalence, comparison and power start from the estimates and intervals of the table that they are asked of."""

import numpy as np
import pandas as pd
import pytest

import mediation as med

N = 24
pytestmark = pytest.mark.filterwarnings("ignore::mediation.MediationWarning")


def outcomes(seed=0, n=N, *, answers=False):
    rng = np.random.default_rng(seed)
    level = rng.normal(size=n)
    steps = {"y00": 0.0, "y01": 0.6, "y10": 0.9, "y11": 1.8}
    found = {name: level + shift + rng.normal(0, 0.5, n) for name, shift in steps.items()}
    if answers:
        found = {name: (values > 0.8).astype(float) for name, values in found.items()}
    return pd.DataFrame({"unit": [f"p{i}" for i in range(n)], **found})


def donors(columns):
    rng = np.random.default_rng(1)
    n, draws = N, 4
    a, b = rng.normal(size=(2, n))
    shift = np.stack([np.roll(np.arange(n), -step - 1) for step in range(draws)])
    frame = pd.concat(
        [
            pd.DataFrame(
                {"unit": np.arange(n) + 5, "draw": draw, "donor": shift[draw] + 5}
                | {name: a * up + b[shift[draw]] + up for up, name in enumerate(columns)}
            )
            for draw in range(draws)
        ]
    )
    return frame


def drawn():
    frames = [outcomes(seed).assign(draw=seed) for seed in range(3)]
    return pd.concat(frames)


KINDS = {
    "plain": lambda: (outcomes(), {}),
    "weights": lambda: (outcomes().assign(weight=np.linspace(0.5, 2, N)), {}),
    "clusters": lambda: (outcomes().assign(cluster=np.arange(N) % 8), {}),
    "weights and clusters": lambda: (
        outcomes().assign(cluster=np.arange(N) % 8, weight=np.linspace(0.5, 2, N)),
        {"method": "percentile"},
    ),
    "answers": lambda: (outcomes(answers=True), {}),
    "answers in clusters": lambda: (outcomes(answers=True).assign(cluster=np.arange(N) % 8), {}),
    "draws": lambda: (drawn(), {}),
    "donors": lambda: (donors(["g00", "g01", "g10", "g11"]), {}),
    "donors of an ablation": lambda: (donors(["y", "ym"]).assign(arm="swap"), {}),
    "sites": lambda: (pd.concat([outcomes(seed).assign(site=f"s{seed}") for seed in (2, 0, 1)]), {}),
    "arms": lambda: (
        pd.concat(
            [
                outcomes(seed).rename(columns={"y00": "y", "y01": "ym"})[["unit", "y", "ym"]].assign(arm="a", dose=seed)
                for seed in (1, 2)
            ]
        ),
        {},
    ),
    "student": lambda: (outcomes(), {"method": "t", "confidence_level": 0.9}),
    "float32": lambda: (outcomes().astype({"y00": "float32", "y11": "float32"}), {}),
}


def made(kind):
    frame, options = KINDS[kind]()
    return med.effects(frame, rng=0, n_resamples=299, **options)


def key(table):
    return [name for name in ("estimand", "site", "arm", "dose") if name in table]


@pytest.mark.parametrize("kind", KINDS)
def test_equivalence_at_the_level_of_the_table_has_its_intervals(kind):
    result = made(kind)
    table = result.tidy()
    alpha = (1 - result.provenance["inference"]["confidence_level"]) / 2
    for ratios in (False, True):
        keys = [one for one in dict.fromkeys(table["estimand"]) if (one == "pm") == ratios]
        if not keys:
            continue
        found = result.equivalence(10.0, alpha=alpha, estimands=keys).tidy()
        rows = table[table["estimand"].isin(keys)].reset_index(drop=True)
        assert found[key(table)].astype(str).equals(rows[key(table)].astype(str))
        for one, other in (
            ("estimate", "estimate"),
            ("equivalence_low", "conf_low"),
            ("equivalence_high", "conf_high"),
        ):
            np.testing.assert_allclose(found[one], rows[other], rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_comparison_with_nothing_is_the_result(kind):
    frame, options = KINDS[kind]()
    names = [name for name in frame if name[0] in "yg"]
    result, nothing = (
        med.effects(one, rng=0, n_resamples=299, **options)
        for one in (frame, frame.assign(**dict.fromkeys(names, 0.0)))
    )
    found = result.compare(nothing).tidy()
    assert result.compare(nothing).provenance["comparison"]["paired"] is True
    rows = result.tidy().query("estimand != 'pm'").reset_index(drop=True)
    # a difference of two contrasts of answers ranges over twice as much, so that rare flips are joined by other units
    names = ("estimate", "std_error") + (("conf_low", "conf_high", "p_value") if "answers" not in kind else ())
    for name in names:
        np.testing.assert_allclose(found[name], rows[name], rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pilot_has_the_mean_and_the_error_of_the_table(kind):
    result = made(kind)
    for row in result.tidy().query("estimand != 'pm'").to_dict("records"):
        named = {name: row[name] for name in ("site", "arm") if row.get(name)}
        if result.kind == "ablation" and len(result.tidy()) > 1:
            continue  # two doses of one arm are one name
        plan = med.power(result, estimand=row["estimand"], **named).plan
        assert plan.pilot.mean == pytest.approx(row["estimate"], rel=1e-9)
        if "answers" not in kind:  # of right and wrong answers the table's error is Bonett and Price's
            assert plan.pilot.std_error == pytest.approx(row["std_error"], rel=1e-9)


def test_shared_draws_are_refused_by_name():
    frame = pd.concat([outcomes(seed).assign(draw=seed) for seed in range(4)])
    result = med.effects(frame, rng=0, draws="shared")
    for asked in (lambda: result.equivalence(1.0), lambda: med.power(result), lambda: result.adjust("max-t")):
        with pytest.raises(med.errors.DesignError):
            asked()


@pytest.mark.parametrize("columns", [("y00", "y11"), ("y10", "y11"), ("y01", "y11")])
def test_power_takes_the_only_effect(columns):
    frame = outcomes()[["unit", *columns]]
    result = med.effects(frame, rng=0, n_resamples=99)
    (only,) = [one for one in result.tidy()["estimand"] if one != "pm"]
    assert med.power(result).tidy().equals(med.power(result, estimand=only).tidy())


def test_power_takes_pnie_where_it_is_there_and_asks_otherwise():
    result = med.effects(outcomes(), rng=0, n_resamples=99)
    assert med.power(result).tidy().equals(med.power(result, estimand="pnie").tidy())
    other = med.effects(outcomes(), rng=0, n_resamples=99, estimands=["te", "tnie", "pm"])
    with pytest.raises(med.errors.DesignError, match="the pilot has 'te', 'tnie'; say for which"):
        med.power(other)
    share = med.effects(outcomes(), rng=0, n_resamples=99, estimands=["te", "pm"])
    assert med.power(share).tidy().equals(med.power(share, estimand="te").tidy())
    with pytest.raises(med.errors.DesignError, match="'pm' is a ratio"):
        med.power(med.effects(outcomes(), rng=0, n_resamples=99, estimands="pm"))


@pytest.mark.parametrize("paired", [True, False])
def test_two_models_with_the_same_answers_have_an_interval_of_their_difference(paired):
    frame = pd.DataFrame({"unit": range(40), "y00": [0.0, 1.0] * 20, "y11": [0.0, 1.0] * 20})
    other = frame if paired else frame.assign(unit=frame["unit"] + 100)
    result, again = med.effects(frame, rng=0), med.effects(other, rng=0)
    compared = result.compare(again, estimands="te")
    row = compared.tidy().iloc[0]
    assert compared.provenance["comparison"]["paired"] is paired
    # paired, two pseudo-units of the ends -2 and 2 join the 40; otherwise -1 and 1 join either group
    error = 2 * np.sqrt(2) / 42 if paired else np.sqrt(2) * np.sqrt(2) / 42
    assert (row["conf_low"], row["conf_high"]) == pytest.approx((-1.959964 * error, 1.959964 * error))
    claim = compared.equivalence(0.2).tidy().iloc[0]
    assert claim["equivalence_high"] == pytest.approx(row["conf_high"])
