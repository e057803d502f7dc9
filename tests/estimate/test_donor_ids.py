"""The column `donor` of a user's frame: which ids it takes, what is refused, and what may never move."""

import numpy as np
import pandas as pd
import pytest

import mediation as med

NAMES = ("ann", "bob", "cem", "dia", "eva", "fay", "gil", "hua")
FAST = {"rng": 0, "n_resamples": 199}


def frame_of(n_draws=2, seed=0, ids=range(8)):
    """Swap ablations of 8 units whose donors are strong."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(8), n_draws)
    draw = np.tile(np.arange(n_draws), 8)
    donor = (unit + rng.integers(1, 8, size=len(unit))) % 8
    y = 0.3 * rng.normal(size=8)[unit] + rng.normal(size=8)[donor]
    ids = np.array(list(ids))
    return pd.DataFrame({"unit": ids[unit], "draw": draw, "donor": ids[donor], "y": y, "ym": 0.0})


def row_of(frame, **options):
    return med.effects(frame, **FAST, **options).tidy().iloc[0]


def test_ids_may_be_numbers_or_words():
    numbers = ["estimate", "std_error", "conf_low", "conf_high"]
    expected = row_of(frame_of())[numbers]
    assert expected["std_error"] > row_of(frame_of().drop(columns="donor"))["std_error"]
    for ids in (range(10, 18), NAMES):
        pd.testing.assert_series_equal(row_of(frame_of(ids=ids))[numbers], expected)


@pytest.mark.parametrize("outside", [np.nan, None, -1])
def test_a_row_from_outside_the_frame_counts_as_its_receivers_only(outside):
    frame = frame_of()
    known = frame["donor"].astype(object)
    some = frame.assign(donor=known.where(frame["draw"] == 0, outside))
    none = frame.assign(donor=pd.Series([outside] * len(frame), dtype=object))
    numbers = ["estimate", "std_error", "conf_low", "conf_high"]
    pd.testing.assert_series_equal(row_of(none)[numbers], row_of(frame.drop(columns="donor"))[numbers])
    assert row_of(some)["estimate"] == pytest.approx(frame["y"].mean())
    marked = frame.assign(donor=known.where(frame["draw"] == 0, np.nan))
    pd.testing.assert_series_equal(row_of(some)[numbers], row_of(marked)[numbers])


def test_a_unit_may_be_called_minus_one():
    expected = row_of(frame_of())["std_error"]
    assert row_of(frame_of(ids=range(-1, 7)))["std_error"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.assign(donor=f["donor"].map(str)), r"donor of row 0 is '\d'.*a int, and the donor a str"),
        (lambda f: f.assign(unit=f["unit"].map(str)), r"units are called '0', '1', '2', ... \(5 more\).*a str, and"),
        (
            lambda f: f.assign(donor=f["donor"].replace(3, 33)),
            "is 33, and no unit has that id; units are called 0, 1",
        ),
        (lambda f: f.assign(donor=[*f["donor"][:-1], "annn"]), "donor of row 15 is 'annn'.*leave the donor empty"),
        (lambda f: f.assign(donor=[*f["donor"][:-1], [1]]), r"donor of row 15 is \[1\]"),
        (lambda f: f.assign(donor=[*f["donor"][:-1], 1.5]), "donor of row 15 is 1.5"),
    ],
)
def test_a_donor_that_is_no_unit_is_refused_by_name(change, words):
    with pytest.raises(med.errors.DataError, match=words):
        med.effects(change(frame_of()), **FAST)


@pytest.mark.parametrize("n_draws", [2, 10])
def test_a_missing_row_changes_the_standard_error_by_little(n_draws):
    frame = frame_of(n_draws, seed=1)
    whole = row_of(frame)["std_error"]
    for index in (0, 7, 13):
        assert row_of(frame.drop(index=index))["std_error"] == pytest.approx(whole, rel=0.3)


def test_sites_may_have_donors_of_their_own():
    one, two = frame_of(seed=2).assign(site="one"), frame_of(seed=3).assign(site="two")
    none = frame_of(seed=4).assign(site="none", donor=-1)
    table = med.effects(pd.concat([one, two, none]), **FAST).tidy().set_index("site")
    for frame, site in ((one, "one"), (two, "two"), (none, "none")):
        alone = row_of(frame)
        for name in ("estimate", "std_error"):
            assert table.loc[site, name] == pytest.approx(alone[name])


def test_unnamed_random_donors_are_told_and_named_or_outside_ones_are_not():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"unit": range(8), "g00": 0.0, "g10": rng.normal(size=8)})
    with pytest.warns(med.errors.DonorsWarning, match="Name the donor of each row in a column 'donor'"):
        unnamed = row_of(frame)
    outside = row_of(frame.assign(donor=np.nan))
    assert unnamed["std_error"] == outside["std_error"]
    row_of(frame.assign(donor=(np.arange(8) + 1) % 8))


def test_shared_draws_with_several_donors_are_refused():
    with pytest.raises(med.errors.DataError, match=r"several donors in one draw\. Leave draws='independent'"):
        row_of(frame_of(3), draws="shared")
    one = frame_of(3)
    one["donor"] = one["draw"]
    with pytest.warns(med.errors.SharedDrawsWarning):
        row_of(one, draws="shared")


def test_compared_results_count_the_donors_of_both():
    one, two = (med.effects(frame_of(seed=seed), **FAST) for seed in (5, 6))
    noise = np.random.default_rng(0).normal(size=16)
    halved = frame_of(seed=5)
    same = med.effects(halved.assign(y=0.5 * halved["y"] + noise), **FAST)
    for other in (two, same):
        found = one.compare(other, paired=True, **FAST).tidy().iloc[0]
        means = [result.tidy().iloc[0]["estimate"] for result in (one, other)]
        assert found["estimate"] == pytest.approx(means[0] - means[1])
    # Donors of their own in both: the difference has at least the error of means over receivers.
    gap = frame_of(seed=5).groupby("unit")["y"].mean() - frame_of(seed=6).groupby("unit")["y"].mean()
    found = one.compare(two, paired=True, **FAST).tidy().iloc[0]
    assert found["std_error"] > 0.5 * gap.std() / np.sqrt(8)
    # The same donors in both: as if the outcomes of each draw had been subtracted before.
    subtracted = halved.assign(y=0.5 * halved["y"] - noise)
    found, expected = one.compare(same, paired=True, **FAST).tidy().iloc[0], row_of(subtracted)
    assert found["std_error"] == pytest.approx(expected["std_error"], rel=1e-9)


def test_one_donor_for_all_is_about_that_donor_and_random_donors_say_so():
    frame = frame_of(1).assign(donor=3)  # one mediator for all units: an arm of its own
    alone = row_of(frame.drop(columns="donor"))["std_error"]
    assert row_of(frame)["std_error"] == alone
    drawn = frame.rename(columns={"y": "g10", "ym": "g00"})
    with pytest.warns(
        med.errors.DonorsWarning, match="come from one unit, so these intervals are about that unit's mediator"
    ):
        assert row_of(drawn)["std_error"] == pytest.approx(alone)
