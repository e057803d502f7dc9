"""Broken files: the message names the row and says what is wrong."""

from __future__ import annotations

import pandas as pd
import pytest

from mediation.datasets import cyclic, extract, read, scores
from mediation.errors import DataError
from tests.datasets import files


def frame_of(rows, **changes):
    rows = [dict(row) for row in rows]
    rows[1].update(changes)
    return pd.DataFrame(rows)


VSTAR = files.vstar(files.png(1))
BROKEN = {
    "base64": (frame_of(VSTAR, image="no base64!"), "row 1 of the frame: the image, a text of 10 characters"),
    "no picture": (frame_of(VSTAR, image=b"abc"), "row 1 .* is no image"),
    "cut header": (frame_of(VSTAR, image=files.png(1)[:9]), "row 1 .* is no image"),
    "no file": (frame_of(VSTAR, image="a/b.png"), "row 1 .* image file 'a/b.png' is not there; looked in a"),
    "file is text": (frame_of(VSTAR, image=3.5), "row 1 .* the image is float"),
    "empty image": (frame_of(VSTAR, image=None), "row 1 .* column 'image' holds no image"),
    "answer": (frame_of(VSTAR, label="C"), "row 1 .* answer 'C' is none of the options A, B"),
    "no answer": (frame_of(VSTAR, label=None), "row 1 .* column 'label' is empty"),
    "two letters": (frame_of(VSTAR, label="AB"), "row 1 .* answer 'AB' is none"),
    "no options": (frame_of(VSTAR, text="What?"), "row 1 .* no lines '\\(A\\)"),
    "options out of order": (frame_of(VSTAR, text="What?\n(B) red\n(A) blue"), "row 1 .* no lines '\\(A\\)"),
    "one option": (frame_of(files.hrbench(files.hugging), B=None), "row 1 .* hold 1 options"),
    "mme options": (frame_of(files.mme(), **{"multi-choice options": "[1"}), "row 1 .* a list of two or more"),
    "mme letters": (frame_of(files.mme(), **{"multi-choice options": ["1", "2"]}), "row 1 .* in order are needed"),
    "no blink image": (
        frame_of(files.blink(), image_1=None, image_2=None, image_3=None),
        "row 1 .* none of the columns image_1",
    ),
    "place": (frame_of(files.scienceqa(), answer=3), "row 1 .* answer = 3; the place of a choice, 0 to 2"),
    "place is text": (frame_of(files.scienceqa(), answer="iron"), "row 1 .* answer = 'iron'"),
    "map": (frame_of(files.vsp(), map_desc=[[1, 5]]), "row 1 .* 'map_desc': map = \\[\\[1, 5\\]\\]"),
    "no goal": (frame_of(files.vsp(), map_desc=[[1, 0]]), "row 1 .* exactly one goal \\(2\\) is needed, found 0"),
    "ragged map": (frame_of(files.vsp(), map_desc=[[1, 0], [2]]), "row 1 .* not equally long"),
    "statement": (
        frame_of([{**row, "split": "vtabfact"} for row in files.tablevqa("vtabfact")], gt="2"),
        "row 1 .* 0 or 1",
    ),
    "subset": (pd.DataFrame(files.tablevqa("vwtq")), "row 0 .* neither a column 'split' nor the file's name"),
    "own index": (frame_of(files.hrbench(files.hugging), image="1"), "row 1 .* the index of the row itself"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_row_is_named(name):
    frame, message = BROKEN[name]
    with pytest.raises(DataError, match=f"(?s){message}"):
        read(frame)


def test_pixels_that_are_cut_off_are_told_when_opened():
    whole = files.png(1, side=64)
    picture = read(pd.DataFrame(files.vstar(whole[:60]))).images[0][0]
    with pytest.raises(DataError, match="the pixels of 60 bytes cannot be decoded"):
        picture.open()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", "", "has no rows"),
        ("a.json", "[]", "has no rows"),
        ("a.json", "{}", "holds dict; a list of objects"),
        ("a.json", "[1]", "row 0 of a.json is int"),
        ("a.json", "[", "cannot be read"),
        ("a.jsonl", '{"a": 1}\n{', "line 2 of a.jsonl is no JSON"),
        ("a.tsv", "a\tb\n1\n", "row 0 of a.tsv has not as many cells"),
        ("a.csv", "a,b\n1,2,3\n", "row 0 of a.csv has not as many cells"),
        ("a.csv", "a,b\n", "has no rows"),
        ("a.parquet", "none", "a.parquet' cannot be read"),
        ("a.xlsx", "none", "files that end in .parquet"),
    ],
)
def test_broken_files(tmp_path, name, text, message):
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(DataError, match=message):
        read(tmp_path / name)


def test_nothing_there(tmp_path):
    with pytest.raises(DataError, match="is not there"):
        read(tmp_path / "none.tsv")
    with pytest.raises(DataError, match="has no file that ends in"):
        read(tmp_path)
    with pytest.raises(DataError, match="a path or a pandas DataFrame"):
        read([1, 2])
    with pytest.raises(DataError, match="limit = 0"):
        read(pd.DataFrame(VSTAR), limit=0)


def test_columns_that_fit_no_layout_are_listed_beside_those_that_would():
    with pytest.raises(DataError, match=r"has the columns 'asked', 'picture'.*hrbench: A, B, answer.*tablevqa"):
        read(pd.DataFrame({"picture": [1], "asked": ["a"]}))
    with pytest.raises(DataError, match="lacks 'choices', 'idx', 'image_1', 'question', 'sub_task'"):
        read(pd.DataFrame(VSTAR).assign(answer="A"), "blink")
    with pytest.raises(DataError, match="Closest: 'vstar'"):
        read(pd.DataFrame(VSTAR), "v-star")


def test_wrong_frames_for_the_other_functions():
    frame = read(pd.DataFrame(VSTAR))
    with pytest.raises(DataError, match="lacks the columns group"):
        cyclic(frame.drop(columns="group"))
    with pytest.raises(DataError, match="row '0' has the options None"):
        cyclic(frame.assign(options=None))
    with pytest.raises(DataError, match="row '0' has the answer 'Z'"):
        cyclic(frame.assign(answer="Z"))
    with pytest.raises(DataError, match="does not have the options as lines"):
        cyclic(frame.assign(question="What?"))
    with pytest.raises(DataError, match="said is of length 1 for 2 rows"):
        scores(frame, ["A"])
    with pytest.raises(DataError, match="said is 'AB' for 2 rows"):
        scores(frame, "AB")
    with pytest.raises(DataError, match="no text for 1 of 2 rows, the first of which is '1'"):
        scores(frame, {"0": "A"})
    with pytest.raises(DataError, match="level = 95"):
        scores(frame, ["A", "B"], level=95)
    with pytest.raises(DataError, match="right answer of row '0' is None"):
        scores(frame.assign(answer=None), ["A", "B"])
    with pytest.raises(DataError, match="has no rows"):
        scores(frame.iloc[:0], [])
    with pytest.raises(DataError, match="text = 3"):
        extract(3)
    with pytest.raises(DataError, match="Closest: 'vstar'"):
        extract("A", layout="vstars")
