"""Units keep the ids that the user gave them; the order of rows and of sites changes no bit of a table."""

import warnings

import numpy as np
import pandas as pd
import pytest

import mediation as med

pytestmark = pytest.mark.filterwarnings("ignore::mediation.MediationWarning")

IDS = {
    "text": [f"p{i:02d}" for i in range(14)],
    "integers": [7 * i % 31 + 100 for i in range(14)],
    "negative": list(range(-7, 7)),
    "mixed": [*range(5), *"abcde", 2.5, ("x", 1), ("x", 2), ("y",)],
}


def sweep(ids, sites=("b", "a", "c"), seed=0, draws=2):
    rng = np.random.default_rng(seed)
    frames = []
    for site in sites:
        own = np.random.default_rng([seed, ord(site)])
        for draw in range(draws):
            columns = {name: own.normal(shift, 1.0, len(ids)) for name, shift in (("y01", 0.4), ("y10", 0.7))}
            frames.append(pd.DataFrame({"unit": pd.Series(ids), "site": site, "draw": draw, **columns}))
    level, top = rng.normal(size=(2, len(ids)))
    weight, cluster = rng.choice([1.0, 2.0, 3.0], len(ids)), [f"c{i % 6}" for i in range(len(ids))]
    known = pd.DataFrame({"y00": level, "y11": top + 1, "weight": weight, "cluster": cluster})
    return pd.concat([frame.join(known) for frame in frames], ignore_index=True)


def by_site(table):
    return table.sort_values(["estimand", "site"], kind="stable").reset_index(drop=True)


def shuffled(frame, seed):
    return frame.sample(frac=1, random_state=seed)


@pytest.mark.parametrize("kind", IDS)
def test_ids_are_kept_sorted_and_written(kind, tmp_path):
    ids = IDS[kind]
    frame = shuffled(sweep(ids, sites="a", draws=1), 3)
    found = med.effects(frame, rng=0, n_resamples=99)
    units = found.units
    assert set(units["unit"].tolist()) == set(ids)
    outcome = dict(zip(frame["unit"].tolist(), frame["y01"], strict=True))
    assert [outcome[unit] for unit in units["unit"].tolist()] == units["y01"].tolist()
    again = med.read(found.save(tmp_path / "kept"))
    assert again == found
    assert [type(unit) for unit in again.units["unit"].tolist()] == [type(unit) for unit in units["unit"].tolist()]


@pytest.mark.parametrize("kind", IDS)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_order_of_rows_and_of_sites_changes_no_bit(kind, seed):
    frame = sweep(IDS[kind])
    for method in ("bootstrap-t", "percentile"):
        options = {"rng": 0, "n_resamples": 199, "method": method}
        found, other = med.effects(frame, **options), med.effects(shuffled(frame, seed), **options)
        assert by_site(found.tidy()).equals(by_site(other.tidy()))
        first = list(dict.fromkeys(shuffled(frame, seed)["site"]))
        assert list(dict.fromkeys(other.tidy()["site"])) == first
        assert by_site(found.adjust("max-t", family="all").tidy()).equals(
            by_site(other.adjust("max-t", family="all").tidy())
        )
        assert by_site(found.equivalence(0.5).tidy()).equals(by_site(other.equivalence(0.5).tidy()))
        assert by_site(found.test()).equals(by_site(other.test()))


def test_the_order_of_rows_changes_no_bit_where_draws_are_shared():
    frame = sweep(IDS["text"], draws=4)
    found, other = (med.effects(one, rng=0, draws="shared") for one in (frame, shuffled(frame, 1)))
    assert by_site(found.tidy()).equals(by_site(other.tidy()))


def test_the_order_of_rows_changes_no_bit_of_layers():
    frame, layers = sweep(IDS["text"], sites="dbac"), {"a": 0, "b": 0, "c": 1, "d": 1}
    found, other = (
        med.effects(one, rng=0, n_resamples=199).hierarchy("pnie", layers=layers).tidy()
        for one in (frame, shuffled(frame, 1))
    )
    assert by_site(found).equals(by_site(other))


def test_adding_a_site_changes_no_other():
    wide, narrow = (
        med.effects(sweep(IDS["text"], sites=sites), rng=0, n_resamples=199).tidy() for sites in ("bac", "ba")
    )
    kept = wide[wide["site"] != "c"].reset_index(drop=True)
    names = ["estimate", "std_error", "conf_low", "conf_high", "p_value"]
    np.testing.assert_allclose(kept[names], narrow[names], rtol=1e-12)


