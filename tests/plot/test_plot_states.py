"""Pictures of states: similarity, decay, probe."""

from __future__ import annotations

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.text import Text

import mediation as med
from mediation.probing import States, cosine_similarity_matrix, probe_steps, similarity
from tests.plot import artists


def _found(name: str = "latents", *, seed: int = 0, steps: int = 4, **options: object):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(20, 1, 6)) + rng.normal(size=(20, steps, 6))
    return similarity(States(x, name=name), n_resamples=99, **options)


def _bars(ax, gid: str = "line"):
    """x, y, low and high of each line with error bars."""
    found = []
    for container in ax.containers:
        line, _, bars = container.lines
        if line.get_gid() == gid:
            ends = np.array([segment[:, 1] for segment in bars[0].get_segments()])
            found.append((*line.get_data(), ends[:, 0], ends[:, 1]))
    return found


# ------------------------------------------------------------------------------------------------ decay


@pytest.mark.parametrize("measure", ["inter cosine", "effective rank", "intra cosine", "cka", "intra cosine by lag"])
def test_decay_draws_the_rows_with_their_intervals(measure):
    kinds = [_found(), _found("text", seed=1)]
    ax = med.plot.decay(kinds, measure)
    drawn = _bars(ax)
    assert len(drawn) == 2
    for one, (x, y, low, high) in zip(kinds, drawn, strict=True):
        rows = one.rows(measure)
        if rows["other"].notna().any():
            with_first = (rows["step"] == 0) | (rows["other"] == 0)
            rows = rows[with_first]
        steps = rows["step"] if measure != "intra cosine" else rows["other"]
        np.testing.assert_array_equal(x, steps)
        for found, column in ((y, "estimate"), (low, "conf_low"), (high, "conf_high")):
            np.testing.assert_allclose(found, rows[column])
    assert [text.get_text() for text in ax.texts] == ["latents", "text"] or {t.get_text() for t in ax.texts} == {
        "latents",
        "text",
    }
    assert "95% intervals" in artists.title(ax)


def test_decay_of_a_frame_and_names_that_do_not_cover_each_other():
    table = med.probing.compare(*[_found(f"kind {i}", seed=0) for i in range(5)])
    ax = med.plot.decay(table, "inter cosine")
    ax.figure.canvas.draw()
    boxes = sorted((Text.get_window_extent(text) for text in ax.texts), key=lambda box: box.y0)
    assert all(below.y1 <= above.y0 + 1 for below, above in pairwise(boxes))
    assert "intervals" in artists.title(ax)
    looks = {(line.lines[0].get_color(), line.lines[0].get_marker()) for line in ax.containers}
    assert len(looks) == 5


def test_a_kind_of_one_step_is_a_level():
    ax = med.plot.decay([_found(), _found("inner", steps=1, seed=2)], "inter cosine")
    (level,) = artists.lines(ax, "level")
    row = _found("inner", steps=1, seed=2).rows("inter cosine").iloc[0]
    assert level.get_ydata()[0] == pytest.approx(row["estimate"])


def test_what_has_no_interval_is_hollow_and_ranks_of_other_sizes_are_told():
    table = _found().tidy()
    table.loc[(table["measure"] == "inter cosine") & (table["step"] == 1), ["conf_low", "conf_high"]] = np.nan
    ax = med.plot.decay(table, "inter cosine")
    (hollow,) = artists.lines(ax, "hollow")
    assert hollow.get_xdata().tolist() == [1]
    assert artists.legend(ax) == ["no interval"]
    table.loc[(table["measure"] == "effective rank") & (table["step"] == 1), "n"] = 7
    assert "7 to 20 here" in artists.title(med.plot.decay(table, "effective rank"))


# ------------------------------------------------------------------------------------------------ similarity


def test_a_matrix_of_steps_has_its_numbers_and_intervals():
    found = _found()
    ax = med.plot.similarity(found)
    np.testing.assert_allclose(ax.images[0].get_array(), found.matrix())
    said = {(round(t.get_position()[0]), round(t.get_position()[1])): t for t in ax.texts if t.get_gid() == "digits"}
    assert len(said) == 16
    assert said[2, 0].get_text() == f"{found.matrix()[0, 2]:.2f}".replace("0.", ".")
    row = found.rows("intra cosine").iloc[0]
    ends = f"[{row['conf_low']:.2f}, {row['conf_high']:.2f}]".replace("0.", ".").replace("-", "\N{MINUS SIGN}")
    assert ends in [text.get_text() for text in ax.texts if text.get_gid() == "interval"]
    assert "latents" in artists.title(ax)


