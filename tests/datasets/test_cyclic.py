"""Cyclic orders, against all orders written out."""

from __future__ import annotations

import pandas as pd
import pytest

from mediation.datasets import cyclic, read
from tests.datasets import files


def test_the_orders_of_hrbench_are_what_cyclic_makes():
    whole = read(pd.DataFrame(files.hrbench(files.hugging)))
    first = whole[whole.cycle == "cycle_0"].drop(columns="cycle").reset_index(drop=True)
    made = cyclic(first)
    for name in ("question", "options", "answer", "category", "group", "layout"):
        assert made[name].tolist() == whole[name].tolist(), name
    assert made["cycle"].tolist() == [0, 1, 2, 3] * 2
    assert made["id"].tolist() == ["0/0", "0/1", "0/2", "0/3", "4/0", "4/1", "4/2", "4/3"]
    pd.testing.assert_frame_equal(cyclic(whole), whole)
    pd.testing.assert_frame_equal(cyclic(made), made)


@pytest.mark.parametrize("answer", "ABC")
def test_three_options_written_out(answer):
    right = {"A": "x", "B": "y", "C": "z"}[answer]
    row = {"id": "q", "question": "Which?\n(A) x\n(B) y\n(C) z\nSay it.", "options": ("x", "y", "z"), "answer": answer}
    made = cyclic(pd.DataFrame([{**row, "group": "g", "images": ("same",)}]))
    assert made["options"].tolist() == [("x", "y", "z"), ("y", "z", "x"), ("z", "x", "y")]
    assert made["question"].tolist() == [
        "Which?\n(A) x\n(B) y\n(C) z\nSay it.",
        "Which?\n(A) y\n(B) z\n(C) x\nSay it.",
        "Which?\n(A) z\n(B) x\n(C) y\nSay it.",
    ]
    assert [dict(zip("ABC", o, strict=True))[a] for o, a in zip(made.options, made.answer, strict=True)] == [right] * 3
    assert made["answer"].nunique() == 3
    assert made["group"].tolist() == ["g"] * 3
    assert made["images"].tolist() == [("same",)] * 3


@pytest.mark.parametrize(
    "rows",
    [files.vstar(files.png(1)), files.mme(), files.scienceqa(), files.blink()],
    ids=["vstar", "mme", "sqa", "blink"],
)
def test_every_layout_with_options_can_be_turned(rows):
    frame = read(pd.DataFrame(rows))
    made = cyclic(frame)
    assert len(made) == sum(len(options) for options in frame["options"])
    assert made["id"].is_unique
    assert set(made["group"]) == set(frame["group"])
    hidden = made["answer"].isna()
    assert hidden.sum() == 2 * frame["answer"].isna().sum()