def pair(seed, ids=IDS["text"], **columns):
    rng = np.random.default_rng(seed)
    level = np.random.default_rng(9).normal(size=len(ids))
    return pd.DataFrame({"unit": pd.Series(ids), "y00": level, "y11": level + rng.normal(1, 0.2, len(ids)), **columns})


def compared(one, two, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first, second = (med.effects(frame, rng=0, n_resamples=199) for frame in (one, two))
        return first.compare(second, **options)


@pytest.mark.parametrize("kind", IDS)
@pytest.mark.parametrize("paired", [None, True])
def test_units_are_subtracted_by_id_whatever_the_order_of_rows(kind, paired):
    one, two = pair(0, IDS[kind]), pair(1, IDS[kind])
    found = compared(one, two, paired=paired)
    for seed in (0, 1):
        again = compared(shuffled(one, seed), shuffled(two, seed + 7), paired=paired)
        assert again.tidy().equals(found.tidy())
        assert again.units.equals(found.units)
    apart = one["y11"] - two["y11"]
    assert found.tidy()["estimate"][0] == pytest.approx(apart.mean())
    assert found.tidy()["std_error"][0] == pytest.approx(apart.std(ddof=1) / len(apart) ** 0.5)


def test_ids_that_differ_are_named():
    one, two = pair(0), pair(1)
    for other, lacking in ((two.iloc[2:], ["'p00', 'p01'"]), (two.assign(unit=[f"q{i}" for i in range(14)]), ["'q0'"])):
        with pytest.raises(med.errors.DataError) as error:
            compared(one, other, paired=True)
        assert all(text in str(error.value) for text in lacking)
    with pytest.raises(med.errors.DataError, match="12 units are in both results, such as 'p02'"):
        compared(one, two.iloc[2:])


def test_ids_without_one_in_common_are_two_groups():
    found = compared(pair(0), pair(1, [f"q{i}" for i in range(14)]))
    assert found.provenance["comparison"]["paired"] is False
    error = sum((frame["y11"] - frame["y00"]).var(ddof=1) / 14 for frame in (pair(0), pair(1)))
    assert found.tidy()["std_error"][0] == pytest.approx(error**0.5)


def test_numbers_and_their_texts_are_not_taken_for_other_units():
    numbers = list(range(14))
    with pytest.raises(med.errors.DataError, match="of type int and unit '0' of 'second' of type str"):
        compared(pair(0, numbers), pair(1, [str(number) for number in numbers]))
    with pytest.raises(med.errors.DataError, match="'second' has numbers of rows alone"):
        compared(pair(0), pair(1).drop(columns="unit"))


def test_without_ids_units_are_the_rows():
    frame = pair(0).drop(columns="unit")
    assert med.effects(frame.sample(frac=1), rng=0).units["unit"].tolist() == list(range(14))


def test_donors_are_named_by_their_ids():
    ids = list("dbca")
    frame = pd.DataFrame({"unit": ids * 2, "draw": [0] * 4 + [1] * 4, "donor": [*"bcad", *"cadb"]})
    frame["y"], frame["ym"] = 1.0, np.random.default_rng(0).normal(size=8)
    found = med.effects(frame, rng=0, n_resamples=99)
    assert dict(zip(found.units["unit"], found.units["draw"], strict=True)).keys() == set(ids)
    given = frame.set_index(["unit", "draw"])["donor"].to_dict()
    assert found.units.set_index(["unit", "draw"])["donor"].to_dict() == given
    assert med.effects(shuffled(frame, 2), rng=0, n_resamples=99).tidy().equals(found.tidy())


def test_an_id_that_is_no_plain_data_is_refused():
    frame = pair(0).assign(unit=pd.Series([frozenset([i]) for i in range(14)]))
    with pytest.raises(med.errors.DataError, match=r"unit of row 0 is frozenset\(\{0\}\)"):
        med.effects(frame, rng=0)


def test_categories_are_the_ids_that_they_name():
    frame = pair(0)
    found = med.effects(frame.assign(unit=pd.Categorical(frame["unit"], categories=frame["unit"][::-1])), rng=0)
    assert found == med.effects(frame, rng=0)