def test_a_matrix_of_units():
    cosines = cosine_similarity_matrix(np.random.default_rng(0).normal(size=(30, 4)))
    figure, (first, second) = plt.subplots(1, 2)
    ax = med.plot.similarity(cosines, ax=first, name="step 0")
    assert ax is first
    assert not ax.texts
    low, high = ax.images[0].get_clim()
    assert high == 1
    assert low == np.floor(10 * cosines.min()) / 10
    assert artists.title(ax) == "step 0"
    other = med.plot.similarity(cosines, ax=second, low=0.0, colorbar=False)
    assert other.images[0].get_clim() == (0, 1)
    assert len(first.child_axes) == 1
    assert not second.child_axes
    named = med.plot.similarity(cosines[:3, :3], labels=["a", "b", "c"])
    assert artists.labels(named) == ["a", "b", "c"]
    assert figure


def test_the_colours_rise_evenly_in_grey():
    colours = mpl.colormaps["cividis"](np.linspace(0, 1, 50))[:, :3]
    assert (np.diff(colours @ [0.299, 0.587, 0.114]) > 0).all()


# ------------------------------------------------------------------------------------------------ probe


@pytest.fixture(scope="module")
def probes():
    rng = np.random.default_rng(0)
    colour, shape = rng.integers(2, size=60), rng.integers(2, size=60)
    x = rng.normal(size=(60, 3, 4))
    x[..., 0] += 2 * colour[:, None]
    return probe_steps(
        States(x, name="latents"),
        {"colour": colour, "shape": shape},
        baselines={"text": rng.normal(size=(60, 2))},
        rng=0,
    )


def test_accuracies_stand_by_step_and_attribute_with_their_intervals(probes):
    ax = med.plot.probe(probes)
    table = probes.tidy()
    drawn = _bars(ax)
    keys = [("colour", "latents"), ("colour", "text"), ("shape", "latents"), ("shape", "text")]
    assert len(drawn) == 4
    for (attribute, features), (_, y, low, high) in zip(keys, drawn, strict=True):
        rows = table[(table["attribute"] == attribute) & (table["features"] == features)]
        for found, column in ((y, "accuracy"), (low, "conf_low"), (high, "conf_high")):
            np.testing.assert_allclose(found, rows[column])
    crosses = np.concatenate([line.get_ydata() for line in artists.lines(ax, "control")])
    np.testing.assert_allclose(crosses, table[table["features"] == "latents"]["control_accuracy"])
    majority = [line.get_ydata()[0] for line in artists.lines(ax, "majority")]
    np.testing.assert_allclose(majority, table[table["features"] == "latents"]["majority"])
    assert artists.legend(ax) == ["latents", "text", "commonest label", "shuffled labels"]
    assert [text.get_text() for text in ax.texts] == ["colour", "shape"]
    # No two markers at the same place.
    places = np.concatenate([x for x, *_ in drawn])
    assert len(set(places.round(6))) == len(places)


def test_one_attribute_and_one_step(probes):
    ax = med.plot.probe(probes, attribute="shape")
    assert len(_bars(ax)) == 2
    assert "shape" in artists.title(ax)
    table = probes.tidy()
    flat = med.plot.probe(table[table["step"] == 1])
    assert [tick.get_text() for tick in flat.get_xticklabels()] == ["colour", "shape"]


# ------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda p: med.plot.decay(3), med.errors.DesignError, "probing.similarity"),
        (lambda p: med.plot.decay(_found(), "inter cosin"), med.errors.DesignError, "inter cosine"),
        (lambda p: med.plot.decay(pd.DataFrame({"a": [1]})), med.errors.DesignError, "no column 'states'"),
        (lambda p: med.plot.decay(_found(), ax=3), med.errors.DesignError, "one matplotlib Axes"),
        (lambda p: med.plot.similarity(_found(), "inter cosine"), med.errors.DesignError, "measure of pairs"),
        (lambda p: med.plot.similarity(_found(steps=1)), med.errors.DesignError, "states have one step"),
        (lambda p: med.plot.similarity(np.zeros((2, 3))), med.errors.DataError, "square"),
        (lambda p: med.plot.similarity(np.full((2, 2), 3.0)), med.errors.DataError, "at most 1"),
        (lambda p: med.plot.similarity(np.eye(2), labels=["a"]), med.errors.DesignError, "1 for 2 rows"),
        (lambda p: med.plot.similarity(np.eye(2), low=2), med.errors.DesignError, "below 1"),
        (lambda p: med.plot.similarity(np.eye(2), cmap="none"), med.errors.DesignError, "cmap"),
        (lambda p: med.plot.similarity(_found().compare(_found("x"))), med.errors.DesignError, "one kind of states"),
        (lambda p: med.plot.probe(p, attribute="size"), med.errors.DesignError, "colour"),
        (lambda p: med.plot.probe(p.tidy().iloc[:0]), med.errors.DesignError, "no row"),
    ],
)
def test_wrong_calls(call, error, says, probes):
    with pytest.raises(error, match=says):
        call(probes)
