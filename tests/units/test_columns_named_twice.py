"""A name that two columns have is refused wherever a frame is read: it would stand for both."""

import pandas as pd
import pytest

import mediation as med

FRAME = pd.DataFrame(
    {
        "base": ["The capital of Italy is", "The city of Spain is"],
        "source": ["The capital of France is", "The city of Germany is"],
        "answer": [" Paris", " Rome"],
        "group": ["a", "b"],
        "weight": [1.0, 2.0],
        "kind": ["x", "y"],
    }
)
OUTCOMES = pd.DataFrame({"unit": range(4), "y00": [0.1, 0.0, 0.3, 0.2], "y11": [1.0, 1.3, 1.4, 1.2]})
KINDS = pd.DataFrame({"unit": range(4), "kind": list("xxyy"), "length": [1.0, 2.0, 2.5, 4.0]})


def twice(frame, *names):
    return pd.concat([frame, frame[list(names)]], axis=1)


def effects():
    return med.effects(OUTCOMES, rng=0, n_resamples=99)


def questions(name):
    rows = {"id": ["a", "b"], "options": [["A", "B"]] * 2, "answer": ["A", "B"], "question": ["?", "?"]}
    made = pd.DataFrame({**rows, "category": ["c", "c"], "group": ["g", "g"], "layout": ["choice"] * 2})
    return twice(made, name)


def read_csv(folder):
    path = folder / "rows.csv"
    path.write_text("question,answer,answer\nWhich?,A,B\nWhat?,B,A\n")
    return med.datasets.read(path, layout="lmms-lab")


READERS = {
    "base": lambda: med.Pairs.from_frame(twice(FRAME, "base")),
    "source": lambda: med.Pairs.from_frame(twice(FRAME, "source")),
    "answer": lambda: med.Pairs.from_frame(twice(FRAME, "answer")),
    "group": lambda: med.Pairs.from_frame(twice(FRAME, "group"), cluster="group"),
    "weight": lambda: med.Pairs(base=["a", "b"], frame=twice(FRAME, "weight"), weight="weight"),
    "kind": lambda: med.Pairs(base=["a", "b"], frame=twice(FRAME, "kind"), spans={"kind": "kind"}),
    "y00": lambda: med.effects(twice(OUTCOMES, "y00")),
    "unit": lambda: effects().by("kind", frame=twice(KINDS, "unit")),
    "length": lambda: effects().regress("~ length", frame=twice(KINDS, "length")),
    "id": lambda: med.datasets.cyclic(questions("id")),
}


@pytest.mark.parametrize("name", READERS)
def test_refused_by_name(name):
    with pytest.raises(med.errors.DataError, match=f"'{name}'") as refused:
        READERS[name]()
    assert "more than once" in str(refused.value) or "several columns" in str(refused.value)


def test_three_of_one_name_are_counted():
    with pytest.raises(med.errors.DataError, match=r"'base' is there more than once \(3 columns"):
        med.Pairs.from_frame(twice(FRAME, "base", "base"))


def test_columns_of_several_levels_are_refused():
    frame = FRAME[["base", "source"]].copy()
    frame.columns = pd.MultiIndex.from_tuples([("base", "text"), ("source", "text")])
    with pytest.raises(med.errors.DataError, match="of several levels"):
        med.Pairs.from_frame(frame)
    wide = pd.concat({"base": FRAME[["base", "source"]]}, axis=1)
    with pytest.raises(med.errors.DataError, match="of several levels"):
        med.Pairs.from_frame(wide, source=None)


def test_a_first_line_that_names_a_column_twice(tmp_path):
    with pytest.raises(med.errors.DataError, match=r"rows.csv: column 'answer' is there more than once"):
        read_csv(tmp_path)


def test_each_name_once_is_read_as_before():
    pairs = med.Pairs.from_frame(FRAME, cluster="group", weight="weight")
    assert pairs.base == tuple(FRAME["base"])
    assert pairs.column("answer") == [" Paris", " Rome"]
